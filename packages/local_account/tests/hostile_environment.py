"""A person's environment in which everything leads elsewhere: dead proxies, another profile, endpoints and files of its own.

Used by the tests of what the local account's exports and processes make of it.
"""

from __future__ import annotations

from pathlib import Path

#: Nothing listens on the port of `tcpmux`, and a program that asks it fails at once.
DEAD = "http://127.0.0.1:1"


def hostile_environment(directory: Path, proxy: str = DEAD) -> dict[str, str]:
    """The variables; `directory` takes the files that some of them name."""
    config = directory / "config"
    config.write_text(
        f"[default]\nendpoint_url = {DEAD}\nservices = elsewhere\nregion = eu-west-1\nca_bundle = /missing\n"
        f"[services elsewhere]\ns3 =\n  endpoint_url = {DEAD}\ncodepipeline =\n  endpoint_url = {DEAD}\n"
    )
    credentials = directory / "credentials"
    credentials.write_text("[default]\naws_access_key_id = AKIAELSEWHERE\naws_secret_access_key = elsewhere\n")
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "npm_config_proxy", "npm_config_https_proxy"), proxy)
    return {
        **proxies,
        **{name.lower(): value for name, value in proxies.items()},
        "NO_PROXY": "intranet.example.com",
        "AWS_PROFILE": "nobody",
        "AWS_DEFAULT_PROFILE": "nobody",
        "AWS_SESSION_TOKEN": "elsewhere",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_CA_BUNDLE": "/missing",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        **{f"AWS_ENDPOINT_URL_{service}": DEAD for service in ("S3", "STS", "CLOUDFORMATION", "CODEPIPELINE", "SAGEMAKER", "SSM", "IAM")},
        "AWS_ROLE_ARN": "arn:aws:iam::999988887777:role/elsewhere",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/missing",
        "CDK_PROFILE": "nobody",
        "CDK_PROXY": proxy,
        "CDK_DEFAULT_ACCOUNT": "999988887777",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "POSIX",
    }

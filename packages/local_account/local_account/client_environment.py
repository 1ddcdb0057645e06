"""The environment in which stock tools reach this account and nothing else, whatever the person's own says.

In: the account's settings, and the environment that a process would inherit. Out: `client_environment`, what to set; `process_environment`,
the whole environment of a build, job or model server; `shell_lines`, the same for a person's second terminal.

What a person's terminal must not have is decided by prefix, not from a list: every setting of an AWS client is `AWS_<NAME>`, among them one
`AWS_ENDPOINT_URL_<SERVICE>` for each of 400 services (botocore: `configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES`; AWS SDKs and
Tools reference guide, "Settings reference"), and every option of the CDK CLI is `CDK_<OPTION>` (its `lib/cli/parse-command-line-arguments`
ends in `yargs.env("CDK")`). Files are as strong as variables, so both configuration files lead into the account's own folder.
What the account starts runs pushed code, and a terminal holds tokens of everything a person uses: it inherits only what is in `_NEEDED`.
Used by `context.py`, `__main__.py` and `demo/terminal.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_account.authorization.credentials import Credentials
    from local_account.context import AccountSettings

LEADS_ELSEWHERE = ("AWS_", "CDK_")
#: All that a build, job, function or model server has of the caller's environment: where programs, files and the time zone are, and the way
#: to package indexes (a proxy, its certificates, an index of one's own), without which the commands of a buildspec cannot install.
_NEEDED = frozenset(("path", "home", "user", "logname", "shell", "tz", "tmpdir", "tmp", "temp", "ld_library_path", "xdg_cache_home"))
_NEEDED |= {f"{kind}_proxy" for kind in ("http", "https", "all", "no")}
_NEEDED |= {"ssl_cert_file", "ssl_cert_dir", "requests_ca_bundle", "curl_ca_bundle", "node_extra_ca_certs"}
_NEEDED_PREFIXES = ("pip_", "uv_", "npm_config_", "jsii_")
_LOOPBACK = ("127.0.0.1", "localhost")
#: Python, curl and git read both, and differ in which they prefer.
NO_PROXY = ("NO_PROXY", "no_proxy")
#: Where one of these is set, the CDK CLI (its library `proxy-from-env`) reads it instead.
_NO_PROXY_OF_NPM = ("npm_config_no_proxy", "NPM_CONFIG_NO_PROXY")
#: Where programs keep what they work out once: where the person said, or in the folder of the start, since a home folder may be read-only.
CACHES = {"MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR") or str(Path.cwd() / ".cache" / "matplotlib")}
#: As in AWS's containers: CodeBuild's image and SageMaker's set the same locale.
_LOCALE = {"LANG": "C.UTF-8", "PYTHONUTF8": "1"}
_LOCALE_PREFIXES = ("LC_", "LANGUAGE", "PYTHONIOENCODING", "PYTHONLEGACY")

#: AWS SDKs and Tools reference guide, "Settings reference", order of precedence.
_BEFORE_PROFILES = ("AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_REGION")

UNSET = "unset AWS_PROFILE $(env | sed -n 's/^\\(AWS_[A-Za-z0-9_]*\\)=.*/\\1/p; s/^\\(CDK_[A-Za-z0-9_]*\\)=.*/\\1/p')"
UNSET_IN_FISH = "set -e AWS_PROFILE (set --names --export | string match --regex '^(?:AWS|CDK)_.*')"


def client_environment(settings: AccountSettings, credentials: Credentials | None, inherited: Mapping[str, str]) -> dict[str, str]:
    """What to set on top of an environment that `only_ours` has cleaned. Proxies stay, but never for this machine.

    Without credentials there is no address of the account either: that is how a container under network isolation lives.
    """
    config, shared_credentials = profile_files(settings)
    reachable = {"AWS_ENDPOINT_URL": settings.endpoint_url, **credentials.environment} if credentials else {}
    return {
        **reachable,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(shared_credentials),
        **cdk_environment(str(settings.state_directory / "client" / "cdk")),
        **{name: without_proxy_here(inherited.get(name, "")) for name in _no_proxy_variables(inherited)},
    }


def profile_files(settings: AccountSettings) -> tuple[Path, Path]:
    """Where the person's profiles are (`profiles.py`): the configuration file, and the one with the keys."""
    own_files = settings.state_directory / "client"
    return own_files / "aws-config", own_files / "aws-credentials"


def _without_profiles(settings: AccountSettings) -> dict[str, str]:
    """What is started in somebody's name gets no profiles of somebody else: both files lead to where none ever are."""
    nowhere = settings.state_directory / "client" / "none"
    return {"AWS_CONFIG_FILE": str(nowhere / "aws-config"), "AWS_SHARED_CREDENTIALS_FILE": str(nowhere / "aws-credentials")}


def git_environment(endpoint_url: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Lets `git push` find the password, which is the secret in the environment, so that it stands in no address and no argument.

    As a credential helper of this address alone; the empty one before it takes the person's own away, which would keep the secret.
    Sources: gitcredentials(7), "Custom helpers"; git-config(1), GIT_CONFIG_COUNT.
    """
    given = inherited.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isascii() and given.isdecimal() else 0
    helper = '!f() { echo username=administrator; echo "password=$AWS_SECRET_ACCESS_KEY"; }; f'
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(("", helper), start=first)}
    names = {f"GIT_CONFIG_KEY_{number}": f"credential.{endpoint_url}.helper" for number in (first, first + 1)}
    return {"GIT_CONFIG_COUNT": str(first + 2), **names, **values}


def cdk_environment(home: str) -> dict[str, str]:
    """The CDK CLI asks no host but the account, and keeps its files in `home` instead of `~/.cdk`.

    Source: aws-cdk's README, "Environment" (version check, telemetry) and "Notices" (`--no-notices`, here as a variable).
    """
    return {"CDK_HOME": home, "CDK_DISABLE_VERSION_CHECK": "1", "CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_NOTICES": "false"}


def without_proxy_here(exceptions: str) -> str:
    """A NO_PROXY list with this machine's own addresses in it; `*`, which means every host, must stay alone to mean it."""
    listed = [name.strip() for name in exceptions.split(",") if name.strip()]
    return "*" if listed == ["*"] else ",".join([name for name in _LOOPBACK if name not in listed] + listed)


def _no_proxy_variables(inherited: Mapping[str, str]) -> tuple[str, ...]:
    return (*NO_PROXY, *(name for name in _NO_PROXY_OF_NPM if name in inherited))


def only_ours(inherited: Mapping[str, str]) -> dict[str, str]:
    """An environment without what would lead AWS's tools to another account, profile, endpoint or role."""
    return {name: value for name, value in inherited.items() if not name.startswith(LEADS_ELSEWHERE)}


def only_needed(inherited: Mapping[str, str]) -> dict[str, str]:
    """An environment with nothing of the caller's but what a build needs. Proxies are read in capitals and in small letters."""
    return {name: value for name, value in inherited.items() if name.lower() in _NEEDED or name.lower().startswith(_NEEDED_PREFIXES)}


def in_utf8(inherited: Mapping[str, str]) -> dict[str, str]:
    """An environment whose programs write UTF-8, whatever the person's terminal can show: their output goes into files."""
    return {**{name: value for name, value in inherited.items() if not name.startswith(_LOCALE_PREFIXES)}, **_LOCALE}


def process_environment(settings: AccountSettings, credentials: Credentials | None, inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a process that the account starts in the name of `credentials`."""
    return own_environment(settings, credentials, only_needed(inherited))


def own_environment(settings: AccountSettings, credentials: Credentials | None, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of the account's own process, whose emulators read it: the caller's without what leads elsewhere."""
    own = {**client_environment(settings, credentials, inherited), **_without_profiles(settings)}
    return {**CACHES, **in_utf8(only_ours(inherited)), **own}


def shell_lines(settings: AccountSettings, credentials: Credentials, inherited: Mapping[str, str]) -> list[str]:
    """Commands for bash, zsh and dash that make a terminal a client of this account; fish takes all but the first, `UNSET_IN_FISH`."""
    exported = {**client_environment(settings, credentials, inherited), **git_environment(settings.endpoint_url, inherited)}
    if settings.profiles:  # variables go before a profile's own region and, with AWS_PROFILE, its keys; git still needs the secret
        exported = {name: value for name, value in exported.items() if name not in _BEFORE_PROFILES}
    quoted = {name: _in_double_quotes(value) for name, value in exported.items()}
    extended = {name: f"{','.join(_LOOPBACK)},${name}" for name in _no_proxy_variables(inherited)}  # by what that terminal has
    return [UNSET, *(f'export {name}="{value}"' for name, value in {**quoted, **extended}.items())]


def _in_double_quotes(value: str) -> str:
    return "".join(f"\\{sign}" if sign in '\\"$`' else sign for sign in value)

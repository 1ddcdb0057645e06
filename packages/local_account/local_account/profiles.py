"""A profile for each account's administrator, in files of the account's own, so that `--profile staging` is one of stock tools' own words.

Keys are in one file, regions and the address in the other, as `aws configure` leaves them: AWS SDKs and Tools reference guide, "Shared
config and credentials files". Only the person's environment leads there (`client_environment.py`); no build or job has it.
Used by `account.py` and `__main__.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from local_account import client_environment, private_files
from local_account.context import Context, Profile

DEFAULT = "default"


def of(context: Context) -> list[Profile]:
    """The profiles of all accounts of a process, with their names and regions; the default one first."""
    settings = context.settings
    named = [
        dataclasses.replace(profile, name=profile.name or profile.account_id, region=profile.region or settings.region)
        for profile in settings.profiles
    ]
    return [Profile(settings.account_id, DEFAULT, settings.region), *named]


def write(context: Context) -> None:
    """Leave both files in the state directory."""
    keys = {profile.name: _keys(context, profile) for profile in of(context)}
    places = {
        profile.name if profile.name == DEFAULT else f"profile {profile.name}": {
            "region": profile.region,
            "endpoint_url": context.settings.endpoint_url,
        }
        for profile in of(context)
    }
    config, credentials = client_environment.profile_files(context.settings)
    private_files.write(credentials, "\n".join(_sections(keys)))
    private_files.write(config, "\n".join(_sections(places)))


def _keys(context: Context, profile: Profile) -> dict[str, str]:
    keys = context.places.at(profile.account_id, profile.region).keyring.administrator
    return {"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret}


def _sections(sections: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, values in sections.items():
        yield f"[{name}]"
        yield from (f"{key} = {value}" for key, value in values.items())
        yield ""

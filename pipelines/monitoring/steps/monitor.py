"""Watches what production was asked and has answered: judges the windows that are due, each version by its own baseline.

Input: files of captured requests, or of what a batch model scored (place.py says where), and of labels; `--now`; `--from` and `--to` for
windows that are to be judged by hand, again if need be. Output: `windows/<from>--<to>/` with findings.json, statistics.json,
constraint_violations.json, answered/*.parquet, files.json and report.html, and history.json, below the model's prefix. A breach is no
failure of this job: exit code 0. Next: turn.py and watch.py.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import failure
import judges
import place as places
import turn
import windows
from evidence import FolderSource, RegistrySource, Source, Versions
from experiment import Experiment, Tell, Trial
from failure import BadInput
from place import Place
from store import FolderStore, S3Store, Store
from teach import Teacher, region_of
from turn import Turn
from watch import Watch

#: What `--from` and `--to` are where nobody gave them.
DUE = ("", "due")


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--now", required=True, help="the time that counts, ISO 8601 or epoch seconds")
    arguments.add_argument("--from", dest="start", default="due", help="judge windows from here, ISO 8601 in UTC; default: what is due")
    arguments.add_argument("--to", dest="end", default="due", help="and until here")
    arguments.add_argument("--settings", type=Path, help="monitoring.json; default: the one beside this script")
    arguments.add_argument("--folder", type=Path, help="a folder with the bucket's keys, instead of the bucket")
    arguments.add_argument("--evidence", type=Path, help="a folder with one of evidence for each version, instead of the registry")
    return arguments


def main(argv: list[str]) -> None:
    options = parser().parse_args(argv)
    now = _moment("--now", options.now)
    asked = _asked(options.start, options.end, now)
    place, settings = Place.of(os.environ), places.settings(options.settings)
    watch = _watch(options, place, settings, now)
    if not options.folder:
        _turn(watch.store, place).take()
    watch.run(asked, None if options.folder else judges.teller(watch.store, os.environ))
    if (trial := Experiment.of(os.environ, place)) is not None:
        Trial(trial, place, watch.store, watch.versions, now).judge(None if options.folder else _tell_of_trial(place))


def _tell_of_trial(place: Place) -> Tell:
    import boto3

    sns = boto3.client("sns")
    return lambda subject, text: sns.publish(TopicArn=place.alert_topic, Subject=subject, Message=text)


def _watch(options: argparse.Namespace, place: Place, settings: Mapping[str, Any], now: datetime) -> Watch:
    if options.folder:
        source: Source = FolderSource(options.evidence or options.folder / "evidence")
        return Watch(place, settings, FolderStore(options.folder), Versions(source), now)
    import boto3  # takes long to import

    s3 = boto3.client("s3")
    store = S3Store(s3, place.bucket, place.key or None)
    home = region_of(os.environ["DATA_BUCKET"])
    has_copies = home is not None and f":{home}:" not in place.package
    versions = Versions(RegistrySource(boto3.client("sagemaker"), s3, place.package, has_copies=has_copies))
    return Watch(place, settings, store, versions, now, _teacher(store, settings))


def _turn(store: Store, place: Place) -> Turn:
    import boto3

    job = turn.job_of(os.environ["JOB_CONFIGURATION"])
    return Turn(store, place.monitoring_prefix + turn.FILE, job, turn.running(boto3.client("sagemaker")))


def _teacher(store: Store, settings: Mapping[str, Any]) -> Teacher:
    """The bucket of the project's account encrypts what comes in with its own key, as it is set to; it may be in another region."""
    import boto3

    bucket = os.environ["DATA_BUCKET"]
    home = S3Store(boto3.client("s3", region_name=region_of(bucket)), bucket)
    return Teacher.of(store, home, os.environ, settings)


def _moment(option: str, text: str) -> datetime:
    """Raises BadInput."""
    try:
        if text.replace(".", "", 1).isdecimal():
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{option} is {text!r}; allowed: a time such as 2026-11-27T10:00Z") from None


def _asked(start: str, end: str, now: datetime) -> tuple[datetime, datetime] | None:
    """Raises BadInput."""
    if start in DUE and end in DUE:
        return None
    if start in DUE or end in DUE:
        raise BadInput("give both --from and --to, or neither for the windows that are due")
    asked = _moment("--from", start), _moment("--to", end)
    if not asked[0] < asked[1]:
        raise BadInput(f"--from is {start} and --to is {end}; allowed: a --from before --to")
    if asked[0] >= now:
        raise BadInput(f"--from is {start}, which is not over at {now:%Y-%m-%dT%H:%MZ}")
    if asked[0] < now - windows.KEPT:
        oldest = f"{now - windows.KEPT:%Y-%m-%dT%H:%MZ}"
        raise BadInput(f"--from is {start}; allowed: from {oldest} on, as requests are kept for {windows.KEPT.days} days")
    return asked[0], min(asked[1], now)


if __name__ == "__main__":
    failure.run(main)

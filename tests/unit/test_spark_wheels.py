"""The packages that Spark's image lacks are published once for a lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from build_scripts import spark_wheels
from build_scripts.command_line import ProblemError
from pipelines import spark_image


class Bucket:
    """As much of S3 as publishing asks for."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803 - S3's names
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}]

    def put_object(self, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803 - S3's names
        self.objects[Key] = Body


def test_wheels_are_downloaded_and_uploaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def downloaded(folder: Path) -> list[Path]:
        wheels = [folder / f"{name}-1-py3-none-any.whl" for name in spark_image.PACKAGES]
        for wheel in wheels:
            wheel.write_bytes(wheel.name.encode())
        return wheels

    monkeypatch.setattr(spark_wheels, "download", downloaded)
    s3 = Bucket()
    address, uploaded = spark_wheels.publish_wheels(s3, "artifacts")
    assert (address, uploaded) == (f"s3://artifacts/{spark_image.wheels_prefix()}", True)
    assert s3.objects[f"{spark_image.wheels_prefix()}/pyarrow-1-py3-none-any.whl"] == b"pyarrow-1-py3-none-any.whl"
    monkeypatch.setattr(spark_wheels, "download", lambda _: pytest.fail("downloaded again"))
    assert spark_wheels.publish_wheels(s3, "artifacts") == (address, False)


def test_without_an_index_the_build_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_image, "pins", lambda: "no-such-package-of-anybody==1 --hash=sha256:00\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ProblemError, match=r"the packages for Spark's image cannot be downloaded \(ERROR: .*; check the network"):
        spark_wheels.download(tmp_path)


def test_other_versions_have_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    address = spark_image.wheels_prefix()
    monkeypatch.setattr(spark_image, "PYTHON", "3.13")
    assert spark_image.wheels_prefix() != address

"""Claims about installing: exactly the lock, only what differs, and failures that say what to check."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from build_scripts import install

LOCK = """\
alpha==1.2 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
Beta.Gamma==3.0 ; sys_platform == 'nowhere' \\
    --hash=sha256:cc
uv==0.9.1 ; python_full_version >= '3.9' \\
    --hash=sha256:dd
"""


def test_pins_are_those_for_this_system() -> None:
    assert install.pins(LOCK) == {"alpha": "1.2", "uv": "0.9.1"}


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        (f"sys_platform == '{sys.platform}'", True),
        (f"sys_platform != '{sys.platform}'", False),
        ("python_full_version < '3.9'", False),
        ("python_version >= '3.9' and sys_platform == 'nowhere'", False),
        ("python_version >= '3.9' or sys_platform == 'nowhere'", True),
    ],
)
def test_markers_hold_as_pep_508_says(marker: str, holds: bool) -> None:
    assert install.marker_holds(marker) is holds


def test_marker_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(install.InstallError, match="extra == 'x'"):
        install.marker_holds("extra == 'x'")


def test_only_what_differs_is_installed(tmp_path: Path) -> None:
    for name in ("alpha-1.2.dist-info", "Uv-0.8.dist-info", "other-1.dist-info"):
        (tmp_path / name).mkdir()
    assert install.differences(install.pins(LOCK), install.installed(tmp_path)) == ["uv 0.9.1"]


def test_installer_itself_is_taken_with_its_hashes() -> None:
    assert list(install.only(LOCK, "uv")) == ["uv==0.9.1 ; python_full_version >= '3.9' \\", "    --hash=sha256:dd"]


def test_real_lock_can_be_read_completely() -> None:
    lock = install.LOCK.read_text()
    packages = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(packages) == sum(1 for line in packages if install._PIN.match(line))
    assert {"boto3", "uv", "pytest"} <= set(install.pins(lock))


def test_failed_download_is_said_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The index is a closed port of this machine: no network."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("no-such-package==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\n")
    monkeypatch.setattr(install, "LOCK", lock)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    assert install.main([]) == 2
    assert "Check the network" in capsys.readouterr().err

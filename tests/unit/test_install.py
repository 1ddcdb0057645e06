"""Claims about installing: exactly the lock, only what differs, and failures that say what to check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from build_scripts import install

pytestmark = pytest.mark.thorough  # programs are started

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


def test_only_what_differs_is_installed(tmp_path: Path) -> None:
    for name in ("alpha-1.2.dist-info", "Uv-0.8.dist-info", "packaging-1.dist-info"):
        (tmp_path / name).mkdir()
    assert install.missing(LOCK, tmp_path) == ["uv 0.9.1"]


def test_in_an_empty_environment_everything_is_missing(tmp_path: Path) -> None:
    assert install.missing(LOCK, tmp_path) == ["alpha", "Beta.Gamma", "uv"]


TOOL = '[project]\nname = "a-tool"\nversion = "1.0"\n'


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of this checkout's tools; nothing else is one."""
    folder = tmp_path / "packages" / "a_tool"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(TOOL, encoding="utf-8")
    monkeypatch.setattr(install, "TOOLS", (folder,))
    return folder


def record(site_packages: Path, origin: Path, version: str = "1.0") -> Path:
    """What an installer leaves of an editable project (PEP 610)."""
    folder = site_packages / f"a_tool-{version}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "direct_url.json").write_text(f'{{"url": "{origin.as_uri()}"}}', encoding="utf-8")
    return site_packages


@pytest.mark.parametrize(
    ("origin", "version", "shared", "installs"),
    [
        (None, "", False, True),
        (None, "", True, True),
        ("here", "1.0", False, False),
        ("here", "0.9", False, True),
        ("elsewhere", "1.0", False, True),
        ("elsewhere", "1.0", True, False),
    ],
)
def test_a_tool_is_installed_where_it_is_absent_or_leads_elsewhere_but_a_build_moves_nobody_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: Path, origin: str | None, version: str, shared: bool, installs: bool
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(install, "_run", lambda command, *_, **__: ran.append([str(part) for part in command]))
    site_packages = tmp_path / "site"
    if origin:
        record(site_packages, tool if origin == "here" else tmp_path, version)

    install.install_tools(Path("python"), site_packages, shared=shared)

    assert bool(ran) is installs
    if ran:
        assert ran[0][-2:] == ["--editable", str(tool)]
        assert {"--no-deps", "--no-build-isolation"} < set(ran[0])
        assert {"--no-index", "--offline"} & set(ran[0]), "nothing is asked of a network"


def test_a_checkout_without_tools_installs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "TOOLS", ())
    monkeypatch.setattr(install, "_run", lambda *_, **__: pytest.fail("something was installed"))
    install.install_tools(Path("python"), tmp_path, shared=False)


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


#: What the installers wrote on standard error when the index was a closed port of the machine.
PIP = """\
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('<HTTPConnection object>: \
Failed to establish a new connection: [Errno 111] Connection refused')': /simple/uv/
ERROR: Could not find a version that satisfies the requirement uv==0.9.1 (from versions: none)
ERROR: No matching distribution found for uv==0.9.1
"""
UV = """\
Using Python 3.11.7 environment at: .venv
error: Request failed after 3 retries in 8.4s
  cause: Failed to fetch: http://127.0.0.1:9/simple/six/
  cause: tcp connect error
"""
NPM = """\
npm error code ECONNREFUSED
npm error FetchError: request to http://127.0.0.1:9/aws-cdk failed, reason: connect ECONNREFUSED 127.0.0.1:9
npm error     at ClientRequest.<anonymous> (index.js:130:14)
"""


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        (PIP, "Failed to establish a new connection: [Errno 111] Connection refused"),
        (UV, "Failed to fetch: http://127.0.0.1:9/simple/six/"),
        (NPM, "request to http://127.0.0.1:9/aws-cdk failed, reason: connect ECONNREFUSED 127.0.0.1:9"),
        ("ERROR: No matching distribution found for a==1\n", "No matching distribution found for a==1"),
        ("something else\nentirely\n", "something else"),
    ],
)
def test_the_reason_of_an_installer_is_one_line(stderr: str, reason: str) -> None:
    assert install._reason(stderr) == reason


def test_an_environment_that_was_interrupted_while_it_was_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setattr(install.venv, "create", lambda folder, **_: made.append(folder))
    (tmp_path / "pyvenv.cfg").write_text(f"version = {install.platform.python_version()}\n", encoding="utf-8")
    _, site_packages = install.make_environment(tmp_path)
    assert made == [tmp_path]
    (site_packages / "pip-1.dist-info").mkdir(parents=True)
    (site_packages / "pip-1.dist-info" / "RECORD").touch()
    install.make_environment(tmp_path)
    assert made == [tmp_path]


def test_a_python_that_cannot_make_environments_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ensurepip(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"])

    monkeypatch.setattr(install.venv, "create", without_ensurepip)
    with pytest.raises(install.InstallError, match=r"no ensurepip.*apt install python3-venv"):
        install.make_environment(tmp_path)


def test_an_unsupported_python_is_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "SUPPORTED", ((2, 7), (2, 7)))
    assert install.main(["--environment", "never-made"]) == 2
    assert capsys.readouterr().err.startswith("error: Python is 3.")
    assert not (install.ROOT / "never-made").exists()


def test_an_interrupted_cdk_installation_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "_run", lambda _, name, **__: ran.append(name))
    (tmp_path / "package.json").write_text('{"devDependencies": {"aws-cdk": "2.0"}}', encoding="utf-8")
    (tmp_path / "node_modules" / "aws-cdk").mkdir(parents=True)
    (tmp_path / "node_modules" / "aws-cdk" / "package.json").write_text('{"version": "2.0"}', encoding="utf-8")
    install.install_node_tools(tmp_path / "python")
    assert ran == ["npm ci"]
    (tmp_path / "node_modules" / ".package-lock.json").write_text(
        '{"packages": {"node_modules/aws-cdk": {"version": "2.0"}}}', encoding="utf-8"
    )
    install.install_node_tools(tmp_path / "python")
    assert ran == ["npm ci"]


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installers' own caches are in the home folder; a file in its place can be written by nobody, root included."""
    home = tmp_path / "home"
    home.write_text("")
    monkeypatch.setenv("HOME", str(home / "below"))
    for variable in ("UV_CACHE_DIR", "npm_config_cache", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(variable, raising=False)
    given: list[dict[str, str]] = []
    monkeypatch.setattr(install, "_run", lambda *_, environment, **__: given.append(dict(environment)))
    monkeypatch.setattr(install, "_has_installer", lambda *_: True)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    (tmp_path / "package.json").write_text('{"devDependencies": {"aws-cdk": "2.0.0"}}')

    install.install_packages(Path(sys.executable), tmp_path)
    install.install_node_tools(Path(sys.executable))

    caches = [Path(environment[name]) for environment, name in zip(given, ("UV_CACHE_DIR", "npm_config_cache"), strict=True)]
    assert all(cache.is_relative_to(tmp_path / ".cache") for cache in caches)

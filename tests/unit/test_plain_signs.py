"""No terminal and no name ends a program: signs that an encoding lacks are written in plain ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough  # a program is started for each terminal

ROOT = Path(__file__).resolve().parents[2]
#: What a terminal may be: the environment, and the encoding in which it would show what it gets.
TERMINALS = [
    ({"PYTHONIOENCODING": "ascii"}, "ascii"),
    ({"PYTHONIOENCODING": "latin-1"}, "latin-1"),
    ({"PYTHONIOENCODING": "cp1252"}, "cp1252"),
    ({"PYTHONIOENCODING": "cp850:strict"}, "cp850"),
    ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "ascii"),
    ({"PYTHONIOENCODING": "utf-8"}, "utf-8"),
]


def printed(program: str, terminal: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIOENCODING", "PYTHONUTF8"))
    }
    environment = {**inherited, **terminal, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True, timeout=60, check=False)


def shown(text: str, terminal: dict[str, str], encoding: str) -> str:
    finished = printed(f"from plain_signs import print_anywhere; print_anywhere(); print({text!a})", terminal)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.decode(encoding).rstrip("\n")


@pytest.mark.parametrize(("terminal", "encoding"), TERMINALS)
def test_every_terminal_takes_every_sign(terminal, encoding):
    assert shown("✓ ✗ → ━│┏ … Größe 鮑 \ud800", terminal, encoding)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  ✓ 0.8 s", "  + 0.8 s"),
        ("✗ failed – see log…", "x failed - see log..."),
        ("2 → 8 instances, ≤ 3 ±1", "2 -> 8 instances, <= 3 +-1"),
        ("┏━━┳━━┓", "+--+--+"),
        ("│ a ║ b ┃", "| a | b |"),
        ("▁▃█ ⠋", "### *"),
        ("don’t “stop”", 'don\'t "stop"'),
        ("größe 鮑", r"gr\xf6\xdfe \u9b91"),
    ],
)
def test_signs_become_plain_ones_that_say_the_same(text, plain):
    assert shown(text, {"PYTHONIOENCODING": "ascii"}, "ascii") == plain


def test_what_a_terminal_can_show_stays_as_it_is():
    assert shown("✓ größe → 鮑", {"PYTHONIOENCODING": "utf-8"}, "utf-8") == "✓ größe → 鮑"
    assert shown("größe ✓", {"PYTHONIOENCODING": "latin-1"}, "latin-1") == "größe +"


def test_a_table_keeps_its_columns():
    program = (
        "from plain_signs import print_anywhere; print_anywhere()\nfrom rich.console import Console\nfrom rich.table import Table\n"
        "table = Table(title='t')\ntable.add_column('größe')\ntable.add_row('✓')\nConsole().print(table)"
    )
    finished = printed(program, {"PYTHONIOENCODING": "ascii", "COLUMNS": "40"})
    assert finished.returncode == 0, finished.stderr


#: One program of each kind that prints, with something to say that has signs in it.
SCRIPTS = [
    ["build_scripts.upload_data", "--check-only", "größe-✗.csv"],
    ["build_scripts.install", "--environment", "größe-✗", "--unknown-✗"],
    ["deploy_scripts.render", "--assembly", "größe-✗"],
    ["deploy_scripts.capacity_plan", "--template", "größe-✗.json"],
    ["capacity", "--slo-p99-ms", "1", "--template", "größe-✗.json"],
    ["local_account", "--region", "größe-✗"],
    ["demo.local", "--region", "größe-✗"],
    ["demo", "--data", "größe-✗.csv"],
    ["demo.day", "--template", "größe-✗.json"],
    ["benchmarks", "--größe-✗"],
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script[0])
def test_a_name_that_the_terminal_cannot_show_is_still_one_line(script, tmp_path):
    module, *arguments = script
    program = "import runpy, sys; sys.argv[0] = sys.argv.pop(1); runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    arguments += ["--out", str(tmp_path)] if module == "demo" else []
    finished = printed(program, {"PYTHONIOENCODING": "ascii:strict", "AWS_DEFAULT_REGION": "us-east-1"}, module, *arguments)
    assert b"UnicodeEncodeError" not in finished.stderr
    assert b"Traceback" not in finished.stderr
    assert finished.returncode in (1, 2)

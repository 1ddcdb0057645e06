"""Every decision is in the index, under the heading that it has, with a date and a status."""

import re
from pathlib import Path

DECISIONS = Path(__file__).resolve().parents[2] / "docs" / "decisions"
ROW = re.compile(r"\| (\d+) \| \[(.+)\]\((\d{4}-[a-z0-9-]+\.md)\) \| (\d{4}-\d{2}-\d{2}) \| (in force|replaced by \[\d+\]\((.+)\)) \|")


def test_every_decision_is_in_the_index_by_its_own_heading():
    files = sorted(DECISIONS.glob("[0-9]*.md"))
    headings = {file.name: file.read_text(encoding="utf-8").splitlines()[0] for file in files}
    lines = (DECISIONS / "README.md").read_text(encoding="utf-8").splitlines()
    listed = [ROW.fullmatch(line) for line in lines if line.startswith("| ")][1:]  # without the table's head
    assert all(listed)
    rows = [row for row in listed if row]
    assert {row[3]: f"# {row[1]}. {row[2]}" for row in rows} == headings
    assert [int(row[1]) for row in rows] == [int(file.name[:4]) for file in files]


def test_what_took_a_decision_s_place_is_there():
    replacing = re.findall(r"replaced by \[\d+\]\((.+?)\)", (DECISIONS / "README.md").read_text(encoding="utf-8"))
    assert [name for name in replacing if not (DECISIONS / name).is_file()] == []

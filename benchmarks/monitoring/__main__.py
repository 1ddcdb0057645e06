"""`python -m benchmarks.monitoring [NAME ...]`: measures the monitor, one question after the other, each in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys

#: Modules of this package with a command of their own.
QUESTIONS = ("speed",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to measure (default: all): {', '.join(QUESTIONS)}")
    names = parser.parse_args().names or QUESTIONS
    unknown = [name for name in names if name not in QUESTIONS]
    if unknown:
        parser.error(f"there is no question {unknown[0]!r}; allowed: {', '.join(QUESTIONS)}")
    finished = [subprocess.run([sys.executable, "-m", f"benchmarks.monitoring.{name}"], check=False).returncode for name in names]
    return int(any(finished))


if __name__ == "__main__":
    raise SystemExit(main())

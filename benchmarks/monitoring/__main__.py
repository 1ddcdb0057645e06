"""`python -m benchmarks.monitoring`: measures what the monitor costs, and keeps the result in benchmarks/results/."""

from benchmarks.monitoring import speed

if __name__ == "__main__":
    raise SystemExit(speed.main())

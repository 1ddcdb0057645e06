"""Numbers of the capacity tools: `python -m benchmarks.capacity` (see README.md here)."""

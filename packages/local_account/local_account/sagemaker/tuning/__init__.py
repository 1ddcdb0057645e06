"""Hyperparameter tuning that really runs.

Pure: `ranges.py` (what may be tried, on which scale), `strategies.py` (what to try next), `early_stopping.py` and
`hyperband.py` (when a trial is hopeless). Acting: `job.py`.
"""

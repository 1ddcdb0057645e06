"""Batch transform: scores every record of a prefix with a registered model.

`job.py` runs the job, `worker.py` is its process, `records.py` cuts and joins records (pure), `json_path.py` selects (pure).
"""

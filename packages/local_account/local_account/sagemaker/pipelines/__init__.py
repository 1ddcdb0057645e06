"""SageMaker Pipelines: runs the definition JSON that was upserted, and nothing else.

Pure: `paths.py`, `expressions.py`, `conditions.py`, `parameters.py`, `schema.py`, `definition.py`, `progress.py`, `caching.py`.
Acting: `execution.py` (one run), `steps.py` (one step), `service.py` (the API).
"""

"""Processing, training, transform and tuning jobs: real processes under the contract of SageMaker's containers.

`record.py` says what a job is and keeps them, `container.py` lays out one instance's disk and environment, `s3_data.py` moves data,
`running.py` runs the script; `processing.py` and `training.py` put these together.
"""

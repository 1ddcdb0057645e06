"""SageMaker in the local account: pipelines, jobs, tuning, batch transform and the model registry, all of them real.

Start reading at `api.py` (how a request is answered) and `operations.py` (what there is), then `pipelines/` (the interpreter), `jobs/`
(what runs a script), `tuning/`, `transform/`, `registry/` and `warm/` (why jobs start fast). `api/lists/sagemaker.yaml` says what is acted
on. Endpoints are in `local_account/endpoints/`.
"""

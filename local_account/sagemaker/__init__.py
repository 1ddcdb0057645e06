"""SageMaker in the local account: pipelines, jobs, tuning, batch transform and the model registry."""

"""The pipeline that watches a model in production."""

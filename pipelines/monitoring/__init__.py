"""The pipeline that watches what serves: pipeline.py is its definition, code.py what its job runs, steps/ the scripts."""

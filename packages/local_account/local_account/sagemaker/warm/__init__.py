"""Warm containers: Python that has the container's packages imported already, so that a job starts in milliseconds.

`server.py` is the process that forks; `containers.py` is the account's side of it.
"""

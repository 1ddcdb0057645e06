"""Real-time endpoints: a real HTTP server for every instance, behind a router.

Start reading at `operations.py` (the API, with `models.py` and `configurations.py`) or at `runtime.py` (an invocation). The modules of
this package that run inside an instance (`model_server`, `router_key`, `serving_contract`) import nothing
else of the account.
"""

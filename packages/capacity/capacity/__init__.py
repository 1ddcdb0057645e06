"""Capacity of an endpoint: what Application Auto Scaling does, simulated before it is paid for.

`model.py` says what a scaling configuration is, `engine.py` decides as the service would, `template.py` and
`api.py` read configurations from a CloudFormation template or from the service. `simulate.py` replays traffic
against the engine, `recommend.py` searches for a cheaper configuration, `page.py` draws it all.
`measure.py` loads an endpoint that is there (`load.py` is its engine) and writes what `service.py` reads.
Start at `__main__.py` (`python -m capacity --help`).
"""

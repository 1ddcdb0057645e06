"""Would a deployment succeed? `make preflight` asks the account before the first `cdk deploy`, and changes nothing in it.

Journey: `__main__.py` (order of the checks) -> one file for each check -> `account.py` (what may be read) -> `table.py` (what is printed).
"""

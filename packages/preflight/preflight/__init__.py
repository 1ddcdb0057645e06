"""Would a deployment of a CDK app succeed? Asks the accounts that its cloud assembly names before it is tried, and changes nothing in them.

Journey: `command.py` (what is typed and printed) -> `places.py` (which accounts and regions) -> `examination.py` (order of the checks) ->
one file for each check -> `account.py` (what may be read) -> `table.py` (what is printed). What only an app's own project knows is an
`App` (`application.py`).
"""

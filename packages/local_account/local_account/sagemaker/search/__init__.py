"""Search: which of the account's resources fulfil an expression.

`service.py` has the operation, `properties.py` finds a property of a record by its name, `expression.py` decides. The last two are pure.
"""

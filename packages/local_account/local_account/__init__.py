"""An emulated AWS account in one process, for laptops and tests.

Start reading at `__main__.py` (the command), then `account.py` (what is switched on) and `gateway.py`
(how a request finds its service). Nothing starts on import.
"""

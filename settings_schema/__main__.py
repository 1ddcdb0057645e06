"""`python -m settings_schema` prints the JSON schema of a model's file and of the project's values: every field and what it allows.

With a name, such as `python -m settings_schema Endpoint`, of that class alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import settings_schema
from settings_schema.value import Value


def main(arguments: Sequence[str]) -> int:
    known = {
        name: value
        for name in settings_schema.__all__
        if isinstance(value := getattr(settings_schema, name), type) and issubclass(value, Value)
    }
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        raise SystemExit(0)
    chosen = list(arguments) or ["Project", "Environment", "Model"]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        print(f"error: {unknown[0]!r} is no class of settings_schema/; allowed: {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    print(json.dumps({name: known[name].model_json_schema() for name in chosen}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

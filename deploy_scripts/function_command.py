"""The command by which a person invokes a function of the project, as scripts print it: the same for both versions of the AWS CLI.

Version 2 takes a `--payload` for base64 unless an option says otherwise, which version 1 refuses; both send what `fileb://` names as it is.
Source: "Breaking changes" of the AWS CLI version 2 migration guide, binary parameters. Used by whatever offers it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any


def invocation(function: str, event: Mapping[str, Any] | None = None, *, region: str | None = None) -> str:
    """`function`: its name. It answers on the terminal."""
    place = f" --region {region}" if region else ""
    if not event:
        return f"aws lambda invoke --function-name {function}{place} /dev/stdout"
    given = f"echo {shlex.quote(json.dumps(event))} | "
    return f"{given}aws lambda invoke --function-name {function}{place} --payload fileb:///dev/stdin /dev/stdout"

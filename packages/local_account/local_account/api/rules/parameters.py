"""Systems Manager: filters of DescribeParameters that are acted on. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.rules.rule import rule
from local_account.context import Context
from local_account.errors import NotEmulatedError

#: Key -> the options that the emulator below compares by.
_OPTIONS = {"Name": ("Equals", "BeginsWith"), "Type": ("Equals",)}


@rule("ssm", "DescribeParameters")
def _filters(context: Context, request: Mapping[str, Any]) -> None:
    for each in request.get("ParameterFilters") or []:
        key, option = each.get("Key", ""), each.get("Option", "Equals")
        if option not in _OPTIONS.get(key, ()):
            raise NotEmulatedError("ssm", f"DescribeParameters with ParameterFilters {key} {option}")

"""How much memory an instance has, from the name of its type."""

from __future__ import annotations

_GIB = 2**30
#: Of an `xlarge`, by the first letter of the family: for computing, for memory, and all others. Source: "Instance types" of Amazon EC2.
_GIB_OF_XLARGE = {"c": 8, "r": 32}
_GENERAL = 16
_SHARES = {"medium": 0.25, "large": 0.5, "xlarge": 1.0}


def memory_bytes(instance_type: str) -> int:
    """`instance_type` as in `ml.m5.large`. What a family has beside its size (a GPU's memory) is not known here."""
    _, family, size = instance_type.split(".")
    share = _SHARES.get(size) or float(size.removesuffix("xlarge"))
    return int(_GIB_OF_XLARGE.get(family[0], _GENERAL) * share * _GIB)

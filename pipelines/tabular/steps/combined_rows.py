"""Prepared rows put together, or taken as they are, a batch at a time. Each is `Batches` like what it is made of (dataset.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from dataset import Batches, Part


@dataclass(frozen=True)
class Together:
    """The rows of one part and then those of the other."""

    first: Batches
    second: Batches

    @property
    def rows(self) -> int:
        return self.first.rows + self.second.rows

    @property
    def columns(self) -> int:
        return self.first.columns

    def __iter__(self) -> Iterator[Part]:
        yield from self.first
        yield from self.second


@dataclass(frozen=True)
class Unweighted:
    """Rows that count alike: weights make training fairer, and models are judged on rows as they are."""

    given: Batches

    @property
    def rows(self) -> int:
        return self.given.rows

    @property
    def columns(self) -> int:
        return self.given.columns

    def __iter__(self) -> Iterator[Part]:
        for part in self.given:
            yield Part(part.features, part.target, np.ones(part.rows))

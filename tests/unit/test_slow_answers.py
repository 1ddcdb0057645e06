"""Claims about the rule that calls a version too slow: it errs as seldom as it says, and needs few answers."""

from __future__ import annotations

import random

import pytest

from deploy_scripts.slow_answers import ALLOWED, PASSED_WRONGLY, REFUSED_WRONGLY, TOO_MANY, Speed, likelier, weigh

VERSIONS = 2000


def verdicts(slow_share: float) -> list[tuple[Speed, int]]:
    """Of as many versions that answer slowly by chance: the verdict, and after how many answers."""
    chance = random.Random(1)

    def one() -> tuple[Speed, int]:
        slow = asked = 0
        while (speed := weigh(slow, asked)) is Speed.UNCLEAR:
            slow, asked = slow + (chance.random() < slow_share), asked + 1
        return speed, asked

    return [one() for _ in range(VERSIONS)]


def share(speed: Speed, found: list[tuple[Speed, int]]) -> float:
    return sum(said is speed for said, _ in found) / len(found)


@pytest.mark.thorough
def test_who_keeps_to_the_limit_is_seldom_refused_and_who_does_not_seldom_passes() -> None:
    """Three standard errors beside what is promised."""
    assert share(Speed.SLOW, verdicts(ALLOWED)) <= REFUSED_WRONGLY + 3 * (REFUSED_WRONGLY / VERSIONS) ** 0.5
    assert share(Speed.FAST, verdicts(TOO_MANY)) <= PASSED_WRONGLY + 3 * (PASSED_WRONGLY / VERSIONS) ** 0.5


@pytest.mark.thorough
@pytest.mark.parametrize("slow_share", [0.0, ALLOWED, 0.025, TOO_MANY, 0.5])
def test_few_answers_are_enough_whatever_the_share(slow_share: float) -> None:
    answers = [asked for _, asked in verdicts(slow_share)]
    assert sum(answers) / VERSIONS < 300


def test_three_slow_answers_in_a_row_are_clear_and_two_are_not() -> None:
    assert (weigh(2, 2), weigh(3, 3)) == (Speed.UNCLEAR, Speed.SLOW)


def test_without_a_verdict_the_likelier_counts() -> None:
    assert (likelier(1, 100), likelier(4, 100), likelier(0, 1)) == (Speed.FAST, Speed.SLOW, Speed.FAST)

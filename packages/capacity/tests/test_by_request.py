"""What is paid for as it is used: figures by hand from the units of the price list."""

from __future__ import annotations

import pytest

from capacity.by_request import ServerlessPrice, Use, break_even_requests, queue_day, serverless_day
from capacity.model import CapacityError

PRICE = ServerlessPrice(usd_per_gb_second=0.00002, provisioned_usd_per_gb_second=0.00001)


def test_a_serverless_day_costs_the_memory_for_the_time_of_its_answers():
    """10,000 answers of 0.1 s are 1,000 s; of 2 GB at 0.00002 USD."""
    assert serverless_day(Use(requests=10_000, seconds_each=0.1), 2048, PRICE) == pytest.approx(0.04)


def test_what_is_kept_ready_costs_all_day():
    assert serverless_day(Use(requests=0, seconds_each=0.1), 1024, PRICE, provisioned=2) == pytest.approx(2 * 86_400 * 0.00001)


def test_an_instance_is_cheaper_from_some_number_of_requests_on():
    """An instance of 0.1 USD costs 2.4 a day, an answer of 0.5 s and 1 GB 0.00001."""
    assert break_even_requests(0.5, 1024, PRICE, usd_per_hour=0.1) == 240_000


def test_a_queue_costs_its_answers_and_the_time_until_its_instance_goes():
    """1,800 s of answers and two bursts that keep the instance for 900 s: an hour."""
    assert queue_day(Use(requests=900, seconds_each=2), 0.5, stays_seconds=900, bursts=2) == pytest.approx(0.5)
    assert queue_day(Use(requests=10**6, seconds_each=2), 0.5, stays_seconds=900) == pytest.approx(12.0), "no more than the day"


def test_a_request_takes_time():
    with pytest.raises(CapacityError, match="more than 0"):
        Use(requests=1, seconds_each=0)

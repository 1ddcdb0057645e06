"""What a day costs with either serving image: the faster one needs fewer instances, and both are at the prices that are set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from build_scripts.command_line import ProblemError
from deploy_scripts import image_price
from settings_schema import Endpoint, Prices, ServingImage

PRICES = Prices(region="eu-west-1", as_of="2026-01", source="a list", usd_per_hour={"ml.m5.large": 0.1})


def load_test(folder: Path, image: str, milliseconds: float) -> str:
    """A load test in which every request took as long, on one worker."""
    file = folder / f"{image}.json"
    file.write_text(json.dumps({"service_time_quantiles_ms": [milliseconds] * 20, "workers": 1}))
    return f"{image}={file}"


def test_both_images_are_priced_for_the_same_traffic(tmp_path: Path) -> None:
    """3,000 requests a second: at 500 an instance more than six, at 5,000 one."""
    (tmp_path / "day.csv").write_text("time,requests_per_second\n" + "".join(f"{hour * 3600},3000\n" for hour in range(24)))
    loads = image_price.loads_of([load_test(tmp_path, "managed", 2.0), load_test(tmp_path, "lean", 0.2)])
    _, managed, lean, saved = image_price.lines(Endpoint(), PRICES, loads, ["--traffic", str(tmp_path / "day.csv")])
    count = int(managed.split("always ")[1].split(",")[0])
    assert count > 6 and managed.startswith(" managed: 500 requests/s an instance") and f"{count * 2.4:.2f} USD a day" in managed
    assert lean.startswith("    lean: 5,000 requests/s an instance; always 1, 2.40 USD a day")
    assert saved == f"lean instead of managed: {(count - 1) * 2.4:.2f} USD a day less, where nothing scales"


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    one = load_test(tmp_path, "lean", 1.0)
    with pytest.raises(ProblemError, match=r"--images is 'lean=.*'; allowed: managed=FILE lean=FILE, each written by `load_test"):
        image_price.loads_of([one])
    both = image_price.loads_of([one, "managed=nowhere.json"])
    with pytest.raises(ProblemError, match=r"service time file nowhere\.json cannot be read"):
        list(image_price.lines(Endpoint(), PRICES, both, []))
    with pytest.raises(ProblemError, match=r"PRICES.usd_per_hour of settings.py has no ml.c5.large"):
        list(image_price.lines(Endpoint(instance_type="ml.c5.large"), PRICES, both, []))
    assert set(both) == set(ServingImage)

"""Where a shadow can be set, and SageMaker's reason where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings_schema import Batch, Endpoint, SettingsError, Shadow
from settings_schema.reading import read
from settings_schema.serving import OnEndpoint
from tests.example_models import ABALONE, ARRESTS, PRODUCTION, STAGING
from tests.unit.test_reading import MODEL, SETTINGS


class Queued(OnEndpoint):
    """Another kind of endpoint than a real-time one."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Queued(shadow=Shadow()), "Queued.shadow is Shadow(minutes=60, percent=100); allowed: only in an Endpoint(...): SageMaker"),
        (lambda: Batch(shadow=Shadow()), "Batch has no field 'shadow'"),
        (lambda: Shadow(minutes=361), "Shadow.minutes is 361; allowed: 1 to 360"),
        (lambda: Shadow(percent=0), "Shadow.percent is 0; allowed: 1 to 100"),
        (
            lambda: Endpoint(shadow=Shadow(), instance_type="ml.inf1.xlarge"),
            "Endpoint.instance_type is 'ml.inf1.xlarge'; allowed: no ml.inf1",
        ),
        (lambda: Endpoint(shadow=60), "Endpoint.shadow is 60; allowed: None, or Shadow(...)"),
    ],
)
def test_a_slip_says_what_is_allowed(make, message):
    with pytest.raises(SettingsError) as refused:
        make()
    assert str(refused.value).startswith(message)


def test_a_shadow_in_staging_has_nobody_s_requests(tmp_path: Path) -> None:
    serving = '{"try": Endpoint(shadow=Shadow()), "live": Endpoint()}'
    model = MODEL.replace('{"try": Batch(), "live": Batch()}', serving).replace(
        "import Algorithm, Batch", "import Algorithm, Endpoint, Shadow"
    )
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fish.py").write_text(model)
    with pytest.raises(SettingsError, match=r"models/fish.py: serving\['try'\]\.shadow is Shadow\(.*\); allowed: in 'live' only"):
        read(tmp_path)
    (tmp_path / "models" / "fish.py").write_text(
        model.replace("Endpoint(shadow=Shadow()), ", "Endpoint(), ").replace("Endpoint()}", "Endpoint(shadow=Shadow())}")
        + "\n# of another size: Python takes a file of the same size and second for the one that it has compiled\n"
    )
    assert read(tmp_path).models["fish"].shadow("live") == Shadow()


def test_a_model_says_where_it_has_one() -> None:
    assert ABALONE.shadow(PRODUCTION.name) is None and ARRESTS.shadow(PRODUCTION.name) is None
    live = ABALONE.serving[PRODUCTION.name]
    assert isinstance(live, Endpoint)
    shadowed = ABALONE.but(serving={**ABALONE.serving, PRODUCTION.name: live.but(shadow=Shadow(minutes=5))})
    assert (shadowed.shadow(PRODUCTION.name), shadowed.shadow(STAGING.name)) == (Shadow(minutes=5), None)

"""What the demo asks production, for tables of any kind: the good requests are answered, the bad ones refused, and it goes on."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from build_scripts.golden import Golden
from build_scripts.version_contract import Contract
from demo import scaling
from demo.facts import ModelFacts
from demo.narrator import Narrator
from demo.subject import subject
from settings_schema import Problem
from tests.example_models import ABALONE, SETTINGS

TABLES = {
    "an empty number in the first row": (("length", "weight"), ("sex",), [["", "2.5", "F"], ["1", "2", ""], ["3", "4", "M"]]),
    "commas, quotes and line breaks": (("size, mm",), ('place "now"',), [["1", 'Bogotá, "D.C."'], ["2", "two\nlines"], ["3", ""]]),
    "only categories": ((), ("colour", "shape"), [["", "flat, thin"], ["red", "round"], ["green", ""]]),
    "one column": (("size",), (), [[""], ["1"], ["2"]]),
}


class RefusedError(ClientError):
    def __init__(self, status: int) -> None:
        super().__init__({"Error": {"Code": "ModelError", "Message": "no"}}, "InvokeEndpoint")
        self.response |= {"OriginalStatusCode": status, "OriginalMessage": "no"}


class Runtime:
    """A model server that takes what the contract says, and answers each row with what it understood."""

    exceptions = SimpleNamespace(ModelError=RefusedError, ClientError=ClientError)

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.understood: list[list[Any]] = []

    def invoke_endpoint(self, *, ContentType: str, Body: bytes, **_: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        if ContentType == "text/csv":
            rows: list[list[Any]] = list(csv.reader(io.StringIO(Body.decode(), newline=""), strict=True))
        elif ContentType == "application/json":
            rows = [[instance[name] for name in self._contract.features] for instance in json.loads(Body)["instances"]]
        else:
            raise RefusedError(415)
        for row in rows:
            if len(row) != len(self._contract.features):
                raise RefusedError(400)
            try:
                [float(cell) for cell in row[: len(self._contract.numeric)] if cell not in ("", None)]
            except ValueError:
                raise RefusedError(400) from None
        self.understood += rows
        return {"Body": io.BytesIO(b'{"predictions": []}')}


@pytest.mark.parametrize("kind", TABLES)
def test_the_demo_asks_for_any_table_what_a_client_would(kind: str, tmp_path: Any) -> None:
    numeric, categorical, rows = TABLES[kind]
    contract = Contract(model="any", problem=Problem.REGRESSION, target="y", numeric=numeric, categorical=categorical, metric="rmse")
    runtime = Runtime(contract)
    terminal: Any = SimpleNamespace(client=lambda _: runtime, account_logs=tmp_path)
    narrator = Narrator()
    golden = Golden(rows=rows, truth=["" for _ in rows], expected=["" for _ in rows])
    facts = ModelFacts(subject(SETTINGS, ABALONE), contract=contract, golden=golden)
    scaling.ask(terminal, narrator, facts)
    narrator.close()
    assert {exchange.status for exchange in facts.exchanges} == {200, 400, 415}
    assert facts.exchanges[-1].status == 200
    assert runtime.understood[:4] == [rows[0], *rows]
    as_json = [None if cell == "" else float(cell) if index < len(numeric) else cell for index, cell in enumerate(rows[0])]
    assert as_json in runtime.understood


@pytest.mark.parametrize(("at", "opens"), [((2, 0), (6, 55)), ((6, 49), (6, 55)), ((6, 54), None), ((7, 33), None)])
def test_the_morning_begins_shortly_before_seven_or_now_but_never_in_the_past(at: tuple[int, int], opens: tuple[int, int] | None) -> None:
    """The account's clock runs on while it is asked to jump, and refuses to go back."""
    opening = scaling.before_opening(datetime(2026, 11, 30, *at, tzinfo=UTC), "UTC")
    assert opening == (opens and datetime(2026, 11, 30, *opens, tzinfo=UTC))

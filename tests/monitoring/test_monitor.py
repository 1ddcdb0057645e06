"""One window after the other is judged, each version by its own baseline, and what was found is written."""

import io
import json
import shutil
import tracemalloc
from datetime import UTC, datetime, timedelta

import captured
import numpy as np
import outcome
import pytest
import sketch
from dataset import Rows
from evidence import FolderSource, Versions
from failure import BadInput
from pyarrow import parquet

from tests.monitoring.production import CAPTURE, HOUSES, NOW, PREFIX, Production, asked, evidence_of, line, trained


@pytest.fixture
def production(tmp_path):
    made = Production(tmp_path)
    made.version("12")
    return made


def of_version(findings, number="12"):
    return next(version for version in findings["versions"] if version["version"] == number)


def broken(findings):
    return {(breach["kind"], breach["feature"], breach["version"]) for breach in findings["breaches"]}


def test_a_window_like_training_is_ok(production):
    production.traffic(500)
    (findings,) = production.watch()
    assert (findings["status"], findings["requests"], findings["rows"], findings["breaches"]) == ("ok", 500, 500, [])
    assert findings["window"] == {"from": "2026-11-27T14Z", "to": "2026-11-27T15Z"}
    assert findings == production.written("findings.json")


def test_a_column_that_is_no_longer_filled_is_found_with_its_share(production):
    bodies = [f",3,{town}" for town in ("Lima", "Quito") for _ in range(200)]
    production.captured(line(body, "2.0\n", id=str(place)) for place, body in enumerate(bodies))
    (findings,) = production.watch()
    assert findings["status"] == "breached"
    check = next(check for check in of_version(findings)["contract"] if check["breached"])
    assert (check["feature"], check["kind"], check["share"]) == ("area", "missing", 1.0)
    assert check["baseline"] == pytest.approx(0.05, abs=0.02)
    violations = production.written("constraint_violations.json")["violations"]
    assert ("area", "completeness_check") in [(found["feature_name"], found["constraint_check_type"]) for found in violations]
    area = next(feature for feature in production.written("statistics.json")["features"] if feature["name"] == "area")
    assert area["numerical_statistics"] == {"common": {"num_present": 0, "num_missing": 400}}


@pytest.mark.parametrize(
    ("kind", "check", "named"),
    [
        ("contract", "unseen category", "categorical_values_check"),
        ("drift", None, "baseline_drift_check"),
        ("joint", None, "baseline_drift_check"),
        ("estimate", None, "baseline_drift_check"),
        ("bias", "disparate_impact", "bias_drift_check"),
        ("attributions", None, "feature_attribution_drift_check"),
    ],
)
def test_each_kind_of_violation_has_the_name_that_model_monitor_and_clarify_gave_it(kind, check, named):
    breach = {"kind": kind, "feature": "town", "version": "12", "detail": "moved", **({"check": check} if check else {})}
    assert outcome.violations([breach]) == {
        "violations": [{"feature_name": "town", "constraint_check_type": named, "description": "version 12: moved"}]
    }


def test_values_and_categories_that_training_has_not_seen_are_found(production):
    bodies = ["250,3,Lima"] * 150 + ["100,3,La Paz"] * 150
    production.captured(line(body, "2.0\n", id=str(place)) for place, body in enumerate(bodies))
    (findings,) = production.watch()
    assert broken(findings) >= {("contract", "area", "12"), ("contract", "town", "12")}
    assert {found["constraint_check_type"] for found in production.written("constraint_violations.json")["violations"]} >= {
        "baseline_drift_check",
        "categorical_values_check",
    }


def test_each_version_is_judged_by_its_own_baseline_in_the_hour_of_a_deployment(production):
    large = trained()
    production.version(
        "13", evidence_of(Rows({**large.numeric, "area": large.numeric["area"] * 10}, large.categorical, large.target, large.count))
    )
    bodies = ["1500,3,Lima"] * 200
    lines = [line(body, "2.0\n", version=version, id=f"{version} {place}") for version in ("12", "13") for place, body in enumerate(bodies)]
    production.captured(lines)
    (findings,) = production.watch()
    out_of_range = {
        version["version"]: next(c for c in version["contract"] if c["kind"] == "out of range") for version in findings["versions"]
    }
    assert out_of_range["12"]["breached"] and not out_of_range["13"]["breached"]
    assert [version["rows"] for version in findings["versions"]] == [200, 200]


def _of_other_layout():
    """A document's name, and where in it something else stands than is read."""
    number, town = ("features", 0, "numerical_statistics"), ("features", 2, "string_statistics")
    yield from (("statistics", path) for path in (("dataset",), ("dataset", "item_count"), number, town))
    yield from (("statistics", (*number, name)) for name in ("common", "min", "max", "distribution"))
    yield from (("statistics", (*number, "distribution", "kll", "buckets", *more)) for more in ((), (0,), (0, "count")))
    yield from (("statistics", (*town, "distribution", "categorical", "buckets", *more)) for more in ((), (0,), (0, "count")))
    yield from (("contract", ("dataset", name)) for name in ("problem", "numeric"))


@pytest.mark.parametrize(("name", "path"), list(_of_other_layout()))
@pytest.mark.parametrize("instead", [None, "x", {}])
def test_a_baseline_of_another_layout_is_named_and_the_other_version_judged(production, name, path, instead):
    documents = {"statistics": evidence_of(trained()), "contract": json.loads(json.dumps(HOUSES))}
    within = documents[name]
    for step in path[:-1]:
        within = within[step]
    within[path[-1]] = instead
    production.version("13", **documents)
    found = Versions(FolderSource(production.folder / "evidence"))
    assert found.find("12") is not None
    if found.find("13") is not None:  # then nothing that reads it minds
        production.traffic(200, version="13")
        assert of_version(production.watch()[0], "13")["rows"] == 200
    else:
        assert found.missing["13"].endswith(": train it again")


@pytest.mark.parametrize("name", ["estimator", "explainability"])
def test_a_document_that_a_version_can_do_without_costs_only_what_it_would_have_said(production, name):
    production.version("12", **{name: {"of": "another time"}})
    production.traffic(200)
    (findings,) = production.watch()
    assert (findings["status"], of_version(findings)["estimate"]) == ("ok", None)
    assert f"version 12 has an {name}.json of another layout" in findings["reasons"][0]


def test_an_empty_window_says_no_traffic(production):
    (findings,) = production.watch()
    assert (findings["status"], findings["rows"], findings["versions"]) == ("no traffic", 0, [])
    assert production.written("statistics.json")["features"] == []


def test_a_window_of_which_nothing_can_be_read_is_not_said_to_be_without_traffic(production):
    production.put(f"{CAPTURE}AllTraffic/2026/11/27/14/a.jsonl", b"\x1f\x8b cut")
    production.put(f"{CAPTURE}AllTraffic/2026/11/27/13/a.jsonl.gz", b"\x1f\x8b")
    production.traffic(200, hour="2026/11/27/12")
    assert [findings["status"] for findings in production.watch()] == ["ok", "not judged", "not judged"]
    assert "a.jsonl.gz" in production.written("findings.json", "2026-11-27T13Z--2026-11-27T14Z")["reasons"][0]


def test_windows_without_traffic_between_others_are_judged_too(production):
    production.traffic(200, hour="2026/11/27/11")
    production.traffic(200, hour="2026/11/27/14")
    assert [findings["status"] for findings in production.watch()] == ["ok", "no traffic", "no traffic", "ok"]


def test_missed_windows_are_caught_up_for_a_week(production):
    for day in (19, 22, 27):
        production.traffic(150, hour=f"2026/11/{day}/12")
    judged = production.watch()
    assert [findings["window"]["from"] for findings in judged if findings["rows"]] == ["2026-11-22T12Z", "2026-11-27T12Z"]
    assert production.watch() == []


def test_a_file_that_comes_late_is_judged_with_its_window(production):
    production.traffic(200)
    production.traffic(200, hour="2026/11/27/15", name="later")
    production.watch()
    production.traffic(50, name="59-59-000-late", seed=5)
    (findings,) = production.watch(NOW + timedelta(minutes=10))
    assert (findings["window"]["from"], findings["rows"]) == ("2026-11-27T14Z", 250)
    assert [entry["rows"] for entry in production.history] == [250]


def test_a_window_is_judged_a_quarter_of_an_hour_after_its_end(production):
    production.traffic(200)
    assert [findings["window"]["to"] for findings in production.watch(datetime(2026, 11, 27, 15, 14, tzinfo=UTC))] == ["2026-11-27T14Z"]
    assert [findings["window"]["to"] for findings in production.watch(datetime(2026, 11, 27, 15, 15, tzinfo=UTC))] == ["2026-11-27T15Z"]


def test_the_same_window_twice_gives_the_same_bytes(production):
    production.traffic(300)
    production.captured(["{cut", line("1,2,Lima", "2.0\n", version="99")], name="40-00")
    hour = (datetime(2026, 11, 27, 14, tzinfo=UTC), datetime(2026, 11, 27, 15, tzinfo=UTC))
    production.watch()
    before = {path.relative_to(production.folder): path.read_bytes() for path in (production.folder / PREFIX).rglob("*") if path.is_file()}
    production.watch(between=hour)
    after = {path.relative_to(production.folder): path.read_bytes() for path in (production.folder / PREFIX).rglob("*") if path.is_file()}
    assert len(before) >= 6
    assert before == after


def test_few_rows_are_judged_with_those_of_the_windows_before(production):
    for hour in ("11", "12", "13", "14"):
        production.traffic(40, hour=f"2026/11/27/{hour}", seed=int(hour))
    judged = production.watch()
    assert [findings["status"] for findings in judged] == ["too few rows", "too few rows", "ok", "ok"]
    assert judged[-1]["pooled_with"] == ["2026-11-27T13Z--2026-11-27T14Z", "2026-11-27T12Z--2026-11-27T13Z"]
    assert (judged[-1]["rows"], of_version(judged[-1])["rows"]) == (40, 120)
    assert judged[0]["reasons"] == [
        "version 12 has 40 rows, also with the windows before: fewer than min_rows (100), so nothing was judged"
    ]


def test_a_late_file_of_a_window_before_is_judged_where_its_rows_were_added(production):
    for hour in ("13", "14"):
        production.traffic(60, hour=f"2026/11/27/{hour}", seed=int(hour))
    production.watch()
    production.traffic(10, hour="2026/11/27/13", name="late", seed=9)
    judged = production.watch()
    assert [(findings["window"]["from"], findings["versions"][0]["rows"]) for findings in judged] == [
        ("2026-11-27T13Z", 70),
        ("2026-11-27T14Z", 130),
    ]
    assert production.watch() == []


def test_only_versions_with_few_rows_take_rows_of_windows_before(production):
    production.version("13")
    production.traffic(300, hour="2026/11/27/13")
    production.traffic(60, hour="2026/11/27/13", version="13", name="b")
    production.traffic(300, hour="2026/11/27/14")
    production.traffic(60, hour="2026/11/27/14", version="13", name="b")
    findings = production.watch()[-1]
    assert {version["version"]: version["rows"] for version in findings["versions"]} == {"12": 300, "13": 120}


def test_a_breach_says_since_when(production):
    for hour in ("12", "13", "14"):
        production.captured(
            [line(",3,Lima", "2.0\n", id=str(place)) for place in range(150)] if hour != "12" else [], hour=f"2026/11/27/{hour}"
        )
    production.traffic(200, hour="2026/11/27/12", name="healthy")
    findings = production.watch()[-1]
    assert {breach["since"] for breach in findings["breaches"] if breach["feature"] == "area"} == {"2026-11-27T13Z"}


def test_windows_can_be_asked_for_by_hand_and_are_judged_again(production):
    production.traffic(200)
    production.watch()
    (again,) = production.watch(between=(datetime(2026, 11, 27, 14, 10, tzinfo=UTC), datetime(2026, 11, 27, 14, 20, tzinfo=UTC)))
    assert again["window"]["from"] == "2026-11-27T14Z"


def test_a_window_that_is_not_over_is_refused(production):
    with pytest.raises(BadInput, match="no window of 1 hours between --from and --to is over; the first ends at 2026-11-27T16Z"):
        production.watch(between=(datetime(2026, 11, 27, 15, tzinfo=UTC), datetime(2026, 11, 27, 15, 10, tzinfo=UTC)))


def test_answered_rows_are_kept_for_labels(production):
    production.captured([line("50.5,2,Lima\n,3,\n", "2.0\n3.5\n", id="order 1", time="2026-11-27T14:10:00Z")])
    production.watch()
    (item,) = production.store.list(f"{PREFIX}windows/2026-11-27T14Z--2026-11-27T15Z/answered/")
    assert item.key.endswith("/12-00001.parquet")
    kept = parquet.read_table(io.BytesIO((production.folder / item.key).read_bytes())).to_pylist()
    assert kept == [
        {
            "inference_id": "order 1",
            "row": row,
            "time": datetime(2026, 11, 27, 14, 10, tzinfo=UTC),
            "version": "12",
            "feature.area": area,
            "feature.rooms": rooms,
            "feature.town": town,
            "score": score,
            "decided": score,
        }
        for row, area, rooms, town, score in [(1, 50.5, 2.0, "Lima", 2.0), (2, None, 3.0, None, 3.5)]
    ]


def test_a_window_whose_files_are_gone_stays_as_it_was_judged(production, capsys):
    """Captured files expire. Judged again by hand, the window would lose what was found, and the rows that labels are joined with."""
    key = production.traffic(120)
    production.watch()
    (production.folder / key).unlink()
    assert production.watch() == []
    assert production.watch(between=(datetime(2026, 11, 27, 14, tzinfo=UTC), datetime(2026, 11, 27, 15, tzinfo=UTC))) == []
    assert (production.written("findings.json")["rows"], kept_rows(production)) == (120, [120])
    assert f"2026-11-27T14Z--2026-11-27T15Z stays as it was judged: {key} is gone" in capsys.readouterr().out


def test_no_row_is_kept_twice_when_a_window_is_judged_in_larger_pieces(production, monkeypatch):
    monkeypatch.setattr(captured, "MOST_REQUESTS", 50)
    production.traffic(120)
    production.watch()
    assert kept_rows(production) == [50, 50, 20]
    monkeypatch.setattr(captured, "MOST_REQUESTS", 1000)
    production.traffic(10, name="late")
    production.watch()
    assert kept_rows(production) == [130, 0, 0]


def test_answered_rows_of_a_version_that_is_no_longer_known_stay(production):
    production.version("11")
    production.traffic(120, version="11")
    production.watch()
    shutil.rmtree(production.folder / "evidence/11")
    production.traffic(120, name="late")
    production.watch()
    assert kept_rows(production) == [120, 120]


def kept_rows(production):
    keys = [item.key for item in production.store.list(PREFIX) if item.key.endswith("parquet")]
    return [parquet.read_table(production.folder / key).num_rows for key in keys]


def test_memory_does_not_grow_with_the_window(production, monkeypatch):
    monkeypatch.setattr(captured, "MOST_REQUESTS", 200)
    monkeypatch.setattr(sketch, "MOST_SAMPLED", 200)

    def peak(day, files):
        for name in range(files):
            production.traffic(200, hour=f"2026/11/{day}/14", name=f"{name:03d}", seed=name)
        begin = datetime(2026, 11, day, 14, tzinfo=UTC)
        tracemalloc.start()
        (findings,) = production.watch(between=(begin, begin + timedelta(hours=1)))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert findings["rows"] == 200 * files
        return highest

    peak(20, 3)  # imports and caches
    assert peak(22, 40) < 1.5 * peak(21, 8)


def test_a_history_that_is_none_is_said_in_one_line(production):
    production.put(f"{PREFIX}history.json", '{"windows": [{"from": 1}]}')
    with pytest.raises(BadInput, match=f"{PREFIX}history.json holds no history .*; move it away"):
        production.watch()


def test_statistics_have_the_buckets_of_the_baseline(production):
    production.traffic(500)
    production.watch()
    described = {feature["name"]: feature for feature in production.written("statistics.json")["features"]}
    assert set(described) == {"area", "rooms", "town", "prediction"}
    area = described["area"]["numerical_statistics"]
    expected = trained(500, 2).numeric["area"]
    assert area["common"] == {"num_present": int((~np.isnan(expected)).sum()), "num_missing": int(np.isnan(expected).sum())}
    assert area["mean"] == pytest.approx(np.nanmean(expected)) and area["std_dev"] == pytest.approx(np.nanstd(expected))
    trained_edges = [
        bucket["lower_bound"] for bucket in evidence_of(trained())["features"][0]["numerical_statistics"]["distribution"]["kll"]["buckets"]
    ][1:]
    buckets = area["distribution"]["kll"]["buckets"]
    assert [bucket["lower_bound"] for bucket in buckets][1:] == trained_edges
    assert sum(bucket["count"] for bucket in buckets) == area["common"]["num_present"]


def test_a_version_that_is_not_there_is_judged_against_nothing(production):
    production.traffic(150)
    production.captured([line("1,2,Lima", "2.0\n", version=version) for version in ("99", None)], name="b")
    (findings,) = production.watch()
    assert findings["status"] == "ok"
    assert (findings["requests"], findings["rows"]) == (152, 150)
    file = f"{CAPTURE}AllTraffic/2026/11/27/14/b.jsonl"
    assert findings["reasons"] == [
        f"version '99' is no version of this model; 1 request was judged against nothing, such as {file} line 1",
        f"1 request does not say which version answered, such as {file} line 2",
    ]


@pytest.mark.parametrize(
    ("statistics", "contract", "reason"),
    [
        (None, {"dataset": {}}, "has a contract.json or statistics.json of another layout (KeyError('classes')): train it again"),
        ({"features": []}, HOUSES, "has a statistics.json of other columns than its contract.json (area): train it again"),
        ([], HOUSES, "has a contract.json or statistics.json of another layout"),
    ],
)
def test_a_baseline_of_another_schema_is_a_reason_and_no_judgement(production, statistics, contract, reason):
    production.version("12", statistics, contract)
    production.traffic(150)
    (findings,) = production.watch()
    assert (findings["status"], findings["requests"], findings["versions"]) == ("not judged", 150, [])
    assert reason in findings["reasons"][0]


def test_a_missing_baseline_is_a_reason(production):
    (production.folder / "evidence/12/statistics.json").unlink()
    production.traffic(150)
    (findings,) = production.watch()
    assert findings["status"] == "not judged"
    assert "version '12' has no statistics.json beside its evaluation: train it again" in findings["reasons"][0]


@pytest.mark.parametrize("features", [1, 500])
def test_models_with_one_feature_and_with_500(tmp_path, features):
    production = Production(tmp_path)
    generator = np.random.default_rng(3)
    rows = Rows({f"f{place}": generator.normal(size=300) for place in range(features)}, {}, np.full(300, np.nan), 300)
    columns = [{"name": name, "minimum": None, "maximum": None} for name in rows.numeric]
    contract = {"dataset": {"problem": "regression", "numeric": columns, "categorical": []}, "classes": None}
    production.version("12", evidence_of(rows), contract)
    cells = np.array(list(rows.numeric.values())).T[:200].tolist()
    production.captured(line(",".join(map(repr, row)), "2.0\n", id=str(place)) for place, row in enumerate(cells))
    (findings,) = production.watch()
    assert (findings["status"], findings["rows"]) == ("ok", 200)
    assert len(of_version(findings)["contract"]) == 3 * features + 1


def test_a_constant_feature_breaks_nothing(production):
    constant = trained()
    production.version(
        "12",
        evidence_of(
            Rows({**constant.numeric, "rooms": np.full(constant.count, 3.0)}, constant.categorical, constant.target, constant.count)
        ),
    )
    production.captured(line(f"{50 + place % 100},3,Lima", "2.0\n", id=str(place)) for place in range(200))
    (findings,) = production.watch()
    assert not any(breach["feature"] == "rooms" for breach in findings["breaches"])


def test_requests_of_several_rows_in_any_form_are_read_alike(production):
    bodies = asked(trained(120, 4))
    csv_body = "\n".join(bodies)
    rows = [body.split(",") for body in bodies]
    instances = json.dumps({"instances": [[area, float(rooms), town] for area, rooms, town in rows]})
    answer = json.dumps({"predictions": [{"score": 2.0}] * len(rows)})
    kinds = {"kind": "application/json", "answer_kind": "application/json"}
    production.captured(
        [
            line(csv_body, "2.0\n" * 120, id="csv"),
            line(instances, answer, id="json", encoding="JSON", **kinds),
            line(instances, answer, id="base64", encoding="BASE64", **kinds),
        ]
    )
    (findings,) = production.watch()
    assert (findings["requests"], findings["rows"], findings["reasons"]) == (3, 360, [])
    (feature,) = [item for item in production.written("statistics.json")["features"] if item["name"] == "town"]
    assert all(bucket["count"] % 3 == 0 for bucket in feature["string_statistics"]["distribution"]["categorical"]["buckets"])


def test_a_window_that_could_not_be_told_of_is_judged_again(production):
    production.traffic(200)

    def fails(findings, truth):
        raise ConnectionError("no answer")

    with pytest.raises(ConnectionError):
        production.watch(tell=fails)
    told = []
    production.watch(tell=lambda findings, truth: told.append((findings["window"]["from"], truth is not None)))
    assert told == [("2026-11-27T14Z", True)]


def test_only_the_newest_window_is_told_as_such(production):
    told = []
    for hour in ("12", "13", "14"):
        production.traffic(150, hour=f"2026/11/27/{hour}")
    production.watch(tell=lambda findings, truth: told.append((findings["window"]["from"], truth is not None)))
    production.traffic(50, hour="2026/11/27/13", name="late")
    production.watch(tell=lambda findings, truth: told.append((findings["window"]["from"], truth is not None)))
    assert told == [("2026-11-27T12Z", False), ("2026-11-27T13Z", False), ("2026-11-27T14Z", True), ("2026-11-27T13Z", False)]


def test_a_window_of_nothing_but_refusals_is_broken(production):
    refused = [line("1,two,Lima", "no", version=None, answer_kind="text/plain", id=str(place)) for place in range(150)]
    production.captured(refused)
    (findings,) = production.watch()
    assert (findings["status"], findings["requests"], findings["rows"], findings["refused"]) == ("breached", 150, 0, 150)
    assert broken(findings) == {("contract", None, "12"), ("contract", "rooms", "12")}
    assert findings["reasons"] == [
        "version 12 has 0 rows, also with the windows before: fewer than min_rows (100), so only its contract was judged"
    ]


def test_an_alarm_of_few_refused_requests_waits_for_more(production):
    production.captured([line("1,two,Lima", "no", version=None, answer_kind="text/plain")])
    (findings,) = production.watch()
    assert (findings["status"], findings["breaches"]) == ("too few rows", [])


def test_every_line_of_the_output_names_what_it_is_about(production, capsys):
    production.captured(line(",3,Lima", "2.0\n", id=str(place)) for place in range(150))
    production.watch()
    assert "\n  area: missing in 100.0% of the rows" in capsys.readouterr().out


def test_a_model_that_was_never_asked_and_never_deployed_has_no_traffic(tmp_path):
    (findings,) = Production(tmp_path, deployed="").watch()
    assert (findings["status"], findings["reasons"]) == ("no traffic", [])

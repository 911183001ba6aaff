"""Periods compared, against a second implementation in plain Python, and what holds of any two periods."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.snapshot import forget_touched
from tests.sql.conftest import OpenStore

MODELS = load_models()
END = date(2026, 3, 10)
Z = NormalDist().inv_cdf(0.975)
STUDENT = {7: 2.4469118487916806, 28: 2.0518304929706743}
LOWER_IS_BETTER = {"deployments_per_week": False}
Row = dict[str, Any]
Tables = dict[str, list[Row]]
Interval = tuple[float, float | None, float | None]

few = settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def tables(seed: int, *, steady: bool = True) -> Tables:
    """Return sixty days of runs and deployments; unless steady, the last 28 days have durations of their own."""
    chance = random.Random(seed)
    shift = 1.0 if steady else chance.choice([0.5, 3.0])
    runs, daily, deliveries = [], [], []
    for age in range(61):
        day = END - timedelta(days=age)
        for repository, workflow, busy in (("a/x", "CI", 6), ("a/x", "Lint", 2), ("b/y", "CI", chance.choice([0, 1]))):
            found = [_run(chance, shift if 0 < age <= 28 else 1.0) for _ in range(chance.randint(0, busy))]
            key = {"day": day, "repository": repository, "workflow": workflow}
            runs += [{**key, **run} for run in found]
            for is_default in (True, False):
                part = found[:: 2 if is_default else 3]
                daily.append({**key, "is_default_branch": is_default, **_counted(chance, part)})
        deliveries += [_delivery(chance, day) for _ in range(chance.choice([0, 0, 1, 2]))]
    return {
        "staging.github_syncs": [{"repository": "a/x", "finished_at": "2026-03-10 12:00:00", "state": "ok"}],
        "staging.argocd_syncs": [{"instance": "cd", "finished_at": "2026-03-09 23:00:00", "state": "ok"}],
        "marts.workflow_runs": runs,
        "marts.workflow_daily": daily,
        "marts.repository_daily": [
            {"repository": name, "day": day}
            for name, days in (("a/x", 60), ("b/y", 40))
            for day in (END - timedelta(days),)
        ],
        "marts.deliveries": deliveries,
    }


def _run(chance: random.Random, shift: float) -> Row:
    outcome = chance.choice(["success", "success", "success", "failure", "cancelled"])
    duration = (
        round(chance.lognormvariate(5, 0.5) * shift, 1) if outcome != "cancelled" or chance.random() < 0.5 else None
    )
    return {
        "outcome": outcome,
        "duration_seconds": duration,
        "queue_seconds": chance.choice([None, 3.0, chance.uniform(1, 60)]),
    }


def _counted(chance: random.Random, part: Sequence[Row]) -> Row:
    decided = [run for run in part if run["outcome"] in ("success", "failure")]
    failures = sum(run["outcome"] == "failure" for run in decided)
    return {
        "success_count": len(decided) - failures,
        "failure_count": failures,
        "flaky_count": chance.randint(0, 2),
        "billed_minutes": 3 * len(part),
        "lost_seconds": 60.5 * failures,
        "cost_usd": chance.choice([None, 0.006 * len(part)]),
        "waste_usd": None,
    }


def _delivery(chance: random.Random, day: date) -> Row:
    return {
        "environment": chance.choice(["production", "production", "staging"]),
        "day": day,
        "is_decided": chance.random() < 0.9,
        "is_change_failure": chance.random() < 0.2,
        "change": chance.choice(["forward", "forward", "rollback"]),
    }


@given(seed=st.integers(0, 10_000), steady=st.booleans())
@few
def test_comparisons_say_what_their_header_says(open_store: OpenStore, seed: int, steady: bool) -> None:
    """Every row of the mart, every figure and every verdict, worked out again without SQL."""
    given_tables = tables(seed, steady=steady)
    found = compared(open_store, given_tables)
    expected = dict(truth(given_tables))
    assert set(found) == set(expected)
    for key, row in expected.items():
        for name, value in row.items():
            assert found[key][name] == (
                pytest.approx(value, rel=1e-5, abs=1e-6) if isinstance(value, float) else value
            ), key


@given(seed=st.integers(0, 10_000))
@few
def test_swapping_the_periods_mirrors_the_interval(open_store: OpenStore, seed: int) -> None:
    """What was better is worse, and no interval leaves its difference out."""
    one = tables(seed, steady=False)
    found = compared(open_store, one)
    for row in found.values():
        if row["difference_low"] is not None:
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    swapped = {name: [_swapped(name, row) for row in rows] for name, rows in one.items()}
    mirrored = compared(open_store, swapped)
    opposite = {"better": "worse", "worse": "better"}
    for key in (key for key in found if key[-1] == 28):
        there, back = found[key], mirrored[key]
        assert back["verdict"] == opposite.get(there["verdict"], there["verdict"])
        if there["difference_low"] is not None:
            assert back["difference_low"] == pytest.approx(-there["difference_high"])
            assert back["difference_high"] == pytest.approx(-there["difference_low"])


def _swapped(table: str, row: Row) -> Row:
    """Move what is of the last 28 days to the 28 before, and back; Argo CD's clock is a day behind."""
    if table == "marts.repository_daily" or "day" not in row:
        return row
    end = END - timedelta(days=1) if table == "marts.deliveries" else END
    age = (end - row["day"]).days
    moved = age + 28 if 0 < age <= 28 else age - 28 if 28 < age <= 56 else age
    return {**row, "day": end - timedelta(days=moved)}


def test_noise_is_seldom_called_change(open_store: OpenStore) -> None:
    """Of periods that do not differ, at most one comparison in twelve says that they do."""
    verdicts = [row["verdict"] for seed in range(3) for row in compared(open_store, tables(seed)).values()]
    judged = [verdict for verdict in verdicts if verdict != "too_few"]
    assert len(judged) > 60
    assert sum(verdict != "no_evidence" for verdict in judged) / len(judged) < 1 / 12


def test_days_that_ended_are_read_again_only_if_touched(open_store: OpenStore, tmp_path: Path) -> None:
    """Percentiles stay while only today is touched, and follow a run of yesterday, another day, or a changed text."""
    model = MODELS["marts.period_percentiles"]
    with open_store(tmp_path) as connection:
        for table, rows in tables(1).items():
            _insert(connection, table, rows)
        build_mart(connection, model, MODELS)
        before = connection.execute(f"from {model.table} order by all").fetchall()
        connection.execute("update marts.workflow_runs set duration_seconds = 2 * duration_seconds")
        connection.execute("insert into meta.touched_tables values ('marts.workflow_runs')")
        for touched in (END, END + timedelta(days=1)):
            connection.execute("insert into meta.touched_runs (run_id, day) values (1, ?)", [touched])
            build_mart(connection, model, MODELS)
            assert connection.execute(f"from {model.table} order by all").fetchall() == before
        connection.execute("insert into meta.touched_runs (run_id, day) values (1, ?)", [END - timedelta(days=1)])
        build_mart(connection, model, MODELS)
        after = connection.execute(f"from {model.table} order by all").fetchall()
        assert after != before
        forget_touched(connection)
        connection.execute("update staging.github_syncs set finished_at = finished_at + interval 1 day")
        build_mart(connection, model, MODELS)
        assert connection.execute(f"from {model.table} order by all").fetchall() != after


def compared(open_store: OpenStore, given_tables: Mapping[str, Sequence[Row]]) -> dict[tuple[Any, ...], Row]:
    """Return the rows of the mart by their key."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        for table, rows in given_tables.items():
            _insert(connection, table, rows)
        for name in ("period_percentiles", "period_comparisons"):
            build_mart(connection, MODELS[f"marts.{name}"], MODELS)
        cursor = connection.execute("from marts.period_comparisons")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    key = MODELS["marts.period_comparisons"].grain
    found = {tuple(row[name] for name in key): row for row in rows}
    assert len(found) == len(rows)
    return found


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    connection.register("given_rows", pa.Table.from_pylist(list(rows)))
    connection.execute(f"insert into {table} by name from given_rows")
    connection.unregister("given_rows")


def truth(given_tables: Tables) -> Iterator[tuple[tuple[Any, ...], Row]]:
    """Yield every row that is expected, with its key."""
    runs = list(_scoped(given_tables["marts.workflow_runs"], END))
    daily = list(_scoped(given_tables["marts.workflow_daily"], END))
    deliveries = [row for row in given_tables["marts.deliveries"] if row["is_decided"]]
    first_delivery = min(row["day"] for row in given_tables["marts.deliveries"])
    for days in (7, 28):
        yield from _of_ratios(_by_subject(daily, days), days)
        yield from _of_percentiles(_by_subject(runs, days), days)
        yield from _of_sums(_by_subject(daily, days), days)
        environments = list(_of_environments(deliveries, END - timedelta(days=1)))
        yield from _of_deliveries(_by_subject(environments, days), days, first_delivery)


Subject = tuple[str, str | None, str | None, str | None]
Periods = tuple[dict[int, list[Row]], dict[int, list[Row]]]


def _scoped(rows: Iterable[Row], end: date) -> Iterator[tuple[Subject, int, Row]]:
    for row in rows:
        age = (end - row["day"]).days
        yield ("total", None, None, None), age, row
        yield ("repository", row["repository"], None, None), age, row
        yield ("workflow", row["repository"], row["workflow"], None), age, row


def _of_environments(rows: Iterable[Row], end: date) -> Iterator[tuple[Subject, int, Row]]:
    for row in rows:
        age = (end - row["day"]).days
        yield ("total", None, None, None), age, row
        yield ("environment", None, None, row["environment"]), age, row


def _by_subject(rows: Iterable[tuple[Subject, int, Row]], days: int) -> dict[Subject, Periods]:
    """Return the rows of the last period and of that before, by day."""
    found: dict[Subject, Periods] = defaultdict(lambda: (defaultdict(list), defaultdict(list)))
    for subject, age, row in rows:
        if 1 <= age <= 2 * days:
            found[subject][age > days][age].append(row)
    return found


def _of_ratios(subjects: Mapping[Subject, Periods], days: int) -> Iterator[tuple[tuple[Any, ...], Row]]:
    for subject, periods in subjects.items():
        counts = [
            [
                (
                    sum(row["failure_count"] for row in rows),
                    sum(min(row["flaky_count"], row["success_count"] + row["failure_count"]) for row in rows),
                    sum(row["success_count"] + row["failure_count"] for row in rows),
                )
                for rows in period.values()
            ]
            for period in periods
        ]
        for index, figure in enumerate(("failure_ratio", "flaky_ratio")):
            pairs = [[(day[index], day[2]) for day in period] for period in counts]
            yield from _ratio(figure, subject, days, pairs)


def _ratio(
    figure: str, subject: Subject, days: int, pairs: list[list[tuple[int, int]]]
) -> Iterator[tuple[tuple[Any, ...], Row]]:
    decided = [[(part, whole) for part, whole in period if whole] for period in pairs]
    sizes = [sum(whole for _, whole in period) for period in decided]
    intervals = [_wilson(period) if size else None for period, size in zip(decided, sizes, strict=True)]
    if any(intervals):
        yield (*subject, figure, days), _compared(figure, intervals, sizes, is_enough=min(sizes) >= 20)


def _wilson(pairs: list[tuple[int, int]]) -> Interval:
    size, share = sum(whole for _, whole in pairs), sum(part for part, _ in pairs) / sum(whole for _, whole in pairs)
    size_counted = size / _dispersion(pairs)
    middle = (share + Z**2 / (2 * size_counted)) / (1 + Z**2 / size_counted)
    reach = Z * math.sqrt(share * (1 - share) / size_counted + Z**2 / (4 * size_counted**2)) / (1 + Z**2 / size_counted)
    return share, middle - reach, middle + reach


def _dispersion(pairs: list[tuple[int, int]]) -> float:
    share = sum(part for part, _ in pairs) / sum(whole for _, whole in pairs)
    if share in (0, 1) or len(pairs) < 2:
        return 1.0
    pearson = sum((part - whole * share) ** 2 / (whole * share * (1 - share)) for part, whole in pairs)
    return max(1.0, pearson / (len(pairs) - 1))


def _of_percentiles(subjects: Mapping[Subject, Periods], days: int) -> Iterator[tuple[tuple[Any, ...], Row]]:
    for figure, column, share in (
        ("duration_p50", "duration_seconds", 0.5),
        ("duration_p95", "duration_seconds", 0.95),
        ("queue_p95", "queue_seconds", 0.95),
    ):
        for subject, periods in subjects.items():
            samples = [_samples(period, column) for period in periods]
            sizes = [sum(map(len, period.values())) for period in samples]
            intervals = [
                _order_statistics(period, share) if size >= 20 else None
                for period, size in zip(samples, sizes, strict=True)
            ]
            if any(intervals):
                sizes = [size if size >= 20 else 0 for size in sizes]
                bounded = all(one is not None and None not in one for one in intervals)
                yield (*subject, figure, days), _compared(figure, intervals, sizes, is_enough=bounded)


def _samples(period: Mapping[int, list[Row]], column: str) -> dict[int, list[float]]:
    is_duration = column == "duration_seconds"
    found = {
        age: [
            row[column]
            for row in rows
            if row[column] is not None and not (is_duration and row["outcome"] == "cancelled")
        ]
        for age, rows in period.items()
    }
    return {age: values for age, values in found.items() if values}


def _order_statistics(samples: Mapping[int, list[float]], share: float) -> Interval:
    values = sorted(value for day in samples.values() for value in day)
    size = len(values)
    border = values[math.floor(share * size) - 1]
    pairs = [(sum(value > border for value in day), len(day)) for day in samples.values()]
    reach = Z * math.sqrt(size * share * (1 - share) * _dispersion(pairs))
    low, high = math.floor(share * size - reach), math.ceil(share * size + reach) + 1
    place = share * (size - 1)
    below, above = values[math.floor(place)], values[math.ceil(place)]
    value = below + (place - math.floor(place)) * (above - below)
    return value, values[low - 1] if low >= 1 else None, values[high - 1] if high <= size else None


def _of_sums(subjects: Mapping[Subject, Periods], days: int) -> Iterator[tuple[tuple[Any, ...], Row]]:
    for figure in ("billed_minutes", "lost_seconds", "cost_usd"):
        for subject, periods in subjects.items():
            known = [
                {age: [row[figure] for row in rows if row[figure] is not None] for age, rows in period.items()}
                for period in periods
            ]
            if not any(values for period in known for values in period.values()):
                continue
            now = [sum(known[0].get(age, [])) for age in range(1, days + 1)]
            before = [sum(known[1].get(age + days, [])) for age in range(1, days + 1)]
            differences = [one - other for one, other in zip(now, before, strict=True)]
            reach = STUDENT[days] * stdev(differences) * math.sqrt(days)
            sizes = [sum(amount > 0 for amount in period) for period in (now, before)]
            reaches_back = (60 if subject[1] != "b/y" else 40) >= 2 * days
            difference = days * fmean(differences)
            row = _judged(figure, difference - reach, difference + reach, is_enough=min(sizes) >= 3 and reaches_back)
            row |= {"value": float(sum(now)), "previous_value": float(sum(before)), "difference": float(difference)}
            row |= {"value_low": None, "value_high": None}
            yield (*subject, figure, days), row | {"sample_count": sizes[0], "previous_sample_count": sizes[1]}


def _of_deliveries(
    subjects: Mapping[Subject, Periods], days: int, first: date
) -> Iterator[tuple[tuple[Any, ...], Row]]:
    for subject, periods in subjects.items():
        for figure, is_part in (
            ("rollback_ratio", lambda row: row["change"] == "rollback"),
            ("change_failure_ratio", lambda row: row["is_change_failure"]),
        ):
            pairs = [[(sum(map(is_part, rows)), len(rows)) for rows in period.values()] for period in periods]
            yield from _ratio(figure, subject, days, pairs)
        counts = [sum(map(len, period.values())) for period in periods]
        weeks = days / 7
        intervals = [(count / weeks, *(bound / weeks for bound in _poisson(count))) for count in counts]
        reaches_back = (END - timedelta(days=1) - first).days >= 2 * days
        figure = "deployments_per_week"
        yield (
            (*subject, figure, days),
            _compared(figure, intervals, counts, is_enough=sum(counts) >= 10 and reaches_back),
        )


def _poisson(count: int) -> tuple[float, float]:
    reach = Z * math.sqrt(count + Z**2 / 4)
    return count + Z**2 / 2 - reach, count + Z**2 / 2 + reach


def _compared(figure: str, intervals: Sequence[Interval | None], sizes: Sequence[int], *, is_enough: bool) -> Row:
    now, before = intervals
    row = {
        "value": now[0] if now else None,
        "value_low": max(now[1], 0.0) if now and now[1] is not None else None,
        "value_high": now[2] if now else None,
        "previous_value": before[0] if before else None,
        "difference": now[0] - before[0] if now and before else None,
        "sample_count": sizes[0],
        "previous_sample_count": sizes[1],
    }
    if not is_enough:
        return row | _judged(figure, 0, 0, is_enough=False)
    difference = now[0] - before[0]
    low = difference - math.hypot(now[0] - now[1], before[2] - before[0])
    high = difference + math.hypot(now[2] - now[0], before[0] - before[1])
    return row | _judged(figure, low, high, is_enough=True)


def _judged(figure: str, low: float, high: float, *, is_enough: bool) -> Row:
    if not is_enough:
        return {"difference_low": None, "difference_high": None, "verdict": "too_few"}
    verdict = "no_evidence"
    if low > 0 or high < 0:
        verdict = "worse" if (low > 0) == LOWER_IS_BETTER.get(figure, True) else "better"
    return {"difference_low": low, "difference_high": high, "verdict": verdict}

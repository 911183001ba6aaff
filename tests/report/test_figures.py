"""Every figure of a digest against the same worked out from the story in plain Python, as it is written."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pytest

from phoenix_metrics import words
from phoenix_metrics.report.document import Digest
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.rendering import render
from tests.report import truth
from tests.report.markdown import Rows, tables
from tests.report.story import BUDGET, DOCS, END, SHOP, SLOWER_FROM, Job, Run, deliveries, is_shaky, is_tested
from tests.report.truth import Estimate, current, executions, previous

Written = Callable[[float], str]

CI, NIGHTLY, SITE = f"{SHOP} · CI", f"{SHOP} · Nightly", f"{DOCS} · Site"


@pytest.fixture(scope="module")
def shown(digest: Digest) -> dict[str, Rows]:
    """Return the digest's tables."""
    return tables(render(digest, ReportFormat.MARKDOWN))


def test_headline_figures(shown: dict[str, Rows], runs: list[Run]) -> None:
    """Each headline figure, the one before, the change with its interval, the verdict and n."""
    rows = {row[0]: row[1:] for row in shown["Headline figures"]}
    now, before = current(runs), previous(runs)
    failed, flaky = (
        [truth.ratio(part, holds) for part in (now, before)] for holds in (truth.has_failed, truth.is_flaky)
    )
    assert rows["Failure ratio"] == _compared(failed, words.ratio, words.points, "run")
    assert rows["Flaky runs"] == _compared(flaky, words.ratio, words.points, "run")
    durations, waits = [_durations(part) for part in (now, before)], [_waits(part) for part in (now, before)]
    for label, samples, rank in (
        ("Median duration", durations, 0.5),
        ("p95 duration", durations, 0.95),
        ("p95 wait for a runner", waits, 0.95),
    ):
        found = [truth.percentile(part, rank) for part in samples]
        assert rows[label] == _compared(found, words.duration, words.duration, "run")
    told = deliveries(runs)
    paces = [truth.rate(sum(first <= one.at.date() < last for one in told)) for first, last in _periods()]
    assert [pace.count for pace in paces] == [5, 4]
    assert rows["Deployments a week"] == _compared(paces, words.rate, words.rate, "deployment", least=10)


def test_headline_sums(shown: dict[str, Rows], runs: list[Run]) -> None:
    """Sums with the difference of pairs of weekdays; of waste there is too little to say."""
    rows = {row[0]: row[1:] for row in shown["Headline figures"]}
    minutes = truth.sums(runs, lambda part: sum(truth.minutes(job) for _, job in executions(part)))
    assert rows["Billed minutes"] == _summed(minutes, words.minutes)
    *cost, sample = _summed(truth.sums(runs, lambda part: float(truth.cost(part))), words.usd)
    unpriced = sum(job.label not in truth.PRICES for _, job in executions(current(runs)))
    lacking = f" (without {words.counted(unpriced, 'unpriced job')})"
    assert rows["Cost"] == (*cost, sample + lacking)
    assert rows["Job time lost"] == _summed(truth.sums(runs, truth.lost_seconds), words.duration)
    now, before, *_, n, n_before = truth.sums(runs, _wasted)
    assert rows["Waste"] == (
        words.usd(now),
        words.usd(before),
        words.signed(now - before, words.usd),
        "too few to say",
        f"{words.counted(n, 'day')} after {n_before}{lacking}",
    )


def test_what_got_slower(shown: dict[str, Rows], runs: list[Run]) -> None:
    """The build took longer from a commit on: medians of both sides, the commits between, and the first run."""
    built = [run for run in runs if run.workflow == "CI" and run.branch == "main" and run.attempts == (run.final,)]
    passed = [run for run in built if not truth.has_failed(run)]
    sides = [[run for run in passed if (run.created_at.date() >= SLOWER_FROM) is later] for later in (False, True)]
    [workflow, job] = shown["What got slower"]
    assert [workflow[0], job[0]] == [f"{CI} (on push)", f"{CI}, job build (on push)"]
    for row, waits in ((workflow, 1), (job, 0)):
        before, since = (
            _median([run.final.seconds + waits * run.final.queue_seconds for run in side]) for side in sides
        )
        assert row[1:3] == (words.duration(before), words.duration(since))
        ratio, _, interval = row[3].partition(" (")
        low, high = (float(end) for end in interval.partition(",")[0].split(" to "))
        assert ratio == f"{since / before:.2f}"
        assert low <= float(ratio) <= high
        assert interval.endswith(f"p{words.NBSP}<{words.NBSP}0.0001)")
        last, first = sides[0][-1], sides[1][0]
        assert row[4:] == (
            f"{last.sha[:7]}{words.NBSP}… {first.sha[:7]}",
            words.moment(first.created_at),
            f"{len(sides[1])} after {len(sides[0])}",
        )


def test_workflows_that_failed(shown: dict[str, Rows], runs: list[Run]) -> None:
    """Only CI failed: its time lost, its failure ratio with interval and n, its p95, and its newest failure."""
    now = [run for run in current(runs) if run.workflow == "CI"]
    before = [run for run in previous(runs) if run.workflow == "CI"]
    ratio = truth.ratio(now, truth.has_failed)
    moved = truth.difference(ratio, truth.ratio(before, truth.has_failed))
    assert moved is not None
    assert moved[0] > 0
    newest = [run for run in now if truth.has_failed(run)][-1]
    assert shown["Workflows by job time lost"] == [
        (
            CI,
            f"{words.duration(truth.lost_seconds(now))} (100.0{words.NBSP}% of all)",
            _with_interval(ratio, words.ratio),
            str(ratio.count),
            "▲ worse",
            words.duration(truth.percentile(_durations(now), 0.95).value),
            f"run #{newest.number - 999}",
        )
    ]


def test_why_jobs_failed(shown: dict[str, Rows], runs: list[Run]) -> None:
    """Failed jobs by the step that failed, with the share that no rule explains."""
    classes = {"Run unit tests": "unit tests", "Frobnicate": "unclassified", "Install dependencies": "dependencies"}
    failed = [job for _, job in executions(current(runs)) if job.conclusion == "failure"]
    counts = Counter(classes[str(job.step)] for job in failed)
    expected = []
    for name, count in counts.most_common():
        jobs = [job for job in failed if classes[str(job.step)] == name]
        billed = sum(truth.minutes(job) for job in jobs)
        usd = words.usd(float(billed * truth.PRICES["ubuntu-latest"]))
        expected.append((name, str(count), words.ratio(count / len(failed)), words.minutes(billed), usd, "job"))
    assert shown["Failed jobs by class"] == expected


def test_flakiest_jobs(shown: dict[str, Rows], runs: list[Run]) -> None:
    """The build failed and passed on two commits of all at which it was decided in the last 30 days of data."""
    built = [run for run in runs if run.created_at.date() > END - timedelta(days=30)]
    decided = [
        run for run in built if any(job.name == "build" and job.conclusion != "cancelled" for job in run.attempts)
    ]
    flaky = [run for run in decided if truth.is_flaky(run)]
    # commits, unlike days, share no troubles: Wilson's own interval, as if all were of one day
    ratio = truth.share([(END, truth.is_flaky(run)) for run in decided])
    # the newest suspicion is evidence, too: a failure between passes of other commits
    suspect = [run for run in decided if run.attempts[0].conclusion == "failure"][-1]
    failed = suspect.created_at + timedelta(seconds=suspect.final.queue_seconds + suspect.final.seconds)
    assert shown["Flakiest jobs"] == [
        (
            f"build ({CI})",
            _with_interval(ratio, words.ratio),
            f"{len(flaky)} of {words.counted(len(decided), 'commit')}",
            words.minutes(sum(truth.minutes(run.attempts[0]) for run in flaky)),
            words.moment(failed),
            "failed, passed",
        )
    ]


def test_flakiest_tests(shown: dict[str, Rows], runs: list[Run]) -> None:
    """A test that some reports say failed at first, over the commits that reports decide; no job was billed in vain."""
    tested = [run for run in runs if is_tested(run) and run.created_at.date() > END - timedelta(days=30)]
    shaky = [run for run in tested if is_shaky(run)]
    ended = shaky[-1].created_at + timedelta(seconds=shaky[-1].final.queue_seconds + shaky[-1].final.seconds)
    assert shown["Flakiest tests"] == [
        (
            f"CartTest · adds ({CI}, on build)",
            _with_interval(truth.share([(END, is_shaky(run)) for run in tested]), words.ratio),
            f"{len(shaky)} of {words.counted(len(tested), 'commit')}",
            words.minutes(0),
            words.moment(ended),
            "failed, then passed",
        )
    ]


def test_costs(shown: dict[str, Rows], runs: list[Run]) -> None:
    """Cost and waste by workflow and by class, each share of the billed minutes, and the month's budget."""
    now = current(runs)
    everything = sum(truth.minutes(job) for _, job in executions(now))
    expected = []
    for name, workflow in ((CI, "CI"), (NIGHTLY, "Nightly"), (SITE, "Site")):
        mine = [[run for run in part if run.workflow == workflow] for part in (now, previous(runs))]
        usd = [words.usd(float(truth.cost(part))) if workflow != "Site" else words.NOTHING for part in mine]
        billed = sum(truth.minutes(job) for _, job in executions(mine[0]))
        wasted = words.usd(_wasted(mine[0])) if workflow != "Site" else words.NOTHING
        expected.append((name, *usd, wasted, words.minutes(billed), words.ratio(billed / everything)))
    assert shown["Dearest workflows"] == expected
    vain = truth.waste(now)
    billed_in_vain = sum(truth.minutes(job) for jobs in vain.values() for job in jobs)
    told = {"flaky": "failed, and passed when run again", "superseded": "cancelled by a newer push"}
    assert shown["Waste by class"] == [
        (
            f"{told[name]} ({name})",
            words.usd(_priced(vain[name])),
            str(len(vain[name])),
            words.minutes(_billed(vain[name])),
            words.ratio(_billed(vain[name]) / billed_in_vain),
            "job",
        )
        for name in ("flaky", "superseded")
    ]


def test_budget(shown: dict[str, Rows], runs: list[Run]) -> None:
    """What November cost, and its days left at the mean of the days since the first job of the last 28."""
    month = [run for run in runs if run.created_at.date() >= date(2026, 11, 1)]
    full = [run for run in month if run.created_at.date() < END]
    today = float(truth.cost(month) - truth.cost(full))
    daily = float(truth.cost(full)) / 28  # the first job is older than that, the days without one count
    forecast = float(truth.cost(full)) + max(today, daily) + 7 * daily
    unpriced = sum(job.label not in truth.PRICES for _, job in executions(month))
    spent = float(truth.cost(month))
    assert shown["Budgets of November 2026"] == [
        (
            "all",
            words.usd(BUDGET),
            f"{words.usd(spent)} ({words.ratio(spent / BUDGET)})",
            words.usd(forecast),
            "not this month",
            str(unpriced),
        )
    ]


def test_deliveries(shown: dict[str, Rows]) -> None:
    """Five deployments, one failed and one undone; lead times from commit to healthy, recoveries to what held."""
    ends = [(16, False), (17, True), (18, True), (18, False), (20, False)]  # the second of the 18th went back
    failed = truth.share([(date(2026, 11, day), is_failure) for day, is_failure in ends])
    # from the commit, 70 minutes before the sync is asked for, half a minute and five seconds to its end, to healthy
    leads = [70 * 60 + 30 + 5 + 30.0] * 3
    # the failed one of the 17th until the one of the 18th was healthy; that, which went back, until the older one was
    recoveries = [24 * 3600.0 + 30, 3600.0 - 30]
    assert shown["Deliveries"] == [
        (
            "production",
            "5",
            "5.0 (after 4.0, too few to say)",
            _with_interval(failed, words.ratio).replace(")", ", 2 of 5)"),
            f"{words.duration(_median(leads))} (n{words.NBSP}={words.NBSP}3, fewer than 20)",
            f"{words.duration(_median(recoveries))} (n{words.NBSP}={words.NBSP}2, fewer than 20)",
            "1",
        )
    ]


def test_schedules(shown: dict[str, Rows]) -> None:
    """Of seven nights one came 50 minutes late and one did not come."""
    delays = words.duration(50 * 60)
    missed = words.moment(datetime(2026, 11, 21, 2))  # noqa: DTZ001  # shown as UTC
    assert shown["Scheduled workflows"] == [(NIGHTLY, "0 2 * * *", "7", "1", "1", delays, missed)]


def _compared(
    periods: Sequence[Estimate], written: Written, moved: Written, noun: str, *, least: int = 20
) -> tuple[str, ...]:
    """Return a row of the table, with the verdict that its definition gives."""
    now, before = periods
    change = words.signed(now.value - before.value, moved)
    ends = truth.difference(now, before) if _is_enough(now, before, least) else None
    if ends is not None:
        change += f" ({words.between(*(words.signed(end, moved) for end in ends))})"
    sample = f"{words.counted(now.count, noun)} after {before.count}"
    return _with_interval(now, written), written(before.value), change, _verdict(ends), sample


def _is_enough(now: Estimate, before: Estimate, least: int) -> bool:
    """Whether there are enough runs in both periods, or deployments in the two together."""
    return now.count + before.count >= least if least == 10 else min(now.count, before.count) >= least


def _summed(found: tuple[float, float, float, int, int], written: Written) -> tuple[str, ...]:
    now, before, reach, n, n_before = found
    ends = (now - before - reach, now - before + reach)
    change = f"{words.signed(now - before, written)} ({words.between(*(words.signed(end, written) for end in ends))})"
    sample = f"{words.counted(n, 'day')} after {n_before}"
    return written(now), written(before), change, _verdict(ends), sample


def _verdict(ends: tuple[float, float] | None) -> str:
    if ends is None:
        return "too few to say"
    return "▲ worse" if ends[0] > 0 else "▼ better" if ends[1] < 0 else "no evidence"


def _with_interval(found: Estimate, written: Written) -> str:
    low, high = (None if end is None else written(end) for end in (found.low, found.high))
    ends = words.between(low, high) if low and high else f"at least {low}" if low else f"at most {high}"
    return f"{written(found.value)} ({ends})"


def _periods() -> list[tuple[date, date]]:
    return [(truth.START, END), (truth.BEFORE, truth.START)]


def _durations(runs: list[Run]) -> list[tuple[date, float]]:
    decided = [run for run in runs if run.final.conclusion != "cancelled"]
    return [(run.created_at.date(), run.final.queue_seconds + run.final.seconds) for run in decided]


def _waits(runs: list[Run]) -> list[tuple[date, float]]:
    return [(run.created_at.date(), run.final.queue_seconds) for run in runs]


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _billed(jobs: list[Job]) -> int:
    return sum(truth.minutes(job) for job in jobs)


def _priced(jobs: list[Job]) -> float:
    return float(sum(truth.minutes(job) * truth.PRICES[job.label] for job in jobs))


def _wasted(runs: list[Run]) -> float:
    return sum(map(_priced, truth.waste(runs).values()))

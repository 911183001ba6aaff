"""The Cost page as its visitors see it, on an organisation whose every job is known."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.cost.budgets import verdict
from dashboards.cost.panels import buckets, groupings
from dashboards.cost.what_if import usual_replacement
from dashboards.scope import Scope, last
from phoenix_metrics import words
from phoenix_metrics.warehouse.rules import NO_RULES
from tests.conftest import rows
from tests.dashboards import spending
from tests.dashboards.spending import (
    APP,
    BUDGETS,
    DISCOUNT,
    EXTRA_MINUTES,
    LIB,
    PRICES,
    TEAMS,
    TOOLS,
    UNMEASURED_MINUTES,
    Use,
)
from tests.dashboards.test_pages import shown, text

Visit = Callable[..., AppTest]
NOW = datetime(2026, 11, 25, 18, 30, tzinfo=UTC).replace(tzinfo=None)  # a Wednesday; naive like the marts


@dataclass(frozen=True)
class Known:
    """All jobs of the organisation, and when they were published."""

    uses: list[Use]
    published_at: datetime

    def start(self, days: int = 30) -> datetime:
        """Return when a time range of so many days begins."""
        return self.published_at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)

    def now(self, days: int = 30, **wanted: str) -> list[Use]:
        """Return the jobs of runs created in the last so many days."""
        return _that_are(wanted, (use for use in self.uses if use.created_at >= self.start(days)))

    def before(self, days: int = 30) -> list[Use]:
        """Return those of the period before, which ends at the same time of day."""
        span = timedelta(days=days)
        return [use for use in self.uses if self.start(days) - span <= use.created_at < self.published_at - span]

    @property
    def billed(self) -> tuple[date, date]:
        """The first day of the usual period and the last one that the bill tells of."""
        return self.start().date(), self.published_at.date() - timedelta(days=1)


def _that_are(wanted: dict[str, str], uses: Iterable[Use]) -> list[Use]:
    return [use for use in uses if all(getattr(use, name) == value for name, value in wanted.items())]


def usd(uses: Iterable[Use]) -> Decimal:
    """Return the known cost of some jobs."""
    return sum((use.usd for use in uses if use.usd is not None), Decimal(0))


def wasted(uses: Iterable[Use]) -> list[Use]:
    """Return the jobs whose work came to nothing."""
    return [use for use in uses if use.job.waste_class]


def money(amount: Decimal | float) -> str:
    """Return an amount as the page writes it."""
    return words.usd(float(amount))


@pytest.fixture(scope="module")
def spending_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which the organisation that spends is published, with its bill to yesterday."""
    home, now = tmp_path_factory.mktemp("spending"), datetime.now(UTC)
    world = spending.runs()
    bill = spending.bill_by_day(spending.uses(world, now), now.date() - timedelta(days=1))
    spending.publish(home, world, now, bill)
    return home


@pytest.fixture(scope="module")
def known(spending_home: Path) -> Known:
    """Return the truth of that home; its jobs are as old as its newest pass says."""
    published = rows(spending_home, "select published_at from meta.publication")[0]["published_at"]
    passed = rows(spending_home, "select max(as_of) as at from marts.budgets")[0]["at"]
    assert isinstance(published, datetime)
    assert isinstance(passed, datetime)
    return Known(spending.uses(spending.runs(), passed), published.replace(tzinfo=None))


def test_headline_numbers_are_the_truth(visit: Visit, spending_home: Path, known: Known) -> None:
    """The five cards equal what the test makes of its jobs; list price and bill are two numbers."""
    now, (first, end) = known.now(), known.billed
    charged = [use for use in known.uses if use.usd and first <= use.began_at.date() <= end]
    extra = EXTRA_MINUTES * PRICES["linux"]
    unmeasured = float(UNMEASURED_MINUTES * PRICES["linux"] * len({use.began_at.date() for use in charged}))
    net = float(usd(charged) + extra) * (1 - DISCOUNT) + unmeasured
    app = visit(spending_home, "cost")
    assert shown(app) == {
        "List price": money(usd(now)),
        "Wasted": money(usd(wasted(now))),
        "Billed by GitHub": money(net),
        "Minutes": words.minutes(sum(use.minutes for use in now)),
        "Jobs without a price": words.count(sum(use.usd is None for use in now)),
    }
    changes = {metric.label: metric.delta for metric in app.metric}
    assert changes["List price"] == money(abs(usd(now) - usd(known.before())))
    assert changes["Minutes"] == words.minutes(
        abs(sum(use.minutes for use in now) - sum(use.minutes for use in known.before()))
    )
    assert f"{money(unmeasured)} of it of repositories not measured".replace(words.NBSP, " ") in text(app)


@pytest.mark.parametrize("days", [7, 14, 60])
def test_time_ranges_are_cut_at_the_same_time_of_day(
    visit: Visit, spending_home: Path, known: Known, days: int
) -> None:
    """Each range shows its own jobs; where the period before is not known in full, nothing is compared."""
    app = visit(spending_home, "cost", range=f"{days} days")
    assert shown(app)["List price"] == money(usd(known.now(days)))
    change = next(metric.delta for metric in app.metric if metric.label == "List price")
    if days == 60:
        assert change == "nothing to compare with"
        assert "so not all of the period before" in text(app)
    else:
        assert change == money(abs(usd(known.now(days)) - usd(known.before(days))))


def test_filters_come_from_the_address(visit: Visit, spending_home: Path, known: Known) -> None:
    """A link to a repository or team shows its jobs only, also of the bill."""
    lib = visit(spending_home, "cost", repository=LIB)
    assert shown(lib)["List price"] == money(usd(known.now(repository=LIB)))
    free = sum(use.minutes for use in known.now(repository=LIB) if use.usd == 0)
    assert f"{words.minutes(free)} of them free of charge".replace(words.NBSP, " ") in text(lib)
    team = visit(spending_home, "cost", team="web")
    both = known.now(repository=APP) + known.now(repository=LIB)
    assert shown(team)["List price"] == money(usd(both))
    tools = shown(visit(spending_home, "cost", repository=TOOLS))
    assert tools["List price"] == words.NOTHING  # nothing of it is known
    assert tools["Jobs without a price"] == words.count(len(known.now(repository=TOOLS)))


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("Team", lambda use: TEAMS[use.repository] or "no team"),
        ("Repository", lambda use: use.repository),
        ("Workflow", lambda use: f"{use.repository} · CI"),
        ("Runner", lambda use: "not known" if use.sku == "unknown" else use.sku),
    ],
)
def test_breakdown_adds_up(visit: Visit, spending_home: Path, known: Known, by: str, key: Callable[[Use], str]) -> None:
    """Every grouping has each job once: cost, waste, minutes, jobs, those not priced, and the change of each group."""
    frame = visit(spending_home, "cost", by=by).dataframe[0].value.set_index("name")
    assert set(frame.index) == {key(use) for use in known.now()}
    for name, row in frame.iterrows():
        mine = [use for use in known.now() if key(use) == name]
        before = [use for use in known.before() if key(use) == name]
        assert row["job_count"] == len(mine)
        assert row["billed_minutes"] == sum(use.minutes for use in mine)
        assert row["unpriced_count"] == sum(use.usd is None for use in mine)
        assert row["moved"] == pytest.approx(float(usd(mine) - usd(before)))
        if any(use.usd is not None for use in mine):
            assert row["cost_usd"] == pytest.approx(float(usd(mine)))
            assert row["waste_usd"] == pytest.approx(float(usd(wasted(mine))))
            assert sum(row["trend"]) == pytest.approx(float(usd(mine)))
        else:
            assert pd.isna(row["cost_usd"])  # not known, which is not 0


def test_waste_has_its_classes_and_evidence(visit: Visit, spending_home: Path, known: Known) -> None:
    """The classes add up to the card; an example links the job and the run or job that shows it."""
    app = visit(spending_home, "cost", **{"class": "Failed, and passed when run again"})
    frame = app.dataframe[1].value
    classes = {use.job.waste_class for use in wasted(known.now())}
    assert classes == {"flaky", "superseded", "outdated"}
    for name in classes:
        row = frame[frame["name"] == words.WASTES[str(name)]].iloc[0]
        mine = [use for use in wasted(known.now()) if use.job.waste_class == name]
        assert (row["job_count"], row["cost_usd"]) == (len(mine), pytest.approx(float(usd(mine))))
        assert row["cost_share"] == pytest.approx(float(usd(mine) / usd(known.now())))
        assert f"**{words.WASTES[str(name)]}** (`{name}`): " in text(app)
    [example] = app.dataframe[2].value.to_dict("records")
    failed = rows(
        spending_home,
        "select html_url, run_id, name from (select *, job as name from marts.jobs) where waste_class = 'flaky'",
    )
    passed = rows(
        spending_home, f"select html_url from marts.jobs where run_id = {failed[0]['run_id']} and run_attempt = 2"
    )
    assert (example["html_url"], example["because_url"]) == (failed[0]["html_url"], passed[0]["html_url"])


def test_budgets_are_spent_by_the_day_of_use(visit: Visit, spending_home: Path, known: Known) -> None:
    """Each budget shows what its jobs of the month cost and whether it is crossed, whatever is filtered."""
    month = known.published_at.date().replace(day=1)
    app = visit(spending_home, "cost", repository=TOOLS, budget="Team web")
    frame = next(table.value for table in app.dataframe if "budget_usd" in table.value).set_index("name")
    for name, repositories, key in (
        ("All repositories", {APP, LIB, TOOLS}, ("total", "total")),
        ("Team web", {APP, LIB}, ("team", "web")),
    ):
        spent = usd(use for use in known.uses if use.began_at.date() >= month and use.repository in repositories)
        assert frame.loc[name, "spent_usd"] == pytest.approx(float(spent))
        assert frame.loc[name, "budget_usd"] == float(BUDGETS[key])
        is_crossed = spent > BUDGETS[key]
        assert str(frame.loc[name, "verdict"]).startswith("✗ crossed on") == is_crossed
    assert "of 0.50 USD spent to" in text(app)


def test_days_of_a_budget_agree_with_the_budget(spending_home: Path) -> None:
    """The day of the newest pass has what is spent, the last day of the month the forecast, and every day a row."""
    found = rows(
        spending_home,
        """
        select budgets.spent_usd, budgets.forecast_usd, budgets.crossed_on,
            max(days.spent_usd) as by_then, max_by(days.forecast_usd, days.day) as in_the_end, count(*) as days,
            min(days.day) filter (where days.spent_usd > days.budget_usd) as first_above,
            date_diff('day', min(budgets.month), cast(min(budgets.month) + interval 1 month as date)) as length
        from marts.budgets as budgets inner join marts.budget_days as days using (scope, subject)
        group by budgets.spent_usd, budgets.forecast_usd, budgets.crossed_on
        """,
    )
    assert len(found) == len(BUDGETS)
    for row in found:
        assert (row["by_then"], row["in_the_end"]) == (row["spent_usd"], row["forecast_usd"])
        assert (row["first_above"], row["days"]) == (row["crossed_on"], row["length"])


def test_bill_stands_beside_the_list_price(visit: Visit, spending_home: Path, known: Known) -> None:
    """The difference is what the bill has more; repositories that are not measured stand apart."""
    first, end = known.billed
    charged = [use for use in known.uses if use.usd and first <= use.began_at.date() <= end]
    extra = EXTRA_MINUTES * PRICES["linux"]
    gross = usd(charged) + extra
    app = visit(spending_home, "cost")
    said = (
        f"list price here **{money(usd(charged))}**, {money(extra)} ({words.ratio(float(extra / gross))}) less than "
        f"the bill before discounts, **{money(gross)}**"
    )
    assert said.replace(words.NBSP, " ") in text(app)
    frame = next(table.value for table in app.dataframe if "drift_usd" in table.value)
    [unmeasured] = frame[frame["group"] == "not measured here"].to_dict("records")
    assert unmeasured["billed_minutes"] == UNMEASURED_MINUTES * len({use.began_at.date() for use in charged})
    assert pd.isna(unmeasured["drift_minutes"])
    assert frame.loc[frame["sku"] == "actions_linux", "drift_minutes"].iloc[0] == -EXTRA_MINUTES


@dataclass(frozen=True)
class Move:
    """A choice of the what-if panel: jobs of a runner on another one, with another duration."""

    runner: str
    replacement: str
    speed: str = "as long as now"
    factor: float = 1


@pytest.mark.parametrize(
    "move",
    [
        Move("linux", "linux_arm"),  # free stays free
        Move("linux", "linux_8_core", "half the time", 0.5),  # and is not, on larger runners
        Move("linux_8_core", "linux", "a quarter more time", 1.25),  # free of charge where it is public
        Move("linux_8_core", "linux_8_core"),  # what it costs now
    ],
    ids=lambda move: f"{move.runner} to {move.replacement}",
)
def test_another_runner_is_reckoned_job_by_job(visit: Visit, spending_home: Path, known: Known, move: Move) -> None:
    """The same jobs on another runner: each rounded up by itself, at its price, and as free as that runner is."""
    jobs = known.now(sku=move.runner)
    minutes = [use.minutes_at(move.factor) for use in jobs]
    costs = [use.usd_on(move.replacement, count) for use, count in zip(jobs, minutes, strict=True)]
    changed = sum((cost for cost in costs if cost is not None), Decimal(0))
    moved = usd(jobs) - changed
    app = visit(spending_home, "cost", runner=move.runner, replacement=move.replacement, speed=move.speed)
    said = text(app).replace("\\", "")
    for part in (
        f"The {words.counted(len(jobs), 'job')} on {move.runner} cost **{money(usd(jobs))}**",
        f"it would have been **{money(changed)}** for {words.minutes(sum(minutes))}",
        f"{money(abs(moved))} {'less' if moved > 0 else 'more'}" if moved else "**the same**",
    ):
        assert part.replace(words.NBSP, " ") in said


def test_measures_say_how_far_they_are_known(visit: Visit, spending_home: Path, known: Known) -> None:
    """What a concurrency group would have spared is a lower bound, and what a cancelled job had cost an upper one."""
    said = text(visit(spending_home, "cost"))
    for name, bound in (("outdated", "at least"), ("superseded", "at most"), ("flaky", "about")):
        mine = [use for use in wasted(known.now()) if use.job.waste_class == name]
        assert f": {bound} **{money(usd(mine))}**".replace(words.NBSP, " ") in said
    assert "Fail-fast" not in said  # there is none of it


def test_prices_of_jobs_are_those_of_the_price_book(spending_home: Path) -> None:
    """The stretches of marts.runner_prices give every job the price that it has."""
    strange = rows(
        spending_home,
        """
        select jobs.job_id from marts.jobs as jobs
        left join marts.runner_prices as prices on prices.sku = jobs.runner_sku
            and cast(jobs.started_at as date) >= prices.valid_from
            and (prices.valid_to is null or cast(jobs.started_at as date) <= prices.valid_to)
        where prices.usd_per_minute is distinct from jobs.usd_per_minute
        """,
    )
    assert strange == []
    assert rows(spending_home, "select count(*) as n from marts.jobs where usd_per_minute is not null")[0]["n"]


def test_what_is_missing_is_said(visit: Visit, tmp_path: Path) -> None:
    """Where nothing has a price, the cost is unknown, not 0; without a bill or a budget the page says why."""
    unpriced = tuple(run for run in spending.runs() if run.repository == TOOLS)
    spending.publish(tmp_path, unpriced, datetime.now(UTC), rules=NO_RULES)
    app = visit(tmp_path, "cost")
    assert shown(app)["List price"] == words.NOTHING
    assert "Billed by GitHub" not in shown(app)
    assert "**Costs are at least these.** They lack" in text(app)
    assert "No bill is read" in text(app)
    assert "No budget is set" in text(app)
    assert "Of no runner of this period it is known what it is billed as" in text(app)
    frame = next(table.value for table in app.dataframe if "unpriced_reason" in table.value)
    assert list(frame["unpriced_reason"]) == ["unknown_label"]


def test_what_is_free_is_said_in_words(visit: Visit, tmp_path: Path) -> None:
    """Where every job was free of charge, the page says so: no axes without bars, no share and no saving of nothing."""
    free = tuple(
        run
        for run in spending.runs()
        if run.repository == LIB and {job.label for job in run.attempts[0]} == {spending.LINUX}
    )
    spending.publish(tmp_path, free, datetime.now(UTC), rules=NO_RULES)
    app = visit(tmp_path, "cost")
    assert shown(app)["List price"] == words.usd(0)
    said = text(app)
    assert said.count("very job with a price was free of charge") == 1
    assert "Every job of the period with a price was free of charge, so there is nothing to draw." in said
    assert "it pays while" not in said
    assert not app.get("plotly_chart")
    overview = text(visit(tmp_path))
    assert "every job was free of charge" in overview
    assert "Every job of these runs was free of charge." in overview


def test_bill_by_month_is_not_spread_over_days(visit: Visit, tmp_path: Path) -> None:
    """A bill that names only months is shown as it is, has no card, and says that filters do not narrow it."""
    now = datetime.now(UTC)
    spending.publish(tmp_path, spending.runs()[:5], now, [spending.line_of_month(now.date(), 1000)], NO_RULES)
    app = visit(tmp_path, "cost", repository=APP)
    assert "Billed by GitHub" not in shown(app)
    assert "by month only" in text(app)
    assert "do not narrow it" in text(app)
    frame = next(table.value for table in app.dataframe if "drift_usd" in table.value)
    assert frame.loc[frame["sku"] == "actions_linux", "billed_net_usd"].iloc[0] == 5


def test_quiet_period_points_to_the_newest_day(visit: Visit, tmp_path: Path) -> None:
    """A period without jobs says when there were some, an organisation without any that costs will appear."""
    old = tuple(run for run in spending.runs() if run.age > timedelta(days=50))
    spending.publish(tmp_path / "old", old, datetime.now(UTC))
    app = visit(tmp_path / "old", "cost", range="14 days")
    assert not app.metric
    assert "The newest that did is of" in text(app)
    spending.publish(tmp_path / "new", (), datetime.now(UTC))
    none = visit(tmp_path / "new", "cost")
    assert not none.metric
    assert "costs appear with the first job that ends" in text(none)


def test_choices_that_are_gone_are_said(visit: Visit, spending_home: Path) -> None:
    """A link to a runner that no job used, or to a repository that is gone, says so."""
    app = visit(spending_home, "cost", runner="macos_xl")
    assert "There is no macos_xl to choose here, so this is" in text(app).replace("\\", "")
    assert "No repository **acme/moon** is known" in text(visit(spending_home, "cost", repository="acme/moon"))


@pytest.mark.parametrize("first", [{"by": "Team"}, {"class": "Began after a newer push"}])
def test_a_choice_that_a_filter_takes_away_falls_back(visit: Visit, spending_home: Path, first: dict[str, str]) -> None:
    """Who looks at teams or at a class of waste, and then chooses a repository, sees what there is of that."""
    app = visit(spending_home, "cost", **first)
    app.selectbox(key="repository").set_value(LIB).run()
    assert not app.exception
    assert list(app.dataframe[0].value["name"]) == [f"{LIB} · CI"]
    assert "No job's work came to nothing in this period" in text(app)


def test_groupings_are_those_that_filters_leave_open() -> None:
    """A page of one repository tells no repositories apart, and without teams none is offered."""
    scope = Scope(last("30 days", NOW), default_branch_only=False)
    assert groupings(scope, ["web"]) == ["Team", "Repository", "Workflow", "Runner"]
    assert groupings(scope, []) == ["Repository", "Workflow", "Runner"]
    assert groupings(Scope(scope.period, team="web"), ["web"]) == ["Repository", "Workflow", "Runner"]
    assert groupings(Scope(scope.period, repository=APP), ["web"]) == ["Workflow", "Runner"]


def test_weeks_begin_on_monday() -> None:
    """Weeks of a period are whole weeks, the first of which may begin before it."""
    period = last("14 days", NOW)
    assert list(buckets(period, "Week")) == [pd.Timestamp(2026, 11, day) for day in (9, 16, 23)]
    assert len(buckets(period, "Day")) == 14


def test_usual_replacement_is_the_next_cheaper_of_the_same_system() -> None:
    """Linux is replaced by Linux, the next cheaper one, else the next dearer; an unknown runner by anything."""
    book = pd.DataFrame(
        {"sku": ["linux", "linux_8_core", "linux_arm", "linux_slim", "windows"], "usd_per_minute": [6, 22, 5, 2, 10]}
    )
    assert usual_replacement(book, "linux") == "linux_arm"
    assert usual_replacement(book, "linux_slim") == "linux_arm"
    assert usual_replacement(book, "windows") == "windows"
    assert usual_replacement(book, "box") == "linux"


def test_verdicts_say_when() -> None:
    """A budget was crossed, will be, holds, or cannot be told yet."""

    def row(**found: object) -> object:
        columns = {"crossed_on": None, "crosses_on": None, "forecast_usd": None} | found
        return next(pd.DataFrame([columns]).itertuples())

    assert verdict(row(crossed_on=date(2026, 11, 9))) == f"✗ crossed on {words.day(date(2026, 11, 9))}"
    assert verdict(row(crosses_on=date(2026, 11, 28))) == f"▲ will be crossed on {words.day(date(2026, 11, 28))}"
    assert verdict(row(forecast_usd=4.0)) == "✓ holds, by the forecast"
    assert verdict(row()) == "? no full day to forecast from yet"

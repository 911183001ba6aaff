"""The Deliveries page as its visitors see it, on an organisation whose Argo CD was looked at after each step."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.deliveries import benchmarks
from dashboards.deliveries.cards import rate_change, weeks_known
from dashboards.deliveries.panels import VERSIONS_DRAWN, rows_of, said_of_parts
from dashboards.deliveries.tables import cell
from dashboards.scope import last
from phoenix_metrics import words
from tests.conftest import read
from tests.dashboards.conftest import COMMITTED_BEFORE, STEPS, STRANGE, commit, publish_deliveries
from tests.dashboards.test_pages import shown, text

Visit = Callable[..., AppTest]
NOTHING_NEW = {"not_succeeded", "not_new", "aborted"}
NOW = datetime(2026, 11, 25, 18, 30, tzinfo=UTC).replace(tzinfo=None)  # a Wednesday; naive like the marts


@dataclass(frozen=True)
class Known:
    """All deliveries of the organisation, as the mart has them, and when that was published."""

    deliveries: pd.DataFrame
    published_at: pd.Timestamp

    def start(self, days: int) -> pd.Timestamp:
        """Return when a time range of so many days begins."""
        return self.published_at.normalize() - timedelta(days=days - 1)

    def within(self, days: int = 30, **wanted: str) -> pd.DataFrame:
        """Return deliveries of the last so many days that have the wanted attributes."""
        rows = self.deliveries[self.deliveries["started_at"] >= self.start(days)]
        for name, value in wanted.items():
            rows = rows[rows[name] == value]
        return rows

    def headlines(self, rows: pd.DataFrame, rollbacks: int, days: int = 30) -> dict[str, str]:
        """Return the headline numbers of some deliveries, computed apart from the page."""
        weeks = max((self.published_at - self.start(days)) / timedelta(weeks=1), 1.0)  # today is not over
        decided = rows[rows["status"].isin(["succeeded", "failed", "error"])]
        return {
            "Deployments per week": words.rate(decided["deployment_id"].nunique() / weeks),
            "Change failure ratio": words.ratio(rows["failure"].notna().sum() / len(decided)),
            "Lead time, median": words.duration(rows["lead_time_seconds"].dropna().median()),
            "Recovery time, median": words.duration(rows["recovery_seconds"].dropna().median()),
            "Rollbacks": words.count(rollbacks),
            "Rework ratio": words.ratio(decided["is_rework"].sum() / len(decided)),
        }


@pytest.fixture(scope="module")
def known(delivering_home: Path) -> Known:
    """Return what the organisation delivered."""
    frame = read(delivering_home, "select * from marts.deliveries").to_pandas()
    published = read(delivering_home, "select published_at from meta.publication").to_pandas()["published_at"][0]
    return Known(frame, published)


def test_headline_numbers_are_the_truth(visit: Visit, delivering_home: Path, known: Known) -> None:
    """The six cards are those of production, and equal what pandas makes of its deliveries."""
    rows = known.within(environment="production")
    assert shown(visit(delivering_home, "deliveries")) == known.headlines(rows, rollbacks=1)
    assert len(rows) > len(known.within(environment="staging")) > 0


def test_filters_come_from_the_address(visit: Visit, delivering_home: Path, known: Known) -> None:
    """A link with filters shows the numbers of exactly the deliveries that pass them."""
    api = visit(delivering_home, "deliveries", service="api")
    assert shown(api) == known.headlines(known.within(environment="production", service="api"), rollbacks=1)
    staging = visit(delivering_home, "deliveries", environment="staging")
    assert shown(staging)["Lead time, median"] == words.duration(
        known.within(environment="staging")["lead_time_seconds"].median()
    )
    week = visit(delivering_home, "deliveries", range="7 days")
    assert shown(week) == known.headlines(known.within(7, environment="production"), rollbacks=0, days=7)


def test_choosing_is_the_same_as_linking(visit: Visit, delivering_home: Path) -> None:
    """Filters that are chosen on the page show the same numbers as a link that carries them."""
    app = visit(delivering_home, "deliveries")
    before = shown(app)
    app.selectbox(key="service").set_value("web").run()
    app.selectbox(key="range").set_value("14 days").run()
    assert shown(app) == shown(visit(delivering_home, "deliveries", service="web", range="14 days")) != before


def test_a_sync_of_several_services_is_one_deployment(visit: Visit, delivering_home: Path) -> None:
    """Frequency counts syncs and says of how many services; of one service both are the same."""
    assert "n = 10 syncs, fewer than 20; 19 service deployments" in text(visit(delivering_home, "deliveries"))
    api = text(visit(delivering_home, "deliveries", service="api"))
    assert "n = 9 syncs, fewer than 20" in api
    assert "service deployment" not in api


def test_what_is_not_known_is_said(visit: Visit, delivering_home: Path, known: Known) -> None:
    """The page says how many new versions no commit is known of, and which deployments only a revision tells of."""
    rows = known.within(environment="production")
    unattributed = (rows["lead_time_gap"].notna() & ~rows["lead_time_gap"].isin(NOTHING_NEW)).sum()
    timed = rows["lead_time_seconds"].notna().sum()
    app = visit(delivering_home, "deliveries")
    assert (
        f"Lead time is known of {timed} of {timed + unattributed} new versions; {unattributed} "
        f"({words.ratio(unattributed / (timed + unattributed))}) cannot be attributed".replace(words.NBSP, " ")
    ) in text(app)
    by_revision = (rows["version_basis"] == "revision").sum()
    assert f"Of {by_revision} of {len(rows)} service deployments only the configuration's revision is known" in text(
        app
    )
    gaps = next(table.value for table in app.dataframe if "lead_time_gap" in table.value)
    counted = rows["lead_time_gap"].value_counts()
    assert dict(zip(gaps["lead_time_gap"], gaps["delivery_count"], strict=True)) == counted.to_dict()


def test_what_runs_where(visit: Visit, delivering_home: Path) -> None:
    """Each service has one row with its version in every environment, in the order in which they are reached."""
    matrix = visit(delivering_home, "deliveries", environment="staging").dataframe[0].value
    places = [name for name in matrix.columns if name in ("staging", "production")]
    api = matrix.set_index("service").loc["api"]
    assert places == ["staging", "production"]
    assert words.version(f"main-{commit(1011)}") in api["production"]
    assert words.version(f"main-{commit(1013)}") in api["staging"]
    assert api["production"].startswith("✓")


def test_rollbacks_and_deployments_are_listed(visit: Visit, delivering_home: Path) -> None:
    """The rollback has who asked, what for and how long it took; deployments are one row a sync, newest first."""
    app = visit(delivering_home, "deliveries")
    rollbacks = next(table.value for table in app.dataframe if "evidence" in table.value)
    assert rollbacks[["kind", "initiated_by", "confidence"]].to_numpy().tolist() == [["argocd", "linus", "explicit"]]
    recent = next(table.value for table in app.dataframe if "brought" in table.value)
    assert len(recent) == 10
    assert recent["started_at"].is_monotonic_decreasing
    assert recent["brought"][0] == words.version(f"main-{commit(1011)}")
    assert list(recent["status"]).count("failed") == 1


def test_places_in_trouble_say_why() -> None:
    """What runs where carries words for an abort, for drift, for failed syncs and for bad health."""
    row = pd.Series(
        {
            "version": f"main-{commit(10)}",
            "since": pd.Timestamp(NOW),
            "state": "seen",
            "rollout_status": "aborted",
            "is_drifted": True,
            "last_status": "failed",
            "health_status": "Degraded",
        }
    )
    told = cell(row)
    assert told.startswith("▲ main-0000000 since 25")
    for words_of_it in ("Rollout aborted", "set outside Argo CD", "last sync failed", "degraded"):
        assert words_of_it in told
    calm = row.replace({"aborted": None, "failed": "succeeded", "Degraded": "Healthy"})
    calm["is_drifted"] = False
    assert cell(calm) == f"✓ main-0000000 since 25{words.NBSP}Nov{words.NBSP}18:30"


def test_no_argocd_says_what_to_set(visit: Visit, home: Path) -> None:
    """Where nothing tells of deployments the page says what would, instead of showing zeros."""
    app = visit(home, "deliveries")
    assert not app.metric
    assert "No Argo CD is read yet" in text(app)
    assert "PHOENIX_ARGOCD_URL" in text(app)


def test_no_deployment_yet_is_said(visit: Visit, tmp_path: Path) -> None:
    """An Argo CD without a deployment is named with the state of its last pass."""
    publish_deliveries(tmp_path, datetime.now(UTC), steps=())
    app = visit(tmp_path, "deliveries")
    assert not app.metric
    assert "No deployments yet" in text(app)
    assert "✓ read" in text(app)


def test_quiet_period_points_to_the_newest_deployment(visit: Visit, delivering_home: Path) -> None:
    """A period without deployments says when the newest one was; what runs where is shown all the same."""
    app = visit(delivering_home, "deliveries", service="shop", range="7 days")
    assert not app.metric
    assert "No deployment of shop to production began between" in text(app)
    assert "The newest one began on" in text(app)
    never = visit(delivering_home, "deliveries", service="web", environment="staging")
    assert "There is none at any other time either" in text(never)
    assert len(never.dataframe[0].value) == 1


def test_unknown_environment_is_said_not_replaced(visit: Visit, delivering_home: Path) -> None:
    """A link to an environment or service that is gone says so instead of showing another one."""
    for name in ("environment", "service"):
        app = visit(delivering_home, "deliveries", **{name: "moon"})
        assert not app.metric
        assert f"No {name} **moon** is known" in text(app)


def test_a_range_of_other_pages_is_no_error(visit: Visit, delivering_home: Path) -> None:
    """A link with a time range that this page does not offer shows the usual one."""
    assert shown(visit(delivering_home, "deliveries", range="24 h")) == shown(visit(delivering_home, "deliveries"))


def test_late_argocd_is_said(visit: Visit, delivering_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was last read long before the page was published is called stale; a fresh one is not."""
    assert not visit(delivering_home, "deliveries").warning
    monkeypatch.setattr("dashboards.deliveries.notices.STALE_AFTER", timedelta(0))
    assert "What Argo CD argocd tells is stale" in text(visit(delivering_home, "deliveries"))


def test_weeks_begin_where_deployments_are_known() -> None:
    """A history that begins within a period is divided by its own weeks, never by less than one."""
    period = last("30 days", NOW)
    assert weeks_known(period, NOW - timedelta(days=300)) == (NOW - period.start) / timedelta(weeks=1)
    assert weeks_known(period, NOW - timedelta(days=14)) == 2
    assert weeks_known(period, NOW - timedelta(hours=5)) == 1
    assert weeks_known(period.previous, NOW - timedelta(days=14)) is None


def test_versions_are_short() -> None:
    """Commits and digests are cut, fingerprints left out, shared tags said once; other versions stay as they are."""
    sha = "3f9c2d1" + "0" * 33
    assert words.version(f"{sha}|00ff00ff00ff00ff") == "3f9c2d1"
    assert words.version("1.4.2") == "1.4.2"
    assert words.version("20261125") == "20261125"
    assert words.version(None) == words.NOTHING
    assert words.images(f"ghcr.io/a/api:main-{sha} ghcr.io/a/web:main-{sha}") == "main-3f9c2d1"
    assert words.images("ghcr.io/a/api:1.0.0 ghcr.io/a/web:2.0.0") == "api:1.0.0, web:2.0.0"


def test_environments_stand_in_the_order_of_delivery() -> None:
    """Development comes before staging, names that nobody knows before production."""
    names = ["production", "staging", "moon", "development"]
    assert words.in_order_of_delivery(names) == ["development", "staging", "moon", "production"]
    assert words.behind(7, 0.86) == f"7{words.NBSP}commits, 0.9{words.NBSP}days"
    assert words.behind(-1, -2.0) == f"ahead 1{words.NBSP}commit, 2.0{words.NBSP}days"
    assert words.behind(0, 0.0) == "nothing"


def test_lead_times_are_made_of_their_parts(visit: Visit, delivering_home: Path, known: Known) -> None:
    """Each version has what its lead time was spent on, as the steps were written down: the parts sum to the whole."""
    app = visit(delivering_home, "deliveries", range="60 days")
    versions = next(table.value for table in app.dataframe if "pipeline_seconds" in table.value)
    rows = known.within(60, environment="production").dropna(subset="lead_time_seconds")
    steps = {commit(1000 + number): number for number in range(len(STEPS)) if number != STRANGE}
    told = rows.assign(number=rows["head_sha"].map(steps)).drop_duplicates("number").sort_values("started_at")
    waits = [(2 + number) * 3600 - 600 + 30 for number in told["number"]]  # a run of ten minutes, so much before
    assert len(versions) == len(told) == len(rows) / 2
    assert set(versions["pipeline_seconds"]) == {COMMITTED_BEFORE.total_seconds()}
    assert set(versions["build_seconds"]) == {600.0}
    assert versions["wait_seconds"].tolist()[::-1] == pytest.approx(waits, abs=2)
    parts = versions[["pipeline_seconds", "build_seconds", "wait_seconds", "rollout_seconds"]].sum(axis=1)
    assert parts.tolist() == versions["lead_time_seconds"].tolist() == told["lead_time_seconds"].tolist()[::-1]
    assert versions["image"].tolist()[-1] == words.images(f"ghcr.io/acme/shop/api:main-{told['head_sha'].iloc[0]}")


def test_versions_without_all_moments_stay_whole() -> None:
    """A version whose pipeline is not known is drawn as one part, is not in the mean, and is counted in words."""
    parts = {"pipeline_seconds": 60.0, "build_seconds": 600.0, "wait_seconds": 3600.0, "rollout_seconds": 40.0}
    known = {**parts, "lead_time_seconds": 4300.0, "is_whole": True}
    unknown = {**dict.fromkeys(parts), "lead_time_seconds": 9000.0, "is_whole": False}
    named = {"version": "1.4.2", "services": "api", "service_count": 1}
    versions = pd.DataFrame([{**named, **known}, {**named, **unknown}] * 10)
    rows = rows_of(versions)
    assert len(rows) == 1 + VERSIONS_DRAWN
    assert rows.loc[0, ["title", "wait_seconds", "lead_time_seconds"]].tolist() == [
        f"Mean of 10{words.NBSP}versions",
        3600.0,
        4300.0,
    ]
    assert rows["unknown_seconds"].dropna().unique().tolist() == [9000.0]
    said = said_of_parts(versions).replace(words.NBSP, " ")
    assert "Most of it is spent waiting to be deployed: 83.7 % of all lead time." in said
    assert "Of 10 versions only the whole is known. The newest 12 of 20 versions are drawn. n = 20 versions." in said
    assert rows_of(versions[~versions["is_whole"]])["title"].tolist() == ["1.4.2, api"] * 10


def test_one_version_is_drawn_once() -> None:
    """A single version has no mean beside it, and is counted as the card counts it, too: once for each service."""
    parts = {"pipeline_seconds": 60.0, "build_seconds": 600.0, "wait_seconds": 3600.0, "rollout_seconds": 40.0}
    named = {"version": "1.4.2", "services": "api, web, worker", "service_count": 3}
    version = pd.DataFrame([{**named, **parts, "lead_time_seconds": 4300.0, "is_whole": True}])
    assert rows_of(version)["title"].tolist() == ["1.4.2, 3 services"]
    said = said_of_parts(version).replace(words.NBSP, " ")
    assert said.endswith("n = 1 version, or 3 with each service counted, fewer than 20.")


@pytest.mark.parametrize(
    ("now", "before", "moved"), [(4.819, 5.06, "0.3"), (5.06, 5.09, None), (9.96, 12.4, "2.0"), (41.4, 20.6, "20")]
)
def test_rates_differ_by_what_is_shown(now: float, before: float, moved: str | None) -> None:
    """The difference of two rates is the one that a reader finds between them; where there is none, nothing moved."""
    change = rate_change(now, before, is_firm=True)
    assert change.text == (moved or "no change")


def test_bands_stand_beside_production(visit: Visit, delivering_home: Path) -> None:
    """DORA's clusters are named for production, for frequency of one service only, and say where they come from."""
    app = visit(delivering_home, "deliveries")
    page = text(app)
    assert page.count("DORA 2023: ") == 4
    assert "DORA 2023: choose a service to compare" in page
    assert "DORA 2023: elite, few samples" in page  # half of the lead times are under ten hours
    assert "Accelerate State of DevOps 2023" in app.metric[0].help
    assert "DORA 2023: high, few samples" in text(visit(delivering_home, "deliveries", service="api"))
    assert "DORA 2023" not in text(visit(delivering_home, "deliveries", environment="staging"))


@pytest.mark.parametrize(
    ("band", "values"),
    [
        (benchmarks.frequency_band, {None: "", 0: "", 7.1: "elite", 7: "high", 1: "high", 0.5: "medium or low"}),
        (benchmarks.frequency_band, {0.2: benchmarks.BEYOND}),
        (benchmarks.lead_time_band, {None: "", 86_399: "elite", 86_400: "high", 604_800: "medium or low"}),
        (benchmarks.lead_time_band, {31 * 86_400: benchmarks.BEYOND}),
        (benchmarks.recovery_band, {3_599: "elite", 3_600: "high", 86_400: "medium", 604_800: "low"}),
        (benchmarks.failure_band, {None: "", 0: "elite", 0.08: "high", 0.21: "medium", 0.4: "low", 1: "low"}),
    ],
)
def test_bands(band: Callable[[float | None], str], values: dict[float | None, str]) -> None:
    """A figure is in the best cluster that it reaches; of change failure ratios the nearest one counts."""
    assert {value: band(value) for value in values} == values

"""LIVE: the dashboards in deploy/grafana, each query of which a real Prometheus over a real exporter answers.

It takes some half a minute; what asks is left out where Prometheus is not installed.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.rules import Rules
from tests.conftest import publish_landing
from tests.deploy.running import PROMETHEUS, RULES, ask, exporter, prometheus, value
from tests.exporter.delivered import EUROPE, LOOKS, collect
from tests.exporter.landed import NOW, REPOSITORIES, WORKFLOWS, Attempt, ago, land, land_pass, land_repositories
from tests.exporter.serving import free_ports, wait_for

FOLDER = CHECKOUT / "deploy" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
COLUMNS = 24
WITH_BUDGET = Rules(spending_limits=[("total", "total", "%", 1500.0)])
EVERYTHING = dict.fromkeys(("repository", "workflow", "service", "environment"), ".+")
ONE = {"repository": "acme/shop", "workflow": "CI", "service": "shop", "environment": "production"}
SPANS = {"window": "24h", "__range": "1h", "__rate_interval": "1m"}
EMPTY_FOR_ONE = {("deliveries", "Rollbacks by what went back"): "in that hour only pay went back"}
FUNCTIONS = {"sum", "min", "max", "count", "round", "increase", "histogram_quantile", "time", "vector", "clamp_min"}
WORDS = {"by", "on", "ignoring", "and", "or", "unless"}
LIMITS = {  # thresholds that stand in a rule
    ("pipelines", "Failures by workflow"): ("CICDPipelineFailureRate", 0.1),
    ("pipelines", "Oldest complete news"): ("CICDSourceStale", 1800),
    ("pipelines", "Wait for a runner, 95th percentile"): ("CICDQueueLong", 600),
    ("deliveries", "Longest under way"): ("CICDDeploymentStuck", 1800),
    ("exporter-health", "Requests left"): ("CICDRateLimitLow", 0.1),
}

needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed")


@dataclass(frozen=True)
class Query:
    """What a panel asks."""

    dashboard: str
    panel: str
    expr: str
    is_instant: bool

    def filled(self, selected: dict[str, str]) -> str:
        """Return it with Grafana's variables filled in."""
        text = self.expr
        for name, its in {**SPANS, **selected}.items():
            text = text.replace(f"${name}", its)
        assert "$" not in text
        return text


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel of every dashboard."""
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            yield name, panel


QUERIES = [
    Query(name, panel["title"], target["expr"], target["instant"])
    for name, panel in panels()
    for target in panel["targets"]
]


def id_of(query: Query) -> str:
    """Name a query by where it stands."""
    return f"{query.dashboard}: {query.panel}"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Prometheus that has seen a home before and after an eventful hour; return its address."""
    folder = tmp_path_factory.mktemp("grafana")
    home, (scraped, port) = folder / "home", free_ports(2)
    land_repositories(home, ago(days=30))
    looks = [look for look in LOOKS if look <= ago(minutes=45)]
    publish(home, [Attempt(n, ago(days=n), repository=name) for n, name in enumerate(REPOSITORIES, 1)], looks)
    with exporter(folder, home, scraped), prometheus(folder, port, scraped) as address:
        wait_for(lambda: value(address, "sum(github_actions_workflow_run_total)") == 2)
        looks = [look for look in LOOKS if ago(minutes=45) < look <= ago(minutes=20)]
        publish(home, an_hour(), looks, projects=f"default,{EUROPE}")
        wait_for(lambda: value(address, 'count(ALERTS{alertstate="firing",alertname="CICDPipelineFailureRate"})') == 2)
        time.sleep(2)  # another evaluation of each group
        yield address


def publish(home: Path, attempts: list[Attempt], looks: list[Any], projects: str = "") -> None:
    """Land attempts and passes, look at Argo CD, which publishes, and publish it all again with a budget."""
    land(home, *attempts)
    for repository in REPOSITORIES:
        land_pass(home, repository, NOW)
    collect(home, looks, projects=projects)
    publish_landing(home, WITH_BUDGET)


def an_hour() -> list[Attempt]:
    """Return 52 runs of CI, a third of which failed, some of other workflows, and late ones."""
    ends = ["failure"] * 17 + ["timed_out"] + ["success"] * 32 + ["cancelled", "skipped"]
    runs = [Attempt(100 + n, ago(minutes=50 - n / 2), end, 60 + 10 * n) for n, end in enumerate(ends)]
    runs += [Attempt(200 + n, ago(minutes=40), workflow="Deploy", duration_seconds=300) for n in range(3)]
    runs += [Attempt(300 + n, ago(days=2), "timed_out", seen_at=NOW) for n in range(2)]
    return [*runs, Attempt(400, ago(minutes=30), repository="acme/api")]


def answer(address: str, query: Query, selected: dict[str, str]) -> list[dict[str, Any]]:
    """Return the series with which a panel is drawn."""
    text = query.filled(selected)
    if query.is_instant:
        return ask(address, "query", query=text)["result"]
    now = time.time()
    return ask(address, "query_range", query=text, start=now - 30, end=now, step=5)["result"]


@needs_prometheus
@pytest.mark.parametrize("query", QUERIES, ids=id_of)
def test_each_query_has_an_answer(asked: str, query: Query) -> None:
    """Prometheus reads it and has data for it."""
    assert answer(asked, query, EVERYTHING)


@needs_prometheus
@pytest.mark.parametrize("query", QUERIES, ids=id_of)
def test_a_selection_leaves_only_what_was_selected(asked: str, query: Query) -> None:
    """Filtered by one repository and workflow, or one service and environment, nothing of another is shown."""
    selected = {name: its for name, its in ONE.items() if f"${name}" in query.expr}
    found = answer(asked, query, ONE)
    assert bool(found) != ((query.dashboard, query.panel) in EMPTY_FOR_ONE)
    for series in found:
        assert all(series["metric"].get(name, its) == its for name, its in selected.items())


@needs_prometheus
@pytest.mark.parametrize("query", QUERIES, ids=id_of)
def test_each_query_names_what_there_is(asked: str, query: Query) -> None:
    """Each metric is served or recorded, each matcher and grouping names a label that it has."""
    text = query.filled(EVERYTHING)
    names = metrics_of(text)
    labels = {name: set(ask(asked, "labels", **{"match[]": name})) for name in names}
    assert names
    assert all(labels.values())
    for name, matchers in re.findall(r"([\w:]+)\{([^}]*)\}", text):
        assert set(re.findall(r"(\w+)=", matchers)) <= labels[name]
    for listed in re.findall(r"\b(?:by|on|ignoring) \(([^)]*)\)", text):
        assert set(listed.split(", ")) <= set().union(*labels.values())


def metrics_of(expr: str) -> set[str]:
    """Return the names of the metrics in an expression."""
    for noise in (r'"[^"]*"', r"\{[^}]*\}", r"\b(?:by|on|ignoring) \([^)]*\)", r"\[\w+\]"):
        expr = re.sub(noise, "", expr)
    return set(re.findall(r"\b[a-zA-Z_][\w:]*", expr)) - FUNCTIONS - WORDS


@needs_prometheus
def test_variables_offer_what_there_is(asked: str) -> None:
    """Each variable's query lists the values that its label has."""
    offered = {}
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
                for name, its in EVERYTHING.items():
                    selector = selector.replace(f"${name}", its)
                offered[variable["name"]] = set(ask(asked, f"label/{label}/values", **{"match[]": selector}))
    assert offered == {
        "repository": set(REPOSITORIES),
        "workflow": {workflow for _, workflow in WORKFLOWS},
        "service": {"shop", "search", "pay"},
        "environment": {"production", "staging"},
    }


@needs_prometheus
def test_a_point_among_the_durations_leads_to_a_run(asked: str) -> None:
    """The exemplars that Prometheus kept have what the link of the provisioned datasource is made of."""
    [panel] = [panel for _, panel in panels() if any(target.get("exemplar") for target in panel["targets"])]
    text = Query("pipelines", panel["title"], panel["targets"][0]["expr"], is_instant=False).filled(EVERYTHING)
    spans = ask(asked, "query_exemplars", query=text, start=ago(days=2).timestamp(), end=NOW.timestamp())
    links = {
        destination["url"]
        .replace("$${__data.fields.repository}", series["seriesLabels"]["repository"])
        .replace("$${__value.raw}", exemplar["labels"][destination["name"]])
        for destination in provisioned("datasources")["datasources"][0]["jsonData"]["exemplarTraceIdDestinations"]
        for series in spans
        for exemplar in series["exemplars"]
    }
    assert "https://github.com/acme/api/actions/runs/400" in links
    assert all(re.fullmatch(r"https://github\.com/acme/(shop|api)/actions/runs/\d+", link) for link in links)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_knows_every_key(name: str) -> None:
    """Read and written by Grafana's own model of its dashboards, nothing gets lost or changes."""
    register_default_plugins()
    dashboard = DASHBOARDS[name]
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    assert list(lost(dashboard, again)) == []


def lost(said: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Yield where something is said that is not kept; defaults may have come in addition."""
    if isinstance(said, dict) and isinstance(kept, dict):
        for key, its in said.items():
            yield from lost(its, kept.get(key, "nothing"), f"{path}.{key}")
    elif isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        for index, (one, other) in enumerate(zip(said, kept, strict=True)):
            yield from lost(one, other, f"{path}[{index}]")
    elif said != kept:
        yield path


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_complete(name: str) -> None:
    """It is found by its address, knows its Prometheus only by a variable, says what it is and when it is drawn."""
    dashboard = DASHBOARDS[name]
    assert dashboard["uid"] == f"phoenix-{name}"
    assert dashboard["description"].endswith(".")
    assert (dashboard["schemaVersion"], dashboard["refresh"]) == (42, "1m")
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    variables = [variable for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    holders = [*variables, *dashboard["panels"], *(t for panel in dashboard["panels"] for t in panel["targets"])]
    assert {json.dumps(holder["datasource"]) for holder in holders} == {
        '{"type": "prometheus", "uid": "${datasource}"}'
    }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_fill_the_page_without_overlaps(name: str) -> None:
    """Each cell of the grid belongs to one panel; ids are those of the order in the file."""
    cells = Counter(
        (x, y)
        for panel in DASHBOARDS[name]["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    )
    assert set(cells.values()) == {1}
    assert len(cells) == COLUMNS * (1 + max(y for _, y in cells))
    assert max(x for x, _ in cells) == COLUMNS - 1
    assert [panel["id"] for panel in DASHBOARDS[name]["panels"]] == list(range(1, len(DASHBOARDS[name]["panels"]) + 1))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_explains_itself(name: str) -> None:
    """It says what it counts, in which unit, and what it means when it is empty."""
    for panel in DASHBOARDS[name]["panels"]:
        assert panel["description"].endswith("."), panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"], panel["title"]
        assert panel["type"] == "table" or defaults.get("unit") or panel["options"]["yAxis"]["unit"], panel["title"]


def test_titles_name_one_panel_each() -> None:
    """No two panels of a dashboard are called the same."""
    assert max(Counter((name, panel["title"]) for name, panel in panels()).values()) == 1


@pytest.mark.parametrize("query", QUERIES, ids=id_of)
def test_counters_are_asked_for_their_increase(query: Query) -> None:
    """No panel shows a bare counter, and none averages anything: percentiles have no mean."""
    rest = re.sub(r"increase\(\w+(\{[^}]*\})?\[[^\]]+\]\)", "", query.expr)
    assert not re.search(r"_(total|bucket|count|sum)\b", rest)
    assert not re.search(r"\bavg", query.expr)


def test_thresholds_are_the_alerts_limits() -> None:
    """Where a panel turns red, the alert of the same name begins to wait."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    exprs = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"] if "alert" in rule}
    for (name, title), (alert, limit) in LIMITS.items():
        [panel] = [panel for its, panel in panels() if (its, panel["title"]) == (name, title)]
        assert [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, limit]
        assert alert in panel["description"]
        written = f"{timedelta(seconds=limit).total_seconds() / 60:.0f} * 60" if limit == 1800 else str(limit)
        assert written in exprs[alert]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_files_are_written_one_way(path: Path) -> None:
    """Two spaces, a line for each value, the keys of a panel in one order: a change is a small difference."""
    text = path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    order = ["id", "type", "title", "description", "gridPos", "datasource", "interval", "targets", "transformations"]
    order += ["fieldConfig", "options"]
    for panel in json.loads(text)["panels"]:
        assert list(panel) == [key for key in order if key in panel]


def provisioned(kind: str) -> Any:
    """Return what is provisioned of a kind."""
    [path] = (FOLDER / "provisioning" / kind).glob("*.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_provisioning_finds_the_dashboards() -> None:
    """Beside the folder that Grafana is given lie the dashboards, and the datasource has the scrape interval."""
    [provider] = provisioned("dashboards")["providers"]
    given = provider["options"]["path"].replace("$GF_PATHS_PROVISIONING", str(FOLDER / "provisioning"))
    assert {path.stem for path in Path(given).resolve().glob("*.json")} == set(DASHBOARDS)
    assert set(DASHBOARDS) == {"pipelines", "deliveries", "exporter-health"}
    [datasource] = provisioned("datasources")["datasources"]
    scraping = yaml.safe_load((RULES.parent / "prometheus.yml").read_text(encoding="utf-8"))["global"]
    assert datasource["type"] == "prometheus"
    assert datasource["jsonData"]["timeInterval"] == scraping["scrape_interval"]


def test_the_readme_lists_the_dashboards() -> None:
    """Each file stands in the README beside it."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}.json`" in readme for name in DASHBOARDS)

"""The runbooks: a section for each rule, whose SQL runs."""

import csv
import re
from pathlib import Path
from typing import Any

import yaml

from phoenix_metrics.settings import CHECKOUT
from tests.conftest import publish_landing, read

TEXT = (CHECKOUT / "docs" / "runbooks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def rules() -> list[dict[str, str]]:
    with (CHECKOUT / "sql" / "seeds" / "alert_rules.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def prometheus_alerts() -> list[dict[str, Any]]:
    text = (CHECKOUT / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "alert" in rule]


def test_every_rule_has_a_section_that_its_link_finds() -> None:
    """A heading is the rule's name, which GitHub makes the anchor of, in small letters."""
    links = {name: f"docs/runbooks.md#{name.lower()}" for name in SECTIONS}
    ours = {rule["rule"]: rule["runbook"] for rule in rules()}
    theirs = {rule["alert"]: rule["annotations"]["runbook"] for rule in prometheus_alerts()}
    assert ours | theirs == links
    assert set(theirs) - set(ours) == {"CICDExporterDown", "CICDSnapshotUnreadable"}  # which only Prometheus can tell
    assert set(ours) <= set(theirs)


def test_both_have_the_same_limits_and_times() -> None:
    """What a rule of ours says of limits, samples and times stands in Prometheus's rule of that name, too."""
    theirs = {rule["alert"]: rule for rule in prometheus_alerts()}
    for rule in rules():
        alert = theirs[rule["rule"]]
        assert seconds(alert.get("for", "0s")) == int(rule["for_seconds"]), rule["rule"]
        assert seconds(alert.get("keep_firing_for", "0s")) == int(rule["keep_seconds"]), rule["rule"]
        assert alert["labels"]["severity"] == rule["severity"]
        if rule["rule"] not in ("CICDBudgetBurn", "CICDScheduleMissed"):  # whose limit is a budget, and a yes or no
            numbers = {
                eval(one) for one in re.findall(r"(?<![\w.])[\d.]+(?: \* \d+)?(?![\w.])", alert["expr"])
            }  # 30 * 60
            assert float(rule["threshold"]) in numbers, rule["rule"]


def seconds(span: str) -> int:
    """Return a span of Prometheus's in seconds."""
    return int(span[:-1]) * {"s": 1, "m": 60, "h": 3600}[span[-1]]


def test_every_section_says_what_to_do_and_its_sql_runs(tmp_path: Path) -> None:
    """Each says what the alert means, what to look at first, by a query on the snapshot, and what usually helps."""
    publish_landing(tmp_path)
    for text in SECTIONS.values():
        assert [word in text for word in ("**Means**", "**Look first**", "**Usually helps**")] == [True] * 3
        [query] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
        assert read(tmp_path, query).num_rows == 0

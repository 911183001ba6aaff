"""The runbooks: a section for each rule, whose SQL runs."""

import csv
import re
from pathlib import Path

from phoenix_metrics.settings import CHECKOUT
from tests.conftest import publish_landing, read

TEXT = (CHECKOUT / "docs" / "runbooks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def rules() -> list[dict[str, str]]:
    with (CHECKOUT / "sql" / "seeds" / "alert_rules.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_rule_has_a_section_that_its_link_finds() -> None:
    """A heading is the rule's name, which GitHub makes the anchor of, in small letters."""
    assert {rule["rule"]: rule["runbook"] for rule in rules()} == {
        name: f"docs/runbooks.md#{name.lower()}" for name in SECTIONS
    }


def test_every_section_says_what_to_do_and_its_sql_runs(tmp_path: Path) -> None:
    """Each says what the alert means, what to look at first, by a query on the snapshot, and what usually helps."""
    publish_landing(tmp_path)
    for text in SECTIONS.values():
        assert [word in text for word in ("**Means**", "**Look first**", "**Usually helps**")] == [True] * 3
        [query] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
        assert read(tmp_path, query).num_rows == 0

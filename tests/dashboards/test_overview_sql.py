"""Every number on the overview is what `phoenix sql` answers, and the SQL that panels show is SQL that runs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from phoenix_metrics import words
from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.dashboards.conftest import PAGES

Visit = Callable[..., AppTest]
Ask = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def ask(delivering_home: Path) -> Ask:
    """Return what `phoenix sql` answers on the organisation that delivers."""

    def run(query: str) -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "phoenix_metrics.cli", "sql", query, "--format", "json"]
        environment = {"PATH": os.environ["PATH"], "PHOENIX_HOME": str(delivering_home)}
        done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def numbers(app: AppTest) -> dict[str, str]:
    """Return the headline numbers by their labels."""
    return {metric.label: metric.value for metric in app.metric}


def test_cards_are_what_sql_answers(visit: Visit, delivering_home: Path, ask: Ask) -> None:
    """The five cards, by queries written here from the definitions."""
    app = visit(delivering_home)
    first = datetime.now(UTC).date().toordinal() - 29
    since = f"date '{datetime.fromordinal(first):%Y-%m-%d}'"
    [runs] = ask(f"""
        select count(*) filter (where outcome = 'failure') / count(*) as failure_ratio,
            quantile_cont(duration_seconds, 0.95) as p95,
            count(*) filter (where is_flaky) / count(*) as flaky_ratio
        from marts.workflow_runs
        where is_default_branch and outcome in ('success', 'failure') and day >= {since}
    """)
    [cost] = ask(f"select sum(cost_usd) as usd from marts.workflow_daily where is_default_branch and day >= {since}")
    [deployed] = ask(f"""
        select count(distinct deployment_id) as number from marts.deliveries
        where environment = 'production' and is_decided and started_at >= {since}
    """)
    assert numbers(app) == {
        "Failure ratio": words.ratio(runs["failure_ratio"]),
        "Duration, p95": words.duration(runs["p95"]),
        "Flaky runs": words.ratio(runs["flaky_ratio"]),
        "Deployments to production": words.count(deployed["number"]),
        "Cost": words.usd(float(cost["usd"])),
    }
    [back] = ask(
        f"select count(*) as n from marts.rollbacks where environment = 'production' and started_at >= {since}"
    )
    assert any(words.counted(back["n"], "rollback") in str(caption.value) for caption in app.caption)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "sql"])
def test_panels_show_sql_that_runs(visit: Visit, delivering_home: Path, page: str) -> None:
    """Each panel has the questions that it asked, with their parameters put in, and the snapshot answers them."""
    queries = [block.value for block in visit(delivering_home, page).code if block.language == "sql"]
    assert queries
    reader = SnapshotReader(delivering_home)
    try:
        for query in queries:
            assert not re.search(r"\$[a-z_]+\b", query)
            reader.query(query)
    finally:
        reader.close()

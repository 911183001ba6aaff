"""What the dashboard may know: settings, snapshot, words and errors, and of the snapshot only the public marts."""

import ast
import re

from tests.dashboards.conftest import APP

MODULES = sorted(APP.parent.rglob("*.py"))
ALLOWED = {"settings", "warehouse.snapshot", "warehouse.sandbox", "words", "errors"}


def test_imports_point_to_the_snapshot_only() -> None:
    """No page imports anything of the pipeline but its settings, its snapshots, its words and its errors."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = [
        (node.module or "", alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    found += [(alias.name, "") for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    ours = [
        (module.removeprefix("phoenix_metrics").lstrip("."), name)
        for module, name in found
        if module.startswith("phoenix_metrics")
    ]
    assert {module or name for module, name in ours} == ALLOWED


def test_queries_name_marts_only() -> None:
    """Queries read public marts, never the pipeline's inner tables."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in MODULES)
    assert not re.search(r"\b(staging|seeds|landing|meta)\.\w+", text)
    assert "marts.workflow_runs" in text

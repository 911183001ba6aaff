"""The house rules: imports and layers point one way, every model is described and has a case, docs list what exists."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from phoenix_metrics.cli import app
from phoenix_metrics.settings import CHECKOUT, describe_settings
from phoenix_metrics.warehouse import landing
from phoenix_metrics.warehouse.models import LAYERS, load_checks, load_models
from tests.mutations import BUGS

# Who may import whom: a module may import what its longest matching room lists, its own room, and errors.
ROOMS = {
    "phoenix_metrics.errors": (),
    "phoenix_metrics.settings": (),
    "phoenix_metrics.progress": (),
    "phoenix_metrics.words": (),
    "phoenix_metrics.slack": (),
    "phoenix_metrics.sources": ("phoenix_metrics.settings",),
    "phoenix_metrics.warehouse": ("phoenix_metrics.settings",),
    "phoenix_metrics.alerts": (
        "phoenix_metrics.settings",
        "phoenix_metrics.warehouse.snapshot",
        "phoenix_metrics.words",
        "phoenix_metrics.slack",
    ),
    "phoenix_metrics.exporter": ("phoenix_metrics.settings", "phoenix_metrics.warehouse.snapshot"),
    "phoenix_metrics.query": ("phoenix_metrics.settings", "phoenix_metrics.warehouse.snapshot"),
    "phoenix_metrics.report": (
        "phoenix_metrics.settings",
        "phoenix_metrics.warehouse.snapshot",
        "phoenix_metrics.words",
        "phoenix_metrics.slack",
    ),
    "phoenix_metrics.webhooks": ("phoenix_metrics.settings",),
    "phoenix_metrics.demo": (),
    "phoenix_metrics.defs": (
        "phoenix_metrics.settings",
        "phoenix_metrics.sources",
        "phoenix_metrics.warehouse",
        "phoenix_metrics.webhooks",
        "phoenix_metrics.alerts",
        "phoenix_metrics.report",
        "phoenix_metrics.progress",
    ),
    "phoenix_metrics.definitions": (),
    "dashboards": (
        "phoenix_metrics.settings",
        "phoenix_metrics.warehouse.snapshot",
        "phoenix_metrics.warehouse.sandbox",  # questions that readers write themselves
        "phoenix_metrics.words",
    ),
}


def python_files() -> Iterator[Path]:
    for folder in ("phoenix_metrics", "dashboards"):
        yield from sorted((CHECKOUT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module of ours that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "phoenix_metrics"}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)


@pytest.mark.parametrize("path", python_files(), ids=module_of)
def test_imports_point_one_way(path: Path) -> None:
    """Sources and warehouse know at most settings, readers know only snapshots, the demo knows nobody."""
    module = module_of(path)
    room = max((room for room in ROOMS if module.startswith(room)), key=len, default=None)
    if room is None:
        return
    allowed = (*ROOMS[room], room, "phoenix_metrics.errors")
    strangers = {name for name in imports(path) if not name.startswith(allowed)}
    if room == "phoenix_metrics.demo":
        strangers |= {name for name in imports(path) if name.startswith("phoenix_metrics.errors")}
    assert strangers == set()


def test_only_the_command_knows_the_demo() -> None:
    """The demo organisation is met over HTTP; one command starts it."""
    known_by = {
        module_of(path)
        for path in python_files()
        if not module_of(path).startswith("phoenix_metrics.demo")
        and any(name.startswith("phoenix_metrics.demo") for name in imports(path))
    }
    assert known_by == {"phoenix_metrics.cli"}


def test_only_the_writer_opens_the_store() -> None:
    """duckdb.connect stands in the store, in the snapshot reader and in the sandbox's process, nowhere else."""
    callers = {module_of(path) for path in python_files() if "duckdb.connect(" in path.read_text(encoding="utf-8")}
    assert callers == {f"phoenix_metrics.warehouse.{module}" for module in ("store", "snapshot", "confined")}


def test_only_defs_and_the_pipeline_know_dagster() -> None:
    """Everything else runs and is tested without it."""
    for path in python_files():
        module = module_of(path)
        if not module.startswith(("phoenix_metrics.defs", "phoenix_metrics.definitions", "phoenix_metrics.pipeline")):
            assert not re.search(r"^\s*(import|from) dagster\b", path.read_text(encoding="utf-8"), re.MULTILINE), module


def test_the_environment_is_read_from_a_mapping() -> None:
    """The settings are given the environment; it never reaches for it."""
    assert "os.environ" not in (CHECKOUT / "phoenix_metrics" / "settings" / "__init__.py").read_text(encoding="utf-8")


def test_sql_layers_point_one_way() -> None:
    """Staging reads landing, marts read staging, marts and seeds (load_models raises else); every object is read."""
    models = load_models()
    read = {table for model in models.values() for table in model.upstream}
    assert {table.partition(".")[0] for table in read} <= set(LAYERS)
    assert {table for table in read if table.startswith("landing.")} == {f"landing.{name}" for name in landing.OBJECTS}


def test_sql_reads_no_clock() -> None:
    """Any case can be repeated, because no query asks for the time."""
    for path in (CHECKOUT / "sql").rglob("*.sql"):
        text = re.sub(r"--[^\n]*|/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"\b(now|current_timestamp|current_date|today|random)\b", text, re.IGNORECASE), path


def test_every_model_is_described_and_has_a_case() -> None:
    """Each table and column says what it means, and each model and check has a case that shows it."""
    for table, model in load_models().items():
        assert model.description.endswith("."), table
        assert all(column.comment for column in model.columns), table
        assert list((CHECKOUT / "tests" / "sql" / model.schema / model.name).glob("*.yaml")), f"no case for {table}"
    for name in load_checks():
        assert list((CHECKOUT / "tests" / "sql" / "checks" / name).glob("*.yaml")), f"no case for check {name}"


def test_the_readme_lists_every_setting_and_command() -> None:
    """What exists is documented, under its name."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    missing = [name for name, _, _ in describe_settings() if name not in text]
    commands = [command.callback.__name__ for command in app.registered_commands if command.callback]
    missing += [f"phoenix {name}" for name in commands if f"phoenix {name}" not in text]
    assert missing == []


def test_every_mart_is_in_the_readme_or_the_docs() -> None:
    """A reader finds each table by name."""
    text = (CHECKOUT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert [table for table in load_models() if table.startswith("marts.") and f"`{table}`" not in text] == []


def test_locks_name_no_host() -> None:
    """The lock files pin with hashes and leave the registry to whoever installs."""
    for lock in CHECKOUT.glob("*.lock"):
        text = lock.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|--index-url", text), lock


def test_every_bug_can_be_planted() -> None:
    """What `tests/mutations.py` replaces is there once: a bug that cannot be planted says nothing of the tests."""
    counts = {bug.name: (CHECKOUT / bug.file).read_text(encoding="utf-8").count(bug.right) for bug in BUGS}
    assert {name: count for name, count in counts.items() if count != 1} == {}


def test_no_module_is_a_grab_bag() -> None:
    """A module has one subject and is named for it."""
    names = {path.stem for path in python_files()}
    assert not names & {"utils", "util", "helpers", "common", "misc"}


def test_nothing_that_is_committed_names_this_machine() -> None:
    """No absolute path of a checkout stands in a committed file."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    ).stdout.split()
    for name in listed:
        path = CHECKOUT / name
        if path.is_file() and path.suffix in {".py", ".md", ".sql", ".toml", ".yml", ".yaml", ".json", ""}:
            assert f"{CHECKOUT.parent}/" not in path.read_text(encoding="utf-8", errors="ignore"), name

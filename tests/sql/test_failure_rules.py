"""The rules of why things failed: each is tried, the first that fits wins, and those that were set come first."""

import csv
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.settings import SettingsError, load_settings
from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import SQL_ROOT, load_models
from phoenix_metrics.warehouse.rules import regex_of, rules_of
from tests.sql.conftest import OpenStore
from tests.sql.test_cases import Loader, fill, rows_of

SEED = SQL_ROOT / "seeds" / "failure_rules.csv"
MODELS = load_models()
MARTS = {"job": "job_failures", "run": "run_failures", "deployment": "deployment_failures"}
WORDS = ("run unit tests", "lint", "set up job", "deploy", "odd")


def seed() -> list[dict[str, str]]:
    with SEED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rules_are_in_order_and_complete() -> None:
    """Each rule has a rank of its own above 0, a name of its own, a class, a source, and something to look at."""
    rules = seed()
    assert [int(rule["rank"]) for rule in rules] == sorted({int(rule["rank"]) for rule in rules})
    assert int(rules[0]["rank"]) > 0
    assert len({rule["rule"] for rule in rules}) == len(rules)
    looked_at = ("conclusion", "signs", "step", "job", "message", "seconds_from")
    assert [rule for rule in rules if not rule["source"] or not any(rule[name] for name in looked_at)] == []
    assert {rule["subject"] for rule in rules} <= {*MARTS}
    assert {rule["outcome"] for rule in rules} <= {"failure", "cancelled", "success"}
    for rule in rules:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", rule["failure_class"]), rule
        for name in ("signs", "step", "job", "message"):
            assert rule[name] == rule[name].lower(), f"{rule['rule']}: {name} is compared in small letters"


def test_every_rule_has_a_case() -> None:
    """A row of some case is decided by each rule."""
    decided = set()
    for name in MARTS.values():
        for path in (Path(__file__).parent / "marts" / name).glob("*.yaml"):
            case = yaml.load(path.read_text(encoding="utf-8"), Loader)  # a SafeLoader that knows less
            decided |= {(row.get("rule"), row["failure_class"]) for row in case["expect"] if "failure_class" in row}
    assert {(rule["rule"], rule["failure_class"]) for rule in seed()} - decided == set()


def test_every_class_is_explained() -> None:
    """docs/definitions.md has a line for each class, and none for a class that no rule gives."""
    text = (SQL_ROOT.parent / "docs" / "definitions.md").read_text(encoding="utf-8")
    section = text.partition("## Why it failed")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {
        *(rule["failure_class"] for rule in seed()),
        "unclassified",
    }


@st.composite
def rule_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw some rules over few words, in an order of their own."""
    word = st.sampled_from([None, None, *WORDS, "unit", "l.nt|job$", "^$"])
    span = st.sampled_from([None, 0, 60, 61])
    return [
        {
            "rank": rank,
            "subject": draw(st.sampled_from(["job", "job", "run"])),
            "rule": f"rule {rank}",
            "failure_class": draw(st.sampled_from(["a", "b"])),
            "outcome": draw(st.sampled_from(["failure", "failure", "cancelled"])),
            "conclusion": draw(st.sampled_from([None, None, "failure", "timed_out"])),
            "signs": draw(st.sampled_from([None, None, "^runner ", "no-steps"])),
            "step": draw(word),
            "job": draw(word),
            "seconds_from": draw(span),
            "seconds_to": draw(span),
        }
        for rank in draw(st.permutations(range(-2, draw(st.integers(0, 5)))))
    ]


@st.composite
def stopped_jobs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw some jobs that failed or were cancelled, half of them with a step that failed."""
    word = st.sampled_from([name.title() for name in WORDS])
    return [
        {
            "job_id": job_id,
            "name": draw(word),
            "step": draw(st.one_of(st.none(), word)),
            "conclusion": draw(st.sampled_from(["failure", "timed_out", "cancelled"])),
            "seconds": draw(st.sampled_from([0, 60, 61, 3600])),
            "runner_id": draw(st.sampled_from([None, 5])),
        }
        for job_id in range(1, draw(st.integers(1, 6)) + 1)
    ]


@given(rules=rule_lists(), jobs=stopped_jobs())
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_first_rule_that_fits_wins(
    open_store: OpenStore, rules: list[dict[str, Any]], jobs: list[dict[str, Any]]
) -> None:
    """For any rules and any jobs the mart says what looking through the rules in their order says."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        fill(connection, {"seeds.failure_rules": rules, **staged(jobs)})
        expected = [(job["job_id"], *first_fit(rules, job)) for job in jobs]
        build_mart(connection, MODELS["marts.job_failures"], MODELS)
        found = rows_of(connection, "select job_id, rule, failure_class from marts.job_failures")
        assert [tuple(row.values()) for row in found] == [row for row in expected if row[2] is not None]


def test_each_text_is_judged_for_itself(open_store: OpenStore, tmp_path: Path) -> None:
    """Our own rules say of all texts of the cases at once what they say of each alone, however these stand together."""
    rules = [{key: value or None for key, value in rule.items()} for rule in seed()]
    for rule in rules:
        rule |= {key: None if rule[key] is None else int(rule[key]) for key in ("rank", "seconds_from", "seconds_to")}
    texts = sorted(
        {text for path in (Path(__file__).parent / "marts" / "job_failures").glob("*.yaml") for text in words(path)}
    )
    jobs = [
        {"job_id": number, "name": name, "step": step, "conclusion": "failure", "seconds": 60, "runner_id": 5}
        for number, (name, step) in enumerate([*product(["ci", "unit", "e2e"], texts), *product(texts, [None])], 1)
    ]
    with open_store(tmp_path) as connection:
        fill(connection, staged(jobs))
        build_mart(connection, MODELS["marts.job_failures"], MODELS)
        found = rows_of(connection, "select job_id, rule, failure_class from marts.job_failures")
        assert {tuple(row.values()) for row in found} == {(job["job_id"], *first_fit(rules, job)) for job in jobs}


def words(path: Path) -> Iterator[str]:
    """Yield the titles of steps and the names of jobs in a case."""
    given = yaml.load(path.read_text(encoding="utf-8"), Loader)["given"]  # a SafeLoader that knows less
    for table in ("staging.github_jobs", "staging.github_steps"):
        yield from (row["name"] for row in given.get(table, []) if "name" in row)


def first_fit(rules: list[dict[str, Any]], job: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return rule and class of a job by trying one rule after the other; no class where it is none of our business."""
    outcome = "cancelled" if job["conclusion"] == "cancelled" else "failure"
    steps = "no-steps" if job["step"] is None else "cancelled-step" if outcome == "cancelled" else "failed-step"
    signs = f"{'runner' if job['runner_id'] else 'runner-unknown'} {steps} run-failure"
    if outcome == "cancelled" and any(other["conclusion"] != "cancelled" and other["seconds"] <= job["seconds"]
                                      <= other["seconds"] + 60 for other in job["siblings"]):  # fmt: skip
        signs += " after-failure"
    texts = {"signs": signs, "step": job["step"], "job": job["name"], "message": None}
    for rule in sorted(rules, key=lambda rule: rule["rank"]):
        if (
            rule["subject"] == "job"
            and rule["outcome"] == outcome
            and rule["conclusion"] in (None, job["conclusion"])
            and all(
                rule.get(key) is None or (text and re.search(rule[key], text.lower())) for key, text in texts.items()
            )
            and (rule["seconds_from"] is None or job["seconds"] >= rule["seconds_from"])
            and (rule["seconds_to"] is None or job["seconds"] <= rule["seconds_to"])
        ):
            return rule["rule"], rule["failure_class"]
    return None, "unclassified" if outcome == "failure" else None


def staged(jobs: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables that hold some jobs of one run."""
    run = {"run_id": 1, "run_attempt": 1, "repository_id": 7, "day": "2026-03-02", "status": "completed"}
    tables: dict[str, list[dict[str, Any]]] = {
        "staging.github_repositories": [{"repository_id": 7, "repository": "acme/app"}],
        "staging.github_run_attempts": [{**run, "conclusion": "failure"}],
        "staging.github_jobs": [],
        "staging.github_steps": [],
    }
    for job in jobs:
        job["siblings"] = jobs
        end = f"2026-03-02 {10 + job['seconds'] // 3600}:{job['seconds'] % 3600 // 60:02}:{job['seconds'] % 60:02}"
        times = {"started_at": "2026-03-02 10:00:00", "completed_at": end, "status": "completed"}
        kept = {key: job[key] for key in ("job_id", "name", "conclusion", "runner_id")}
        place = {"run_id": 1, "run_attempt": 1, "repository_id": 7}
        tables["staging.github_jobs"].append({**place, **times, **kept})
        if job["step"] is not None:
            step = {"job_id": job["job_id"], "run_id": 1, "step_number": 1, "name": job["step"]}
            tables["staging.github_steps"].append({**step, "conclusion": job["conclusion"]})
    return tables


GLOBS = st.lists(st.text(alphabet="ab.*?+(|\\^$ -/", min_size=1, max_size=6), min_size=1, max_size=3)


@given(globs=GLOBS, text=st.text(alphabet="ab.+(|\\^$ -/", max_size=8))
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_globs_mean_what_they_say(globs: list[str], text: str) -> None:
    """A star stands for any text and a question mark for one character, all else for itself; the database agrees."""
    found = duckdb.execute("select regexp_matches(?, ?)", [text, regex_of(globs)]).fetchone()
    assert found == (any(matches(glob, text) for glob in globs),)


def matches(glob: str, text: str) -> bool:
    """Compare a text with a glob, character by character."""
    if not glob:
        return not text
    if glob[0] == "*":
        return any(matches(glob[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and glob[0] in ("?", text[0]) and matches(glob[1:], text[1:])


TOML = """
[[failure_rules]]
failure_class = "licence_server"
step = "Simulate*"
job = ["simulator*", "fpga (*)"]

[[failure_rules]]
failure_class = "timeout"
timeout_minutes = 25
"""


def test_rules_that_were_set_come_first_and_reach_history(open_store: OpenStore, tmp_path: Path) -> None:
    """Rules of phoenix.toml win over ours, and setting them is enough for what is stored already."""
    (tmp_path / "phoenix.toml").write_text(TOML, encoding="utf-8")
    rules = rules_of(load_settings({"PHOENIX_CONFIG": str(tmp_path / "phoenix.toml")}))
    jobs = [
        {"job_id": 1, "name": "FPGA (unit)", "step": "Simulate board", "conclusion": "failure", "seconds": 60},
        {"job_id": 2, "name": "fpga", "step": "Simulate tests", "conclusion": "failure", "seconds": 60},
        {"job_id": 3, "name": "unit", "step": None, "conclusion": "cancelled", "seconds": 1507},
    ]
    with open_store(tmp_path) as connection:
        tables = staged([{**job, "runner_id": 5} for job in jobs])
        stopped = {"run_id": 2, "run_attempt": 1, "repository_id": 7, "day": "2026-03-02", "status": "completed"}
        tables["staging.github_run_attempts"].append({**stopped, "conclusion": "cancelled"})
        tables["staging.github_jobs"].append({**tables["staging.github_jobs"][2], "job_id": 4, "run_id": 2})
        fill(connection, tables)
        for known in ({}, {"rules": rules}, {}):
            load_seeds(connection, **known)
            found = []
            for table in ("marts.job_failures", "marts.jobs"):
                build_mart(connection, MODELS[table], MODELS)
                query = f"select job_id, failure_class from {table} where failure_class is not null"
                found.append({row["job_id"]: row["failure_class"] for row in rows_of(connection, query)})
            assert found[0] == found[1]
            if known:
                assert found[0] == {1: "licence_server", 2: "tests", 3: "timeout"}
            else:
                assert found[0] == {1: "unit_tests", 2: "tests"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('failure_class = "Licence Server"\nstep = "x"', "failure_class: expected a word of small letters"),
        ('failure_class = "a"', "failure_rules.1: expected a step, a job, a message or timeout_minutes"),
        ('step = "x"', "failure_rules.1.failure_class: not set; each table needs it"),
        ('failure_class = "a"\nstep = "[x]"', "failure_rules.1.step.1: expected a glob of"),
        ('failure_class = "a"\nstpe = "x"', "failure_rules.1.stpe is not a setting; did you mean step?"),
        ('failure_class = "a"\nsubject = "deployment"\nstep = "x"', "expected of a deployment a message"),
        ('failure_class = "a"\nsubject = "run"\nstep = "x"', "failure_rules.1.subject: expected 'job' or 'deployment'"),
        ('failure_class = "a"\ntimeout_minutes = 0', "failure_rules.1.timeout_minutes: expected greater than or equal"),
    ],
)
def test_a_wrong_rule_is_one_clear_line(tmp_path: Path, table: str, said: str) -> None:
    """A rule that cannot be meant stops with its place and what is accepted."""
    (tmp_path / "phoenix.toml").write_text(f"[[failure_rules]]\n{table}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="failure_rules") as raised:
        load_settings({"PHOENIX_CONFIG": str(tmp_path / "phoenix.toml")})
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)

"""The command as a user runs it: output, exit codes, and one line for every mistake."""

import csv
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from phoenix_metrics.defs.ingest import Pass
from phoenix_metrics.settings import CHECKOUT, Settings
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.snapshot import SnapshotReader, publish
from phoenix_metrics.warehouse.store import writing
from tests.alerts.receiver import receiving
from tests.github_server import Answer, GitHub

QUERY = "select run_id, outcome from marts.workflow_runs order by run_id"


def phoenix(*arguments: str, folder: Path = CHECKOUT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PHOENIX_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, "-m", "phoenix_metrics.cli", *arguments],
        env={**clean, "COLUMNS": "200", **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def published(github: GitHub, settings: Settings, one_pass: Callable[..., list[Pass]]) -> Path:
    """A home with two runs published."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    github.add_run(2, "2026-01-03T08:00:00Z", "failure")
    one_pass(settings)
    return settings.home


def sources(github: GitHub, home: Path) -> dict[str, str]:
    return {
        "PHOENIX_HOME": str(home),
        "PHOENIX_GITHUB_API_URL": github.url,
        "PHOENIX_GITHUB_REPOSITORIES": github.full_name,
        "PHOENIX_GITHUB_SINCE": "2026-01-01",
    }


def test_sync_then_sql_then_backfill(github: GitHub, tmp_path: Path) -> None:
    """A pass says what it fetched; a backfill reaches further back and fetches only what is new."""
    github.add_run(1, "2025-06-01T08:00:00Z", "failure")
    github.add_run(2, "2026-01-02T08:00:00Z")
    environ = sources(github, tmp_path / "home")
    done = phoenix("sync", **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 runs and 1 jobs fetched, snapshot 1 published\n", "")
    assert json.loads(phoenix("sql", QUERY, "--format", "json", **environ).stdout) == {
        "run_id": 2,
        "outcome": "success",
    }
    done = phoenix("backfill", "--since", "2025-01-01", **environ)
    assert (done.returncode, done.stdout) == (0, "1 runs and 1 jobs fetched, snapshot 2 published\n")
    answer = phoenix("sql", "select complete_since from marts.data_health", "--format", "csv", **environ).stdout
    assert "2025-01-01" in answer


def test_every_format_holds_the_same_rows(published: Path, tmp_path: Path) -> None:
    """Table, CSV, JSON and Parquet, to standard output and to a file."""
    home = {"PHOENIX_HOME": str(published)}
    expected = [{"run_id": "1", "outcome": "success"}, {"run_id": "2", "outcome": "failure"}]
    printed = phoenix("sql", QUERY, "--format", "csv", **home).stdout
    assert list(csv.DictReader(printed.splitlines())) == expected
    lines = phoenix("sql", QUERY, "--format", "json", **home).stdout.splitlines()
    assert [{key: str(value) for key, value in json.loads(line).items()} for line in lines] == expected
    file = tmp_path / "runs.parquet"
    assert phoenix("sql", QUERY, "--format", "parquet", "--output", str(file), **home).returncode == 0
    assert [{key: str(value) for key, value in row.items()} for row in pq.read_table(file).to_pylist()] == expected
    table = phoenix("sql", QUERY, **home).stdout
    assert "2 rows" in table
    assert "success" in table


def test_export_writes_every_mart_with_its_documentation(published: Path, tmp_path: Path) -> None:
    """One Parquet file for each mart, and what each column means."""
    done = phoenix("export", str(tmp_path / "out"), PHOENIX_HOME=str(published))
    marts = {model.name for model in load_models().values() if model.schema == "marts"}
    assert done.returncode == 0
    assert {path.stem for path in (tmp_path / "out").glob("*.parquet")} == marts
    text = (tmp_path / "out" / "README.md").read_text()
    assert "| queue_seconds | DOUBLE | Wait for a runner; NULL unless one took it. |" in text


def test_report_writes_markdown_and_html(published: Path, tmp_path: Path) -> None:
    """To standard output as Markdown, to a file as its name ends, over an old one; nothing else is left beside it."""
    home, out = {"PHOENIX_HOME": str(published)}, tmp_path / "out"
    out.mkdir()
    printed = phoenix("report", **home)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.startswith("# CI/CD from ")
    assert "## How complete this is" in printed.stdout
    html = phoenix("report", "--format", "html", "--days", "28", **home).stdout
    assert html.startswith("<!doctype html>")
    (out / "week.html").write_text("older")
    for name, beginning in (
        ("week.md", "# CI/CD"),
        ("week.html", "<!doctype html>"),
        ("MONTH.HTML", "<!doctype html>"),
    ):
        done = phoenix("report", "--output", str(out / name), **home)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert (out / name).read_text(encoding="utf-8").startswith(beginning)
    assert phoenix("report", "--output", str(out / "week.txt"), "--format", "html", **home).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["MONTH.HTML", "week.html", "week.md", "week.txt"]


def test_report_says_what_it_cannot_do(published: Path, tmp_path: Path) -> None:
    """Another length, a name that tells no format, no such folder, no snapshot, an older one: one line each."""
    home = {"PHOENIX_HOME": str(published)}
    assert "--days 14: a report compares 7 or 28 whole days" in one_line(phoenix("report", "--days", "14", **home))
    assert "week.txt: name a file that ends in .md or .html" in one_line(
        phoenix("report", "--output", "week.txt", **home)
    )
    there = str(tmp_path / "not" / "there.md")
    assert f"{there}: cannot be written: No such file" in one_line(phoenix("report", "--output", there, **home))
    assert "run `phoenix sync` first" in one_line(phoenix("report", PHOENIX_HOME=str(tmp_path / "empty")))
    with writing(published) as connection:
        connection.execute("alter table marts.period_comparisons drop column value_low")
        publish(connection, published)
    older = one_line(phoenix("report", **home))
    assert "lacks what a report needs" in older
    assert "run `phoenix sync` to publish one of this version" in older


def test_report_posts_a_short_form(published: Path) -> None:
    """What Slack takes fits what is printed else; that it does not take it is an exit code and a line."""
    with receiving() as slack:
        home = {"PHOENIX_HOME": str(published), "PHOENIX_SLACK_WEBHOOK": slack.url}
        done = phoenix("report", "--slack", **home)
        assert (done.returncode, done.stdout.partition(" slack ")[0]) == (0, "arrived")
        [(_, body)] = slack.taken
        assert body["text"].startswith("CI/CD from ")
        assert body["blocks"][2]["text"]["text"].startswith("*In short*\n")
        slack.status, slack.body = 400, "invalid_blocks"
        refused = phoenix("report", "--slack", "--days", "28", **home)
        assert refused.returncode == 1
        assert refused.stdout.startswith("refused slack 127.0.0.1 ")
        assert refused.stdout.endswith(": HTTP 400: invalid_blocks\n")
        assert "s3cret" not in done.stdout + refused.stdout
    nowhere = one_line(phoenix("report", "--slack", PHOENIX_HOME=str(published)))
    assert "PHOENIX_SLACK_WEBHOOK: not set" in nowhere
    assert "leave --format and --output out" in one_line(phoenix("report", "--slack", "--format", "html", **home))


def test_a_stale_report_is_written_with_a_warning(published: Path) -> None:
    """Where whole days have gone by since the newest pass, standard error and the report say so; that is no failure."""
    with writing(published) as connection:
        connection.execute("update marts.data_health set last_attempt_at = last_attempt_at - interval 3 days")
        publish(connection, published)
    done = phoenix("report", PHOENIX_HOME=str(published))
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert line.startswith("phoenix: the report is stale: the newest pass ended on ")
    assert line.endswith("so the last 3\N{NO-BREAK SPACE}whole days are not in it; run `phoenix sync`")
    assert "**This report is stale**" in done.stdout


def test_on_a_terminal_a_pass_shows_its_progress(github: GitHub, tmp_path: Path) -> None:
    """The bar counts runs, also while Dagster sends standard error elsewhere, and is gone at the end."""
    for run_id in range(1, 41):
        github.add_run(run_id, "2026-01-02T08:00:00Z")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "phoenix_metrics.cli", "sync"],
        env={**os.environ, **sources(github, tmp_path / "home"), "TERM": "xterm", "COLUMNS": "100"},
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 65536):
            shown += part
    except OSError:  # how a terminal tells that nobody writes to it any more
        pass
    os.close(leader)
    assert process.wait() == 0
    assert b"GitHub runs" in shown
    assert b"40/40" in shown


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The single line that a refused command leaves."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("phoenix: ")
    return line


def test_every_mistake_is_one_line(github: GitHub, published: Path, tmp_path: Path) -> None:
    """A wrong token, an unknown repository, no network, bad SQL, no snapshot, no configuration: one line each."""
    environ = sources(github, published)
    before = SnapshotReader(published).query(QUERY)
    github.token = "right"
    assert "refuses the token; check PHOENIX_GITHUB_TOKEN" in one_line(
        phoenix("sync", **environ, PHOENIX_GITHUB_TOKEN="very-secret")
    )
    github.token = None
    unknown = one_line(phoenix("sync", **{**environ, "PHOENIX_GITHUB_REPOSITORIES": "acme/nope"}))
    assert "acme/nope: does not exist or this token may not see it" in unknown
    offline = one_line(phoenix("sync", **{**environ, "PHOENIX_GITHUB_API_URL": "http://127.0.0.1:9"}))
    assert "http://127.0.0.1:9: it cannot be reached" in offline
    assert SnapshotReader(published).query(QUERY) == before
    assert "refused: Parser Error" in one_line(phoenix("sql", "selct 1", PHOENIX_HOME=str(published)))
    assert "run `phoenix sync` first" in one_line(phoenix("sql", "select 1", PHOENIX_HOME=str(tmp_path / "empty")))
    assert "PHOENIX_GITHUB_REPOSITORIES" in one_line(phoenix("sync", PHOENIX_HOME=str(tmp_path / "empty")))
    demo = one_line(phoenix("demo", "--webhooks", "http://127.0.0.1:9", PHOENIX_HOME=str(tmp_path / "empty")))
    assert "PHOENIX_WEBHOOK_SECRET: not set; --webhooks signs with it" in demo
    secret = {"PHOENIX_HOME": str(tmp_path / "empty"), "PHOENIX_WEBHOOK_SECRET": "hush"}
    assert "--webhooks receiver:9470: expected" in one_line(phoenix("demo", "--webhooks", "receiver:9470", **secret))
    assert "--output" in one_line(phoenix("sql", "select 1", "--format", "parquet", PHOENIX_HOME=str(published)))


def test_a_broken_phoenix_toml_is_one_line(tmp_path: Path) -> None:
    """The file in the current folder is read, and named when it is broken."""
    (tmp_path / "phoenix.toml").write_text("dashboard_port = [")
    assert "phoenix.toml: not valid TOML" in one_line(phoenix("sync", folder=tmp_path))


def test_a_home_that_cannot_be_written_is_one_line(github: GitHub, tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    assert "cannot write" in one_line(phoenix("sync", **sources(github, tmp_path / "file" / "home")))


def test_a_mistyped_variable_is_pointed_out(published: Path) -> None:
    """The command works and says which variable has no effect."""
    done = phoenix("sql", QUERY, PHOENIX_HOME=str(published), PHOENIX_GITHUB_TOKNE="x")
    assert done.returncode == 0
    assert "did you mean PHOENIX_GITHUB_TOKEN?" in done.stderr


def test_the_doctor_tells_what_is_wrong(github: GitHub, published: Path, tmp_path: Path) -> None:
    """All is well, then a repository is unknown, then nothing is configured."""
    environ = sources(github, published)
    well = phoenix("doctor", **environ, PHOENIX_GITHUB_TOKEN="x")
    assert well.returncode == 0
    assert "readable, 2 runs at GitHub" in well.stdout
    ill = phoenix("doctor", **{**environ, "PHOENIX_GITHUB_REPOSITORIES": "acme/nope"})
    assert ill.returncode == 1
    assert "acme/nope: does not exist" in ill.stdout
    none = phoenix("doctor", PHOENIX_HOME=str(tmp_path / "empty"))
    assert none.returncode == 1
    assert "nothing to measure is configured" in none.stdout
    assert "nothing is published yet" in none.stdout


def test_the_doctor_names_the_permission_that_lacks(github: GitHub, published: Path) -> None:
    """A token that lacks one permission is told which, and what stays a gap; that is no problem: exit code 0."""
    forbidden = Answer(
        403,
        {"message": "Resource not accessible by personal access token"},
        {"x-accepted-github-permissions": "pull_requests=read"},
    )
    github.extra |= {
        "/repos/acme/shop/pulls": forbidden,
        "/repos/acme/shop/actions/artifacts": ("artifacts", []),
        "/repos/acme/shop/actions/runners": ("runners", []),
        "/repos/acme/shop/contents": [],
        "/repos/acme/shop/branches/main": {"name": "main"},
        "/repos/acme/shop/(releases|deployments|rules/branches/main)": [],
        "/repos/acme/shop/commits/main/check-runs": ("check_runs", []),
        "/users/acme": {"type": "User"},
    }
    environ = sources(github, published)
    told = phoenix("doctor", **environ, PHOENIX_GITHUB_TOKEN="x")
    assert told.returncode == 0
    lacking = [[part.strip() for part in line.split("│")] for line in told.stdout.splitlines() if "lacks" in line]
    assert lacking == [
        ["look", "acme/shop", "pull requests: the token lacks pull_requests=read; pull requests stay a gap"]
    ]
    without = phoenix("doctor", **environ, PHOENIX_GITHUB_TOKEN="x", PHOENIX_GITHUB_CONTEXT="releases,rules,runners")
    assert "all that is fetched can be read" in without.stdout
    github.extra["/repos/acme/shop/actions/runs"] = forbidden
    assert phoenix("doctor", **environ, PHOENIX_GITHUB_TOKEN="x").returncode == 1

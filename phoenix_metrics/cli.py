"""The `phoenix` command: parses, calls, prints."""

import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from phoenix_metrics.demo.scenes import SceneName
from phoenix_metrics.errors import PhoenixError, SettingsError
from phoenix_metrics.report.formats import ReportFormat, format_of
from phoenix_metrics.settings import Settings, read_settings

if TYPE_CHECKING:
    from phoenix_metrics.demo.sending import Receiver
    from phoenix_metrics.pipeline import Report
    from phoenix_metrics.report.document import Digest

app = typer.Typer(
    help="CI/CD analytics for teams on GitHub Actions and Argo CD.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True, highlight=False)


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


Demo = Annotated[bool, typer.Option("--demo", help="Measure the built-in demo organisation.")]
Scene = Annotated[
    SceneName | None, typer.Option(help="What the demo organisation goes through, as if for a while already.")
]
Since = Annotated[str, typer.Option(help="Start of the history: a date, or days such as 365d.")]
Reconcile = Annotated[
    bool, typer.Option("--reconcile", help="Look for re-runs in the last 31 days, as the daily run does.")
]


def main() -> None:
    """Run the command; an error a user can act on is one line and exit code 1."""
    try:
        app()
    except PhoenixError as error:
        errors.print(f"[bold red]phoenix:[/] {_escaped(str(error))}", soft_wrap=True)
        sys.exit(1)


@app.command()
def up(demo: Demo = False, scene: Scene = None) -> None:
    """Start everything: Dagster, dashboard, exporter; without a configuration also the demo organisation."""
    from phoenix_metrics.services import run_services  # noqa: PLC0415  # each command loads only what it needs

    run_services(_settings(), os.environ, demo=demo, scene=scene)


@app.command()
def sync(reconcile: Reconcile = False) -> None:
    """Run one pass: ingest, transform, check, publish."""
    _run_pass(_settings(), since=None, reconcile=reconcile)


@app.command()
def backfill(since: Since) -> None:
    """Load history from further back; can be stopped and started again at any point."""
    settings = _settings(github_since=since)
    _run_pass(settings, since=since, reconcile=False)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A SELECT over the snapshot, such as: select * from marts.data_health")],
    format: Annotated[Format, typer.Option(help="How to write the result.")] = Format.TABLE,  # noqa: A002
    output: Annotated[Path | None, typer.Option(help="File to write to; standard output otherwise.")] = None,
) -> None:
    """Ask the published snapshot a question."""
    from phoenix_metrics.query import answer, write_result  # noqa: PLC0415

    write_result(answer(_settings().home, query), format.value, output)


@app.command()
def export(folder: Annotated[Path, typer.Argument(help="Folder to fill.")]) -> None:
    """Write every mart as Parquet, with its documentation."""
    from phoenix_metrics.query import export_marts  # noqa: PLC0415

    tables = export_marts(_settings().home, folder)
    print(f"{len(tables)} marts and README.md in {folder}")  # noqa: T201


@app.command()
def report(
    days: Annotated[int, typer.Option(help="Length of the period and of that before it: 7 or 28 whole days.")] = 7,
    format: Annotated[  # noqa: A002
        ReportFormat | None, typer.Option(help="How to write it; as --output ends, else Markdown.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write to; standard output otherwise.")] = None,
    slack: Annotated[bool, typer.Option("--slack", help="Post a short form to PHOENIX_SLACK_WEBHOOK instead.")] = False,
) -> None:
    """Tell what changed, what is worst, what it cost and what is not known, of the last whole days."""
    from phoenix_metrics.report.digest import make_digest  # noqa: PLC0415
    from phoenix_metrics.report.files import write_whole  # noqa: PLC0415
    from phoenix_metrics.report.rendering import render  # noqa: PLC0415

    if slack and (format or output):
        raise SettingsError("--slack: posts a short form of its own; leave --format and --output out")
    form, settings = format or format_of(output), _settings()
    digest = make_digest(settings, days, datetime.now(UTC))
    if digest.notice:
        errors.print(f"[yellow]phoenix:[/] the report is stale: {digest.notice}; run `phoenix sync`", soft_wrap=True)
    if slack:
        raise typer.Exit(code=_posted(settings, digest))
    text = render(digest, form)
    if output is None:
        print(text, end="")  # noqa: T201
    else:
        write_whole(output, text)


def _posted(settings: Settings, digest: "Digest") -> int:
    from phoenix_metrics.alerts.delivery import Post  # noqa: PLC0415
    from phoenix_metrics.alerts.listing import show_posted  # noqa: PLC0415
    from phoenix_metrics.report.slack import slack_body  # noqa: PLC0415

    now = datetime.now(UTC)
    post = Post(digest.week, "report", f"report-{now:%Y%m%dT%H%M%S}", slack_body(digest, settings.dashboard_address))
    return show_posted(settings, post, lambda: now)


@app.command()
def doctor() -> None:
    """Check settings, credentials, budget, clock, disk and data, and say what to do."""
    from phoenix_metrics.doctor import examine, show  # noqa: PLC0415

    raise typer.Exit(code=show(examine(_settings())))


@app.command()
def alerts(
    *,
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message to every target, and say how it went.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many alerts to list.")] = 30,
) -> None:
    """List the alerts, those that are open first, or try whether messages arrive."""
    from phoenix_metrics.alerts.listing import show_alerts, show_silences, show_test  # noqa: PLC0415

    settings = _settings()
    if test:
        raise typer.Exit(code=show_test(settings, lambda: datetime.now(UTC)))
    show_alerts(settings.home, limit)
    show_silences(settings, datetime.now(UTC))


@app.command()
def exporter() -> None:
    """Serve Prometheus metrics."""
    from phoenix_metrics.exporter.server import serve  # noqa: PLC0415

    serve(_settings())


@app.command()
def webhooks() -> None:
    """Receive GitHub's webhooks and Argo CD's notifications."""
    from phoenix_metrics.webhooks.server import serve  # noqa: PLC0415

    serve(_settings())


@app.command()
def watch() -> None:
    """Follow the changes of the Argo CD servers as they happen."""
    from phoenix_metrics.watch import serve  # noqa: PLC0415

    serve(_settings())


@app.command()
def dashboard() -> None:
    """Serve the dashboard."""
    from phoenix_metrics.services import dashboard_command, replace_process  # noqa: PLC0415

    replace_process(dashboard_command(_settings()))


@app.command()
def demo(
    *,
    pace: Annotated[float, typer.Option(help="How busy the organisation is, as a multiple of normal.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Which of its possible histories to tell.")] = 7,
    repositories: Annotated[
        int | None, typer.Option(min=1, max=5000, help="How many repositories it has: 1, and with --bulk 20.")
    ] = None,
    webhooks: Annotated[
        str, typer.Option(help="Where it sends webhooks and notifications: a `phoenix webhooks`.")
    ] = "",
    scene: Scene = None,
    bulk: Annotated[Path | None, typer.Option(help="Serve nothing; fill this folder with landing files.")] = None,
    runs: Annotated[int, typer.Option(help="With --bulk: how many runs.")] = 100_000,
    days: Annotated[int, typer.Option(help="With --bulk: on how many days before today.")] = 90,
    steps: Annotated[bool, typer.Option("--steps", help="With --bulk: with the steps of the jobs.")] = False,
    truth: Annotated[
        Path | None, typer.Option(help="Serve nothing; write what really happened as CSV files into this folder.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="With --truth: as of which moment, such as 2026-03-01T12:00Z.")] = None,
) -> None:
    """Serve only the demo organisation's GitHub and Argo CD, or write down what happens there.

    With --truth what really happened, with --bulk a history of any size, for measurements.
    """
    if bulk is not None:
        _write_bulk(bulk, runs=runs, repositories=repositories or 20, days=days, seed=seed, with_steps=steps)
        return
    settings = _settings()
    if truth is not None:
        _write_truth(truth, at, settings.home / "demo.json", seed=seed, pace=pace, count=repositories or 1)
        return
    if at is not None:
        raise SettingsError("--at: says as of when the truth is written; give --truth, too")
    from phoenix_metrics.demo.server import serve  # noqa: PLC0415

    settings.home.mkdir(parents=True, exist_ok=True)
    receiver = _receiver(settings, webhooks) if webhooks else None
    serve(
        port=settings.demo_port,
        seed=seed,
        pace=pace,
        state_file=settings.home / "demo.json",
        repositories=repositories or 1,
        receiver=receiver,
        scene=scene,
    )


def _receiver(settings: Settings, url: str) -> "Receiver":
    """Return what the demo organisation sends to. Raises SettingsError where it could not sign, or not send."""
    from phoenix_metrics.demo.sending import Receiver  # noqa: PLC0415

    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"--webhooks {url}: expected an address such as http://127.0.0.1:{settings.webhook_port}")
    if not settings.has_webhooks:
        raise SettingsError(
            "PHOENIX_WEBHOOK_SECRET: not set; --webhooks signs with it, and with PHOENIX_ARGOCD_WEBHOOK_SECRET"
        )
    secrets = (settings.webhook_secret, settings.argocd_webhook_secret)
    return Receiver(url, *(secret.get_secret_value() if secret else None for secret in secrets))


def _write_bulk(folder: Path, *, runs: int, repositories: int, days: int, seed: int, with_steps: bool) -> None:
    from phoenix_metrics.demo.bulk.generator import generate  # noqa: PLC0415
    from phoenix_metrics.demo.bulk.plan import Plan, midnight  # noqa: PLC0415
    from phoenix_metrics.progress import TerminalProgress  # noqa: PLC0415

    job_count = 0
    try:
        plan = Plan(runs, midnight(datetime.now(UTC)), repositories, days, seed, with_steps)
        with TerminalProgress("runs written") as progress:
            progress.expect(runs)
            for part in generate(folder, plan):
                progress.advance(part.runs)
                job_count += part.jobs
    except (OSError, ValueError) as error:
        raise SettingsError(str(error)) from error
    print(f"{runs:,} runs and {job_count:,} jobs in {folder}")  # noqa: T201


def _write_truth(folder: Path, at: str | None, state_file: Path, *, seed: int, pace: float, count: int) -> None:
    from phoenix_metrics.demo.truth.rows import TruthError  # noqa: PLC0415
    from phoenix_metrics.demo.truth.story import write_truth  # noqa: PLC0415

    try:
        moment = datetime.fromisoformat(at) if at else datetime.now(UTC)
    except ValueError:
        raise SettingsError(f"--at: {at!r} is not a moment; give one such as 2026-03-01T12:00Z") from None
    now = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    try:
        counts = write_truth(folder, now, seed=seed, pace=pace, count=count, state_file=state_file)
    except TruthError as error:
        raise SettingsError(f"--truth: {error}") from error
    print(f"{sum(counts.values()):,} rows in {len(counts)} files in {folder}")  # noqa: T201


def _settings(**overrides: object) -> Settings:
    loaded = read_settings(os.environ, **overrides)
    for warning in loaded.warnings:
        errors.print(f"[yellow]phoenix:[/] {_escaped(warning)}", soft_wrap=True)
    return loaded.settings


def _run_pass(settings: Settings, *, since: str | None, reconcile: bool) -> None:
    if not settings.has_sources:
        raise SettingsError(
            "PHOENIX_GITHUB_REPOSITORIES: not set; say what to measure, owner/name, comma-separated, "
            "or PHOENIX_ARGOCD_URL"
        )
    from phoenix_metrics.pipeline import run_sync  # noqa: PLC0415

    report = run_sync(settings, since=since, reconcile=reconcile)
    console = Console(highlight=False)
    if report.run_count or report.application_count or not report.failed_sources:
        fetched = f"{_fetched(settings, report)}, snapshot {report.snapshot_sequence} published"
        console.print(fetched, soft_wrap=True)
    if report.set_aside_count:
        console.print(
            f"[yellow]{report.set_aside_count} landing files could not be read and were set aside[/]; "
            "marts.data_health names them",
            soft_wrap=True,
        )
    for source, note in report.failed_sources.items():
        errors.print(f"[bold red]phoenix:[/] {_escaped(source)}: {_escaped(note)}", soft_wrap=True)
    if report.failed_sources:
        raise typer.Exit(code=1)


def _fetched(settings: Settings, report: "Report") -> str:
    """Return what a pass fetched, of the sources that are configured."""
    parts = []
    if settings.has_github:
        parts.append(f"{report.run_count:,} runs and {report.job_count:,} jobs fetched")
    if settings.argocd_servers:
        parts.append(f"{report.application_count:,} applications seen, {report.changed_count:,} with news")
    return ", ".join(parts)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


if __name__ == "__main__":
    main()

"""Everything at once: Dagster, dashboard, exporter and perhaps the demo organisation, as children that are watched."""

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from rich.console import Console

from phoenix_metrics.errors import PhoenixError, SettingsError
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from phoenix_metrics.warehouse.landing import write_error
from phoenix_metrics.warehouse.snapshot import SnapshotReader

STOP_SECONDS = 10
START_SECONDS = 90
LONGEST_BACK_OFF = 60.0
STEADY_SECONDS = 60  # a service that ran this long starts again at once when it ends
DEMO_REPOSITORY = "phoenix/platform"
_PORTS = ("dashboard_port", "exporter_port", "dagster_port", "webhook_port", "demo_port")

console = Console(highlight=False)


@dataclass
class Service:
    """A child to keep running: its name, how to start it, and where it answers once it is up."""

    name: str
    command: list[str]
    health_url: str | None = None
    page_url: str | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    back_off: float = 1.0


@dataclass
class _Stop:
    """Set by SIGINT or SIGTERM."""

    is_asked: bool = False


def run_services(settings: Settings, environ: Mapping[str, str], *, demo: bool, scene: str | None = None) -> None:
    """Start all services, print their addresses, restart what ends, until Ctrl-C or SIGTERM stops all of them.

    A scene is one of the demo organisation's, which is then measured.
    Raises PhoenixError when another copy runs on the same PHOENIX_HOME, a port is taken or a service does not start.
    """
    demo = demo or scene is not None or not settings.has_sources
    environment = _demo_environment(settings, environ) if demo else dict(environ)
    settings = load_settings(environment)
    with _only_copy(settings.home), _stopping() as stop:
        os.environ.update(environment)
        from phoenix_metrics.pipeline import prepare_dagster_home  # noqa: PLC0415  # loads the asset graph

        prepare_dagster_home(settings)
        services = [*([_demo(settings, scene)] if demo else []), *_services(settings)]
        _check_ports(settings, demo=demo)
        with _running(settings, services, stop):
            _first_pass(settings, stop, waits=demo)
            _wait_until_up(settings, services, stop)
            _show_addresses(services, stop, demo=demo)
            while not stop.is_asked:
                _restart_ended(settings, services)
                time.sleep(0.5)
    console.print("stopped")


def dashboard_command(settings: Settings) -> list[str]:
    """Return the command that serves the dashboard. Raises SettingsError if its login cannot work."""
    options: dict[str, object] = {"server.port": settings.dashboard_port, "server.address": settings.bind}
    if (login := settings.login) is not None:
        options["secrets.files"] = login.file
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(CHECKOUT / "dashboards" / "app.py"), *flags]


def replace_process(command: list[str]) -> NoReturn:
    """Become the given command, in the dashboard's folder, where its theme is."""
    os.chdir(CHECKOUT / "dashboards")
    os.execv(command[0], command)  # noqa: S606  # our own command, no shell wanted


def _services(settings: Settings) -> list[Service]:
    dagster = ["-m", "phoenix_metrics.definitions"]
    host = _shown_host(settings)
    dashboard_url = f"http://{host}:{settings.dashboard_port}"
    exporter_url = f"http://{host}:{settings.exporter_port}"
    dagster_url = f"http://{host}:{settings.dagster_port}"
    return [
        Service("dashboard", dashboard_command(settings), f"{dashboard_url}/_stcore/health", dashboard_url),
        Service(
            "exporter",
            [sys.executable, "-m", "phoenix_metrics.cli", "exporter"],
            f"{exporter_url}/healthz",
            f"{exporter_url}/metrics",
        ),
        Service(
            "dagster",
            [_script("dagster-webserver"), *dagster, "-h", settings.bind, "-p", str(settings.dagster_port)],
            f"{dagster_url}/server_info",
            dagster_url,
        ),
        Service("daemon", [_script("dagster-daemon"), "run", *dagster]),
        *([_webhooks(settings)] if settings.has_webhooks else []),
        *(
            [Service("watch", [sys.executable, "-m", "phoenix_metrics.cli", "watch"])]
            if settings.argocd_servers
            else []
        ),
    ]


def _webhooks_url(settings: Settings) -> str:
    return f"http://{_shown_host(settings)}:{settings.webhook_port}"


def _webhooks(settings: Settings) -> Service:
    url = _webhooks_url(settings)
    command = [sys.executable, "-m", "phoenix_metrics.cli", "webhooks"]
    return Service("webhooks", command, f"{url}/healthz", url)


def _demo(settings: Settings, scene: str | None) -> Service:
    url = settings.demo_url
    command = [sys.executable, "-m", "phoenix_metrics.cli", "demo", *(["--scene", scene] if scene else [])]
    sends = ["--webhooks", _webhooks_url(settings)] if settings.has_webhooks else []
    return Service("demo", [*command, *sends], f"{url}/_control", url)


def _demo_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Point everything at the demo organisation, with a home and a phoenix.toml of its own.

    It sends webhooks and notifications, with secrets made up where none are configured, so its runs appear at once.
    """
    home = settings.home / "demo" if settings.has_sources else settings.home
    signing = {"PHOENIX_WEBHOOK_SECRET": settings.webhook_secret}
    signing["PHOENIX_ARGOCD_WEBHOOK_SECRET"] = settings.argocd_webhook_secret
    return {
        **{name: value for name, value in environ.items() if not name.endswith("_TOKEN_FILE")},
        "PHOENIX_HOME": str(home),
        "PHOENIX_CONFIG": str(CHECKOUT / "phoenix_metrics" / "demo" / "phoenix.toml"),
        "PHOENIX_GITHUB_API_URL": settings.demo_url,
        "PHOENIX_GITHUB_REPOSITORIES": DEMO_REPOSITORY,
        "PHOENIX_GITHUB_ORGANIZATIONS": "",
        "PHOENIX_GITHUB_TOKEN": "demo",
        "PHOENIX_GITHUB_SINCE": "60d",
        "PHOENIX_GITHUB_CHECKS": "true",
        "PHOENIX_GITHUB_REPORTS": "junit-*",
        "PHOENIX_ARGOCD_URL": f"{settings.demo_url}/argo-cd",
        "PHOENIX_ARGOCD_TOKEN": "demo",
        "PHOENIX_ARGOCD_CA_FILE": "",
        "PHOENIX_ARGOCD_SELECTOR": "",
        "PHOENIX_ARGOCD_PROJECTS": "",
        "PHOENIX_ARGOCD_METRICS_URL": f"{settings.demo_url}/argo-cd/metrics",
        "PHOENIX_BIND": settings.bind,
        **{variable: secrets.token_urlsafe() for variable, secret in signing.items() if secret is None},
        **{f"PHOENIX_{name.upper()}": str(getattr(settings, name)) for name in _PORTS},
    }


@contextmanager
def _only_copy(home: Path) -> Iterator[None]:
    """Refuse to run twice on one home; the lock ends with the process."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "up.lock").open("w") as lock:
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PhoenixError(f"{home}: `phoenix up` already runs on this PHOENIX_HOME; stop it first") from None
            yield
    except OSError as error:
        raise write_error(home, error) from error


@contextmanager
def _stopping() -> Iterator[_Stop]:
    stop = _Stop()

    def ask(*_: object) -> None:
        stop.is_asked = True

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _running(settings: Settings, services: list[Service], stop: _Stop) -> Iterator[None]:
    """Start the services; whatever happens then, end all of them."""
    try:
        for service in services:
            _start(settings, service)
            if service.name == "demo":
                _wait_until_up(settings, [service], stop)
        yield
    finally:
        _end(services)


def _start(settings: Settings, service: Service) -> None:
    with _log(settings, service.name).open("ab") as log:
        service.process = _spawn(
            service.command, log, CHECKOUT / "dashboards" if service.name == "dashboard" else CHECKOUT
        )
    service.started_at = time.monotonic()


def _spawn(command: list[str], log: IO[bytes], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # our own commands
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        start_new_session=True,  # Ctrl-C reaches us alone; we end the children in order
        preexec_fn=_default_interrupts,  # noqa: PLW1509  # no threads run yet that it could deadlock with
    )


def _default_interrupts() -> None:
    """Undo an ignored SIGINT, which a background shell passes on and which would make Dagster ignore SIGTERM too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _log(settings: Settings, name: str) -> Path:
    folder = settings.home / "logs"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.log"


def _first_pass(settings: Settings, stop: _Stop, *, waits: bool) -> None:
    """Publish something to look at before the schedule's first tick; wait for it where it takes seconds."""
    if SnapshotReader(settings.home).version():
        return
    command = [sys.executable, "-m", "phoenix_metrics.cli", "sync"]
    console.print("reading the history for the first time …", style="dim")
    if not waits:
        with _log(settings, "first-sync").open("ab") as log:
            _spawn(command, log, CHECKOUT)
        return
    process = subprocess.Popen(command, cwd=CHECKOUT, start_new_session=True)  # noqa: S603  # our own command
    while process.poll() is None:
        if stop.is_asked:
            process.terminate()
        time.sleep(0.1)


def _wait_until_up(settings: Settings, services: list[Service], stop: _Stop) -> None:
    deadline = time.monotonic() + START_SECONDS
    waiting = [service for service in services if service.health_url]
    while waiting and not stop.is_asked:
        for service in waiting:
            if service.process is not None and service.process.poll() is not None:
                raise PhoenixError(f"{service.name} did not start: {_last_line(_log(settings, service.name))}")
        if time.monotonic() > deadline:
            names = ", ".join(service.name for service in waiting)
            raise PhoenixError(f"{names} did not answer within {START_SECONDS} s; see {settings.home / 'logs'}")
        waiting = [service for service in waiting if not _answers(service.health_url)]
        time.sleep(0.2)


def _answers(url: str | None) -> bool:
    try:
        with urllib.request.urlopen(url or "", timeout=2) as answer:  # noqa: S310  # our own loopback address
            return bool(answer.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def _show_addresses(services: list[Service], stop: _Stop, *, demo: bool) -> None:
    if stop.is_asked:
        return
    console.print(
        "\n[bold]Phoenix Metrics[/] is up" + (f" on the demo organisation ({DEMO_REPOSITORY})" if demo else "")
    )
    for service in services:
        if service.page_url:
            console.print(f"  {service.name:<10} {service.page_url}")
    console.print("Ctrl-C stops all of it.\n", style="dim")


def _restart_ended(settings: Settings, services: list[Service]) -> None:
    now = time.monotonic()
    for service in services:
        if service.process is None or service.process.poll() is None:
            continue
        if not service.restart_at:
            steady = now - service.started_at > STEADY_SECONDS
            service.back_off = 1.0 if steady else min(service.back_off * 2, LONGEST_BACK_OFF)
            service.restart_at = now + service.back_off
            console.print(
                f"{service.name} ended ({_last_line(_log(settings, service.name))}); "
                f"starting it again in {service.back_off:.0f} s",
                style="yellow",
                markup=False,
            )
        elif now >= service.restart_at:
            service.restart_at = 0.0
            _start(settings, service)


def _end(services: list[Service]) -> None:
    """Ask every child's process group to end, and after a while make it; a child's own children may outlast it."""
    started = [service.process for service in services if service.process is not None]
    for process in started:
        _tell(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_tell(process, 0) for process in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in started:
        _tell(process, signal.SIGKILL)
        process.wait()


def _tell(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to a child's process group; returns whether anyone of it is left."""
    process.poll()  # an ended child that nobody asked after would count as one of the group
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _check_ports(settings: Settings, *, demo: bool) -> None:
    ports = {
        "PHOENIX_DASHBOARD_PORT": settings.dashboard_port,
        "PHOENIX_EXPORTER_PORT": settings.exporter_port,
        "PHOENIX_DAGSTER_PORT": settings.dagster_port,
        **({"PHOENIX_WEBHOOK_PORT": settings.webhook_port} if settings.has_webhooks else {}),
        **({"PHOENIX_DEMO_PORT": settings.demo_port} if demo else {}),
    }
    for variable, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.bind, port))
            except OSError as error:
                reason = error.strerror or str(error)
                raise SettingsError(
                    f"{variable}={port}: {settings.bind}:{port} cannot be used ({reason}); set another"
                ) from None


def _shown_host(settings: Settings) -> str:
    return "127.0.0.1" if settings.bind in ("0.0.0.0", "") else settings.bind  # noqa: S104  # compared, not bound


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))

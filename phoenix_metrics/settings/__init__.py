"""Settings: the one place that reads the environment and `phoenix.toml`.

The environment wins over the file. Secrets come from the environment only, as the variable itself or as a `_FILE`
variable that names a file. A wrong value stops with one line naming the variable, the value and what is accepted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings.login import Login, check_login, is_admitted, read_login
from phoenix_metrics.settings.tables import (
    PREFIX,
    TABLES,
    ApplicationRule,
    ArgoCDServer,
    Budgets,
    FailureRule,
    Objective,
    RunnerPrice,
    RunnerRule,
    Schedule,
    SilenceRule,
    variables_of,
)
from phoenix_metrics.settings.values import (
    CONTEXT,
    Context,
    Folder,
    Globs,
    Headers,
    Images,
    Minutes,
    Names,
    Patterns,
    People,
    Port,
    Repositories,
    Since,
    Span,
    Url,
    Webhook,
    Webhooks,
    Words,
    headers_of,
)

CHECKOUT = Path(__file__).resolve().parents[2]

_SECRETS = (
    "github_token",
    "argocd_token",
    "webhook_secret",
    "argocd_webhook_secret",
    "slack_webhook",
    "alert_webhooks",
    "otlp_headers",
)
_SERVER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class Settings(BaseSettings):
    """Everything that can be set, checked and frozen; `load_settings` makes it."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, hide_input_in_errors=True)

    home: Folder = Field(
        CHECKOUT / "data",
        description="all state: landing files, store, snapshots; data/demo by default while nothing is configured",
    )
    bind: str = Field("127.0.0.1", description="address that the services listen on")
    dashboard_port: Port = Field(8501, description="port of the dashboard")
    exporter_port: Port = Field(9469, description="port of the Prometheus exporter")
    exporter_limit: int = Field(
        1_000,
        ge=1,
        description="workflows, kinds of runner and services that each get series of their own in the exporter, at "
        "most; the rest is counted as other",
    )
    otel_names: bool = Field(
        False, description="whether the exporter also uses the names of OpenTelemetry's conventions for CI/CD"
    )
    otlp_endpoint: Url | None = Field(
        None, description="OTLP collector that the exporter also sends its metrics to, by HTTP; needs the extra otlp"
    )
    otlp_headers: Headers = Field(None, description="headers for it: name=value, comma-separated, percent-encoded")
    dagster_port: Port = Field(3000, description="port of Dagster's web page")
    webhook_port: Port = Field(9470, description="port of the webhook receiver")
    demo_port: Port = Field(8990, description="port of the demo organisation")

    github_api_url: Url = Field(
        "https://api.github.com", description="GitHub's REST API, or a GitHub Enterprise Server's"
    )
    github_token: SecretStr | None = Field(None, description="token with read access to Actions and metadata")
    github_repositories: Repositories = Field((), description="repositories to measure, owner/name, comma-separated")
    github_organizations: Names = Field((), description="organisations whose repositories to measure, comma-separated")
    github_include: Names = Field(
        (), description="of the organisations' repositories only these: globs over owner/name"
    )
    github_exclude: Names = Field((), description="of the organisations' repositories not these: globs over owner/name")
    github_archived: bool = Field(
        False, description="whether archived repositories of the organisations are measured too"
    )
    github_since: Since = Field(
        timedelta(days=90), description="how far the first sync reaches: a date, or days such as 90d"
    )
    poll_minutes: Minutes = Field(5, description="minutes between two passes, a divisor of 60")
    github_detail: Literal["full", "live", "failed", "bulk", "webhooks"] = Field(
        "full",
        description="how jobs are read: full (a request a run, once it ended), live (also while it runs), failed or "
        "bulk (100 runs a request, without runner, queue and cost; failed reads failures in full), webhooks",
    )
    github_context: Context = Field(
        CONTEXT,
        description="what to fetch besides runs: releases, pull_requests, deployments, annotations, rules, runners, "
        "billing, or none",
    )
    github_checks: bool = Field(
        False, description="whether to read checks of third parties; costs two requests for each commit"
    )
    github_reports: Globs = Field(
        ("*junit*", "*test-result*", "*test-report*", "*surefire*"),
        description="artifacts whose JUnit reports are read: globs over the artifact's name, comma-separated, or none",
    )
    github_report_mb: int = Field(100, ge=1, description="largest artifact to read reports from, in MB")
    github_reserve_ratio: float = Field(0.05, ge=0, lt=1, description="share of the hourly requests left to people")

    github_points_per_minute: int | None = Field(
        None, ge=1, description="requests a minute at most; 900 at github.com, else without limit by default"
    )

    failure_ratio: float = Field(0.10, gt=0, lt=1, description="failure ratio above which a workflow needs attention")
    failure_min_runs: int = Field(20, ge=1, description="runs below which no verdict is given")
    failure_for: Span = Field(timedelta(minutes=30), description="how long it must last before the alert fires")

    github_app_id: int | None = Field(None, description="GitHub App to authenticate as")
    github_app_private_key_file: Folder | None = Field(None, description="file with the App's private key")
    github_installation_id: int | None = Field(None, description="installation of the App")
    argocd_url: Url | None = Field(None, description="Argo CD server, with its root path; several by [argocd.NAME]")
    argocd_token: SecretStr | None = Field(None, description="token for Argo CD; its role needs applications, get")
    argocd_ca_file: Folder | None = Field(None, description="certificate authority of a private Argo CD")
    argocd_selector: str | None = Field(None, description="label selector of the applications to measure")
    argocd_projects: Names = Field((), description="projects of the applications to measure, comma-separated; else all")
    argocd_metrics_url: Url | None = Field(
        None, description="metrics of Argo CD's application controller, which operations are counted against"
    )
    argocd: dict[str, ArgoCDServer] = Field({}, description="more Argo CD servers, by name: tables of phoenix.toml")
    delivery_images: Images = Field(
        None,
        description="prefixes of the images that are our services, comma-separated, or none to count every image; "
        "else ghcr.io/OWNER/ of each owner measured",
    )
    delivery_labels: Names = Field(
        ("environment", "env"), description="labels of an application that name its environment, the first one wins"
    )
    environments: dict[str, Words] = Field(
        {}, description="environments and the words that stand for each: [environments]"
    )
    applications: tuple[ApplicationRule, ...] = Field(
        (), description="environment and service of applications by name: [[applications]], the first match wins"
    )
    teams: dict[str, Patterns] = Field({}, description="teams and their services or repositories, as globs: [teams]")
    runners: tuple[RunnerRule, ...] = Field(
        (), description="what runners are billed as, by label or group: [[runners]], the first match wins"
    )
    prices: tuple[RunnerPrice, ...] = Field((), description="prices in place of GitHub's list prices: [[prices]]")
    budgets: Budgets = Field(Budgets(), description="USD a month in total, by team and by repository: [budgets]")
    failure_rules: tuple[FailureRule, ...] = Field(
        (), description="why jobs and deployments failed: [[failure_rules]], before our own, the first match wins"
    )
    schedules: tuple[Schedule, ...] = Field(
        (), description="workflows that have to start by a schedule, and when: [[schedules]]"
    )
    objectives: tuple[Objective, ...] = Field(
        (), description="which share of runs should succeed, by workflow: [[objectives]], the first match wins"
    )
    webhook_secret: SecretStr | None = Field(None, description="secret that verifies GitHub's deliveries")
    argocd_webhook_secret: SecretStr | None = Field(None, description="secret that Argo CD's notifications bring along")
    slack_webhook: Webhook = Field(None, description="Slack webhook for alerts and digests")
    alert_webhooks: Webhooks = Field(
        None, description="other webhooks for alerts, comma-separated: Alertmanager's body, version 4"
    )
    dashboard_url: Url | None = Field(None, description="public address of the dashboard, for links in alerts")
    dashboard_login_file: Folder | None = Field(
        None, description="Streamlit's file of secrets with [auth]: who logs people in to the dashboard"
    )
    dashboard_allow: People = Field(
        (), description="who may log in to the dashboard: e-mail addresses and domains such as @example.com"
    )
    runbooks_url: Url | None = Field(
        None, description="address of docs/runbooks.md in your copy of the repository, for links of the Alerts page"
    )
    silences: tuple[SilenceRule, ...] = Field((), description="alerts that are not told for a while: [[silences]]")
    owners: dict[str, str] = Field({}, description="whom alerts of a team mention, as Slack writes it: [owners]")

    @property
    def has_sources(self) -> bool:
        """Whether anything to measure is configured."""
        return self.has_github or bool(self.argocd_servers)

    @property
    def demo_url(self) -> str:
        """Where the demo organisation answers."""
        return f"http://127.0.0.1:{self.demo_port}"

    @property
    def has_github(self) -> bool:
        """Whether anything at GitHub is to be measured."""
        return bool(self.github_repositories or self.github_organizations)

    @property
    def argocd_servers(self) -> tuple[ArgoCDServer, ...]:
        """The Argo CD servers to measure: the one of the variables, called argocd, then those of the tables."""
        tables = tuple(self.argocd[name] for name in sorted(self.argocd))
        if self.argocd_url is None:
            return tables
        keys = ("url", "token", "ca_file", "selector", "projects", "metrics_url")
        return (ArgoCDServer(name="argocd", **{key: getattr(self, f"argocd_{key}") for key in keys}), *tables)

    @property
    def dashboard_address(self) -> str:
        """Where the dashboard is, without a slash at the end."""
        if self.dashboard_url is not None:
            return self.dashboard_url
        host = "127.0.0.1" if self.bind in ("0.0.0.0", "") else self.bind  # noqa: S104  # compared, not bound
        return f"http://{host}:{self.dashboard_port}"

    @property
    def login(self) -> Login | None:
        """How people log in to the dashboard, None without a login. Raises SettingsError if that cannot work."""
        return read_login(self.dashboard_login_file) if self.dashboard_login_file is not None else None

    def admits(self, email: str) -> bool:
        """Whether somebody with this e-mail address may see the dashboard."""
        return is_admitted(email, self.dashboard_allow)

    @property
    def has_webhooks(self) -> bool:
        """Whether deliveries of GitHub's or of Argo CD's are to be received."""
        return self.webhook_secret is not None or self.argocd_webhook_secret is not None

    @property
    def image_prefixes(self) -> tuple[str, ...]:
        """How the images of our services begin; with none, every image is one of ours."""
        if self.delivery_images is not None:
            return self.delivery_images
        owners = {name.partition("/")[0].lower() for name in (*self.github_repositories, *self.github_organizations)}
        return tuple(f"ghcr.io/{owner}/" for owner in sorted(owners))

    @property
    def otlp_header_values(self) -> dict[str, str]:
        """The headers that go with each push."""
        return headers_of(self.otlp_headers.get_secret_value()) if self.otlp_headers is not None else {}

    def since_at(self, now: datetime) -> datetime:
        """Return the moment the first sync reaches back to, as of now (UTC)."""
        if isinstance(self.github_since, timedelta):
            return (now - self.github_since).replace(microsecond=0)
        return datetime(self.github_since.year, self.github_since.month, self.github_since.day, tzinfo=UTC)


@dataclass(frozen=True)
class Loaded:
    """Settings, and sentences on variables that were set but mean nothing."""

    settings: Settings
    warnings: tuple[str, ...]


def load_settings(environ: Mapping[str, str], **overrides: object) -> Settings:
    """Read and check the settings. Raises SettingsError with one line for the first wrong value."""
    return read_settings(environ, **overrides).settings


def read_settings(environ: Mapping[str, str], **overrides: object) -> Loaded:
    """Read and check the settings and say which PHOENIX_ variables are not settings.

    Overrides, such as command-line options, win over the environment, which wins over `phoenix.toml`.
    """
    here = Path("phoenix.toml")
    file = Path(environ.get(f"{PREFIX}CONFIG", here if here.exists() else CHECKOUT / "phoenix.toml"))
    if f"{PREFIX}CONFIG" in environ and not file.is_file():
        raise SettingsError(f"{PREFIX}CONFIG={file}: there is no such file; name a TOML file or unset it")

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, _Environment(settings_cls, environ), _File(settings_cls, file, environ)

    try:
        sourced: Settings = Sourced(**overrides)  # type: ignore[arg-type]  # each field's validator checks its override
    except ValidationError as error:
        raise SettingsError(_refusal(error, environ, file)) from None
    except ValueError as error:
        raise SettingsError(f"{file}: not valid TOML: {str(error).splitlines()[0]}") from None
    check_login(sourced.dashboard_login_file, sourced.dashboard_allow)
    if "home" not in sourced.model_fields_set and not sourced.has_sources:
        sourced = sourced.model_copy(update={"home": sourced.home / "demo"})  # keeps real data and the demo's apart
    return Loaded(sourced, (*_ownerless(sourced), *_unknown(environ, sourced.argocd)))


class _Environment(EnvSettingsSource):
    """The given mapping instead of the process's environment, with `_FILE` variables read."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        values = {key.lower(): value for key, value in self._environ.items() if key.startswith(PREFIX) and value}
        for name in TABLES:
            values.pop(f"{PREFIX}{name}".lower(), None)
        for name in _SECRETS:
            variable = f"{PREFIX}{name}_FILE".upper()
            if variable in self._environ:
                values[f"{PREFIX}{name}".lower()] = _secret_from(variable, Path(self._environ[variable]))
        return values


class _File(TomlConfigSettingsSource):
    """`phoenix.toml`, if there is one; secrets are refused there."""

    def __init__(self, settings_cls: type[BaseSettings], file: Path, environ: Mapping[str, str]) -> None:
        super().__init__(settings_cls, toml_file=file if file.is_file() else None)
        for name in _SECRETS:
            if name in self.toml_data:
                raise _secret_in_file(file, name, f"{PREFIX}{name.upper()}")
        tables = self.toml_data.get("argocd")
        if isinstance(tables, dict):
            taken = ["argocd"] if {"argocd_url"} & {*self.toml_data} or environ.get(f"{PREFIX}ARGOCD_URL") else []
            self.init_kwargs["argocd"] = _argocd_tables(file, tables, environ, taken)


def _argocd_tables(
    file: Path, tables: Mapping[str, Any], environ: Mapping[str, str], taken: list[str]
) -> dict[str, Any]:
    """Return the tables of Argo CD servers with their names, and their tokens from the environment."""
    found: dict[str, Any] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: argocd.{name}: expected a table [argocd.NAME] with the url of a server")
        if not _SERVER.fullmatch(name):
            raise SettingsError(f"{file}: [argocd.{name}]: expected a name of letters, digits, - and _")
        if variables_of(name) in map(variables_of, [*taken, *found]):
            raise SettingsError(f"{file}: [argocd.{name}]: another server has that name already; choose another")
        if "token" in table:
            raise _secret_in_file(file, f"token of [argocd.{name}]", f"{variables_of(name)}_TOKEN")
        found[name] = {**table, "name": name, "is_table": True, "token": _token_of(name, environ)}
    return found


def _token_of(name: str, environ: Mapping[str, str]) -> str | None:
    variable = f"{variables_of(name)}_TOKEN"
    file = environ.get(f"{variable}_FILE")
    return _secret_from(f"{variable}_FILE", Path(file)) if file else environ.get(variable) or None


def _secret_in_file(file: Path, name: str, variable: str) -> SettingsError:
    return SettingsError(f"{file}: {name} is a secret; set {variable} or {variable}_FILE instead")


def _secret_from(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{variable}={path}: cannot be read ({type(error).__name__}); name a readable text file"
        ) from None


def _refusal(error: ValidationError, environ: Mapping[str, str], file: Path) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "?"
    variable = f"{PREFIX}{name}".upper()
    if name in TABLES:
        return _table_refusal(first, file)
    if first["type"] == "extra_forbidden":
        return f"{file}: {name} is not a setting{_suggestion(name)}"
    accepted = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    where = (
        variable
        if variable in environ
        else f"{file}: {name}"
        if variable not in environ and file.is_file()
        else variable
    )
    value = "" if name in _SECRETS or variable not in environ else f"={environ[variable]!r}"
    return f"{where}{value}: expected {accepted}"


def _table_refusal(error: Any, file: Path) -> str:
    """Return the line for a wrong value in a table, which names the table and the key."""
    place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        model = TABLES[error["loc"][0]]
        known = set(model.model_fields) if model else set()
        return f"{file}: {place} is not a setting{_suggestion(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"{file}: {place}: not set; each table needs it"
    accepted = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{file}: {place}: expected {accepted}"


def _ownerless(settings: Settings) -> list[str]:
    """Say of whom [owners] names that is no team."""
    strangers = sorted(set(settings.owners) - set(settings.teams))
    return [f"owners.{name}: [teams] has no such team, so nobody is mentioned" for name in strangers]


def _unknown(environ: Mapping[str, str], servers: Iterable[str]) -> list[str]:
    names = {f"{PREFIX}{name}".upper() for name in Settings.model_fields if name not in TABLES}
    known = names | {f"{PREFIX}{name}_FILE".upper() for name in _SECRETS} | {f"{PREFIX}CONFIG"}
    known |= {f"{variables_of(name)}_TOKEN{end}" for name in servers for end in ("", "_FILE")}
    strange = sorted(key for key in environ if key.startswith(PREFIX) and key not in known)
    return [f"{key} is not a setting of this version and has no effect{_suggestion(key, names)}" for key in strange]


def _suggestion(name: str, names: set[str] | None = None) -> str:
    close = get_close_matches(name, names or set(Settings.model_fields), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def describe_settings() -> list[tuple[str, str, Any]]:
    """Return each variable, its meaning and its default."""
    return [
        (f"{PREFIX}{name}".upper(), field.description or "", field.default)
        for name, field in Settings.model_fields.items()
        if name not in TABLES
    ]

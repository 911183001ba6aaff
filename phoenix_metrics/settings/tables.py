"""Tables of `phoenix.toml`: what stands there only, each table an object of its own."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from phoenix_metrics.settings.values import (
    Crons,
    Folder,
    Glob,
    Moment,
    Names,
    Patterns,
    Sku,
    TimeZone,
    Url,
    Usd,
    class_name,
)

PREFIX = "PHOENIX_"


class ArgoCDServer(BaseModel):
    """One Argo CD server to measure, by the name that its data goes by; where no projects are named, all are read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    url: Url
    token: SecretStr | None = None
    ca_file: Folder | None = None
    selector: str | None = None
    projects: Names = ()
    metrics_url: Url | None = None
    is_table: bool = False

    def setting(self, key: str) -> str:
        """Return what one sets to change one of its values, such as PHOENIX_ARGOCD_CA_FILE or a line of a table."""
        if key == "token" or not self.is_table:
            return f"{variables_of(self.name) if self.is_table else f'{PREFIX}ARGOCD'}_{key.upper()}"
        return f"{key} of [argocd.{self.name}]"


class ApplicationRule(BaseModel):
    """What is known of the applications whose names match a glob: their environment, their service, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    match: Glob
    environment: str | None = None
    service: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ApplicationRule":
        if not (self.environment or self.service):
            raise ValueError("an environment, a service, or both")
        return self


class RunnerRule(BaseModel):
    """What runners with a label or in a group that matches a glob are billed as, and what a minute of them costs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    match: Glob
    sku: Sku
    usd_per_minute: Usd | None = None
    valid_from: date | None = None


class RunnerPrice(BaseModel):
    """What a minute of a kind of runner costs from a day on, in place of GitHub's list price."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sku: Sku
    usd_per_minute: Usd
    valid_from: date | None = None


class Budgets(BaseModel):
    """USD a month: for everything, for teams, for repositories by glob."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    total: Usd | None = None
    teams: dict[str, Usd] = {}
    repositories: dict[Glob, Usd] = {}


class FailureRule(BaseModel):
    """What a failed job or deployment is called whose step, job or message matches; all that is named must match.

    With `timeout_minutes` it is about jobs that were cancelled within a minute after so many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    failure_class: Annotated[str, AfterValidator(class_name)]
    subject: Literal["job", "deployment"] = "job"
    step: Patterns = ()
    job: Patterns = ()
    message: Patterns = ()
    timeout_minutes: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "FailureRule":
        if self.subject == "deployment" and (not self.message or self.step or self.job or self.timeout_minutes):
            raise ValueError("of a deployment a message, and nothing else")
        if not (self.step or self.job or self.message or self.timeout_minutes):
            raise ValueError("a step, a job, a message or timeout_minutes")
        return self


class Schedule(BaseModel):
    """When a workflow has to start: by its name or file, in the repositories that match a glob."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    workflow: str
    cron: Crons
    timezone: TimeZone = "UTC"
    repository: Glob = "*"
    late_minutes: int = Field(30, ge=1)


class Objective(BaseModel):
    """Which share of a workflow's decided runs should succeed, in the workflows and repositories that match globs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    success_ratio: float = Field(gt=0, lt=1)
    workflow: Glob = "*"
    repository: Glob = "*"


class SilenceRule(BaseModel):
    """Alerts that are not told until a moment (UTC unless it says otherwise): by rule and subject, as globs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rule: Glob = "*"
    subject: Glob = "*"
    until: Moment
    reason: str = ""


def variables_of(name: str) -> str:
    """Return how the variables of an Argo CD server that has a table begin."""
    return f"{PREFIX}ARGOCD_{name.upper().replace('-', '_')}"


# Each table with what describes an entry of it; None where an entry is a list of words.
TABLES: dict[str, type[BaseModel] | None] = {
    "argocd": ArgoCDServer,
    "environments": None,
    "applications": ApplicationRule,
    "teams": None,
    "runners": RunnerRule,
    "prices": RunnerPrice,
    "budgets": Budgets,
    "failure_rules": FailureRule,
    "schedules": Schedule,
    "objectives": Objective,
    "silences": SilenceRule,
    "owners": None,
}

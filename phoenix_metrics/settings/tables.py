"""Tables of `phoenix.toml`: what stands there only, each table an object of its own."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from phoenix_metrics.settings.values import Crons, Folder, Glob, Names, TimeZone, Url

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


class Schedule(BaseModel):
    """When a workflow has to start: by its name or file, in the repositories that match a glob."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    workflow: str
    cron: Crons
    timezone: TimeZone = "UTC"
    repository: Glob = "*"
    late_minutes: int = Field(30, ge=1)


def variables_of(name: str) -> str:
    """Return how the variables of an Argo CD server that has a table begin."""
    return f"{PREFIX}ARGOCD_{name.upper().replace('-', '_')}"


# Each table with what describes an entry of it; None where an entry is a list of words.
TABLES: dict[str, type[BaseModel] | None] = {
    "argocd": ArgoCDServer,
    "environments": None,
    "applications": ApplicationRule,
    "teams": None,
    "schedules": Schedule,
}

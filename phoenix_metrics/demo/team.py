"""The people of the organisation and what they work on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Developer:
    """A member of the team; `activity` weighs how much of the work is theirs."""

    id: int
    login: str
    name: str
    activity: float

    @property
    def email(self) -> str:
        """The address that the commits carry."""
        return f"{self.login}@phoenix.example"


TEAM = (
    Developer(410_201, "amara-okafor", "Amara Okafor", 1.6),
    Developer(410_202, "bjornlund", "Björn Lund", 1.2),
    Developer(410_203, "carla-reyes", "Carla Reyes", 1.4),
    Developer(410_204, "dmitri-v", "Dmitri Volkov", 0.9),
    Developer(410_205, "elif-kaya", "Elif Kaya", 1.3),
    Developer(410_206, "farid-n", "Farid Nazari", 0.7),
    Developer(410_207, "grace-mwangi", "Grace Mwangi", 1.1),
    Developer(410_208, "hiro-tanaka", "Hiro Tanaka", 1.0),
    Developer(410_209, "ines-duarte", "Inês Duarte", 0.8),
    Developer(410_210, "jonasweber", "Jonas Weber", 1.2),
    Developer(410_211, "kim-soyeon", "Kim So-yeon", 0.6),
    Developer(410_212, "liam-obrien", "Liam O'Brien", 0.5),
)
ACTIVITY = tuple(developer.activity for developer in TEAM)

# What a change is about: its kind, the service it touches and its subject.
TOPICS = (
    ("feat", "api", "paginate the experiment list"),
    ("feat", "api", "accept pipeline templates as YAML"),
    ("feat", "api", "expose experiment events over websocket"),
    ("fix", "api", "return 409 when an experiment name is taken"),
    ("fix", "api", "close database rows after streaming"),
    ("feat", "controller", "retry failed collector rollouts"),
    ("feat", "controller", "reconcile experiments by generation"),
    ("fix", "controller", "stop leaking informers on shutdown"),
    ("fix", "controller", "respect the pause annotation"),
    ("feat", "generator", "emit tail sampling processors"),
    ("feat", "generator", "render Helm values per environment"),
    ("fix", "generator", "escape label values in templates"),
    ("fix", "generator", "keep processor order stable"),
    ("feat", "dashboard", "compare two experiments side by side"),
    ("feat", "dashboard", "show cost savings per pipeline"),
    ("feat", "dashboard", "remember the chosen time range"),
    ("fix", "dashboard", "keep the tooltip inside the chart"),
    ("fix", "dashboard", "stop polling when the tab is hidden"),
    ("feat", "simulator", "replay process churn profiles"),
    ("fix", "simulator", "cap memory of long simulations"),
    ("feat", "operator", "watch pipeline custom resources"),
    ("fix", "operator", "update status without conflicts"),
    ("fix", "auth", "refresh tokens before they expire"),
    ("feat", "telemetry", "trace requests across services"),
)

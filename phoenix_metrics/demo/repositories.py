"""The organisation's repositories: the platform, and as many others as are wanted, each less busy than the last."""

from dataclasses import dataclass

ORGANIZATION = "phoenix"
ORGANIZATION_ID = 98_310_021
MOST_REPOSITORIES = 5_000

_FIRST_ID = 612_480_933
_ID_STEP = 7
_BUSIEST = 0.6  # pace of the first of the others, where the platform's is 1
_DECLINE = 0.9  # as with words and cities, the n-th is about 1/n as busy as the first
_SUBJECTS = (
    "billing", "search", "auth", "mail", "export", "ingest", "alerts", "audit", "catalog", "cache",
    "schema", "traces", "metrics", "logs", "gateway", "quota", "tenant", "webhook", "report", "archive",
    "sandbox", "signup", "support", "status", "release", "config", "secrets", "cluster", "network", "storage",
)  # fmt: skip
_KINDS = ("service", "worker", "ui", "sdk", "operator", "charts", "docs", "tools")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository; `share` is its pace where the platform's is 1."""

    number: int
    name: str
    share: float = 1.0

    @property
    def id(self) -> int:
        """Its id at GitHub."""
        return _FIRST_ID + self.number * _ID_STEP

    @property
    def full_name(self) -> str:
        """Its name behind the organisation's."""
        return f"{ORGANIZATION}/{self.name}"

    @property
    def web(self) -> str:
        """Where people look at it."""
        return f"https://github.com/{self.full_name}"


PLATFORM = Repository(0, "platform")


def repositories(count: int) -> tuple[Repository, ...]:
    """Return the platform and `count - 1` others. Raises ValueError for a count that cannot be."""
    if not 1 <= count <= MOST_REPOSITORIES:
        raise ValueError(f"repositories: expected a number from 1 to {MOST_REPOSITORIES}, not {count}")
    return PLATFORM, *(_other(number) for number in range(1, count))


def _other(number: int) -> Repository:
    place, subject = divmod(number - 1, len(_SUBJECTS))
    turn, kind = divmod(place, len(_KINDS))
    name = f"{_SUBJECTS[subject]}-{_KINDS[(kind + subject) % len(_KINDS)]}" + (f"-{turn + 1}" if turn else "")
    return Repository(number, name, _BUSIEST / number**_DECLINE)

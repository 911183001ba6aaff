"""Rules that were set about deliveries, teams and schedules, as rows of the seeds they go into."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.settings import Settings

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Rules:
    """Rows that take the place of a seed's, by its name; an alias only the place of the same alias."""

    environment_aliases: Rows = ()
    environment_labels: Rows = ()
    application_rules: Rows = ()
    image_prefixes: Rows = ()
    teams: Rows = ()
    schedules: Rows = ()


NO_RULES = Rules()


def rules_of(settings: Settings) -> Rules:
    """Return what was set, in the columns of the seeds."""
    return Rules(
        environment_aliases=_aliases(settings.environments),
        environment_labels=_ranked((label,) for label in settings.delivery_labels),
        application_rules=_ranked(
            (like_pattern(rule.match), rule.environment, rule.service) for rule in settings.applications
        ),
        image_prefixes=[(prefix,) for prefix in settings.image_prefixes],
        teams=[(team, like_pattern(glob)) for team, globs in settings.teams.items() for glob in globs],
        schedules=[
            (like_pattern(one.repository), one.workflow, cron, one.timezone, one.late_minutes)
            for one in settings.schedules
            for cron in one.cron
        ],
    )


def like_pattern(glob: str) -> str:
    """Return a glob as a pattern of SQL's LIKE; an underscore stays one, and so matches any one character."""
    return glob.replace("*", "%").replace("?", "_")


def _aliases(environments: Mapping[str, Sequence[str]]) -> Rows:
    """Return each word with its environment, whose name is a word of its own."""
    named = {word.lower(): name for name, words in environments.items() for word in (name, *words)}
    return list(named.items())


def _ranked(rows: Iterable[tuple[Any, ...]]) -> Rows:
    return [(rank, *row) for rank, row in enumerate(rows, 1)]

"""Rules that were set: about deliveries, teams, costs, failures, schedules and alerts, as rows of their seeds."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.settings import Settings
from phoenix_metrics.settings.tables import Budgets, FailureRule

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Rules:
    """Rows that take the place of a seed's, by its name; an alias that of the same alias, failure rules come before."""

    environment_aliases: Rows = ()
    environment_labels: Rows = ()
    application_rules: Rows = ()
    image_prefixes: Rows = ()
    teams: Rows = ()
    own_runners: Rows = ()
    own_prices: Rows = ()
    spending_limits: Rows = ()
    failure_rules: Rows = ()
    schedules: Rows = ()
    objectives: Rows = ()
    own_alert_rules: Rows = ()


NO_RULES = Rules()
RAN_ALONE = (
    "^(runner|runner-unknown) [a-z-]+ run-(success|failure|other|open|unknown)$"  # as time-outs of the seed have it
)


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
        own_runners=_ranked(
            (rule.match, _label_pattern(rule.match), rule.sku, rule.usd_per_minute, rule.valid_from)
            for rule in settings.runners
        ),
        own_prices=[(price.sku, price.usd_per_minute, price.valid_from) for price in settings.prices],
        spending_limits=_spending_limits(settings.budgets),
        failure_rules=list(_failure_rules(settings.failure_rules)),
        schedules=[
            (like_pattern(one.repository), one.workflow, cron, one.timezone, one.late_minutes)
            for one in settings.schedules
            for cron in one.cron
        ],
        objectives=_ranked(
            (like_pattern(one.repository), like_pattern(one.workflow), one.success_ratio) for one in settings.objectives
        ),
        own_alert_rules=[
            (
                "CICDPipelineFailureRate",
                settings.failure_ratio,
                settings.failure_min_runs,
                int(settings.failure_for.total_seconds()),
            )
        ],
    )


def like_pattern(glob: str) -> str:
    """Return a glob as a pattern of SQL's LIKE; an underscore stays one, and so matches any one character."""
    return glob.replace("*", "%").replace("?", "_")


def _label_pattern(glob: str) -> str:
    """Return a glob as a regular expression over one label in lower case of a comma-separated list."""
    wild = {"*": "[^,]*", "?": "[^,]"}
    return "".join(wild.get(letter) or re.escape(letter) for letter in glob.lower())


def _spending_limits(budgets: Budgets) -> Rows:
    total = [] if budgets.total is None else [("total", "total", "%", budgets.total)]
    teams = [("team", team, team, usd) for team, usd in budgets.teams.items()]
    return [
        *total,
        *teams,
        *(("repository", glob, like_pattern(glob), usd) for glob, usd in budgets.repositories.items()),
    ]


def _aliases(environments: Mapping[str, Sequence[str]]) -> Rows:
    """Return each word with its environment, whose name is a word of its own."""
    named = {word.lower(): name for name, words in environments.items() for word in (name, *words)}
    return list(named.items())


def _ranked(rows: Iterable[tuple[Any, ...]]) -> Rows:
    return [(rank, *row) for rank, row in enumerate(rows, 1)]


def _failure_rules(rules: Sequence[FailureRule]) -> Iterator[tuple[Any, ...]]:
    """Yield the rules in their order, ranked so that the last has 0; those of the seed begin above that."""
    for place, rule in enumerate(rules, 1):
        limit = rule.timeout_minutes * 60 if rule.timeout_minutes else None
        yield (
            place - len(rules),
            rule.subject,
            f"phoenix.toml {place}",
            rule.failure_class,
            "failure" if limit is None else "cancelled",
            None,
            None if limit is None else RAN_ALONE,
            regex_of(rule.step),
            regex_of(rule.job),
            regex_of(rule.message),
            limit,
            None if limit is None else limit + 60,
            "phoenix.toml",
        )


def regex_of(globs: Sequence[str]) -> str | None:
    """Return globs as one regular expression over the whole of a line in small letters; None if there are none."""
    patterns = [re.escape(glob.lower()).replace(r"\*", ".*").replace(r"\?", ".") for glob in globs]
    return f"^({'|'.join(patterns)})$" if patterns else None

"""What the Alerts page looks at: episodes of a period, perhaps of one team."""

from dataclasses import dataclass

from dashboards.scope import Period


@dataclass(frozen=True)
class AlertScope:
    """Which episodes count: those that were open at any time of the period, of a team if one is chosen."""

    period: Period
    team: str | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """The values of the query parameters that `questions` names."""
        chosen = {"start": self.period.start, "end": self.period.end}
        return {**chosen, **({"team": self.team} if self.team else {})}

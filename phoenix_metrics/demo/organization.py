"""The whole organisation: a world for each of its repositories."""

from collections.abc import Mapping
from pathlib import Path

from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.repositories import ORGANIZATION, repositories
from phoenix_metrics.demo.universe import Universe
from phoenix_metrics.demo.world import World


class Organization:
    """`count` repositories; only the platform's main can be broken, and only the platform is delivered by Argo CD.

    Raises ValueError for a count that cannot be.
    """

    def __init__(
        self, seed: int = 7, days: int = 60, pace: float = 1.0, count: int = 1, state_file: Path | None = None
    ) -> None:
        self.breakages = BreakageLog(state_file)
        self._worlds = [
            World(
                Universe(seed, pace * repository.share, repository),
                days,
                BreakageLog() if repository.number else self.breakages,
            )
            for repository in repositories(count)
        ]
        self._by_name = {world.repository.full_name.lower(): world for world in self._worlds}
        self._by_id = {str(world.repository.id): world for world in self._worlds}

    @property
    def platform(self) -> World:
        """The platform's world."""
        return self._worlds[0]

    @property
    def worlds(self) -> tuple[World, ...]:
        """All of them, the platform first."""
        return tuple(self._worlds)

    def world_at(self, path: Mapping[str, str]) -> World | None:
        """Return the world that an address names, by name or id; an address of the organisation's has the platform."""
        if "repository_id" in path:
            return self._by_id.get(path["repository_id"])
        if "repo" in path:
            return self._by_name.get(f"{path.get('owner', ORGANIZATION)}/{path['repo']}".lower())
        return self.platform

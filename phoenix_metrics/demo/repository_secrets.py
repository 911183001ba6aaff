"""The secrets that the workflows use: their names, and when somebody last changed them."""

from dataclasses import dataclass
from typing import Any

from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import DAY, FOUNDED, HOUR, Universe

# Name, and days between two rotations as the team means it; nobody has ever changed the last one.
_ROTATIONS = {
    "MANIFEST_REPO_TOKEN": 85,
    "DOCKER_REGISTRY_TOKEN": 120,
    "SONAR_TOKEN": 180,
    "CODECOV_TOKEN": 365,
    "SLACK_WEBHOOK": None,
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the repository at a moment; nobody can read its value."""

    name: str
    created_at: int
    updated_at: int


def secrets(universe: Universe, now: int) -> list[Secret]:
    """Return the secrets as of a moment, by name as GitHub lists them."""
    return [_secret(universe, name, now) for name in sorted(_ROTATIONS)]


def secret_payload(secret: Secret) -> dict[str, Any]:
    """Return a secret as GitHub shows it."""
    return {
        "name": secret.name,
        "created_at": written(secret.created_at),
        "updated_at": written(secret.updated_at),
    }


def _secret(universe: Universe, name: str, now: int) -> Secret:
    """Return a secret; each rotation comes some time around when it is due, within working hours."""
    created_at = updated_at = FOUNDED * DAY + universe.dice("secret", name).randint(9 * HOUR, 16 * HOUR)
    every = _ROTATIONS[name]
    for number in range(1, (now // DAY - FOUNDED) // every + 2 if every else 1):
        dice = universe.dice("secret", name, number)
        day = FOUNDED + round(number * (every or 0) + dice.uniform(-10, 10))
        at = day * DAY + dice.randint(9 * HOUR, 16 * HOUR)
        updated_at = max(updated_at, at) if at <= now else updated_at
    return Secret(name, created_at, updated_at)

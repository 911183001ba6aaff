"""Deployments written by hand, played by a simulated Argo CD that is looked at now and then, then published."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from phoenix_metrics.defs.argocd import Pass, sync_argocd
from phoenix_metrics.demo.argocd.actions import Abort, Action, Commit, Create, Outcome, Rollback, Sync, Terminate
from phoenix_metrics.demo.argocd.cluster import Cluster
from phoenix_metrics.settings import load_settings
from tests import argocd_server
from tests.argocd_server import Fault
from tests.conftest import publish_landing
from tests.exporter.landed import NOW, ago

PHASES: Mapping[str, Literal["Succeeded", "Failed", "Error"]] = {
    "succeeded": "Succeeded",
    "failed": "Failed",
    "error": "Error",
    "cancelled": "Succeeded",  # had it not been terminated
}
LOOKS = (ago(days=3), *(ago(minutes=minutes) for minutes in range(60, -1, -5)))  # the last one at NOW
EUROPE = "europe"  # a project, and the namespace of its applications


@dataclass(frozen=True)
class Delivery:
    """A sync that brings, or fails to bring, a version of a service; one that goes back names the history entry."""

    service: str
    environment: str
    at: datetime
    version: int
    status: str = "succeeded"
    seconds: int = 4
    back_to: int | None = None
    aborted_at: datetime | None = None  # when its Rollout went back by itself
    is_again: bool = False  # brings what is live already
    is_lost: bool = False  # nobody can know of it
    namespace: str = "argocd"

    @property
    def track(self) -> tuple[str, str]:
        """Which service it is of, and where."""
        return self.service, self.environment

    @property
    def application(self) -> str:
        """The application that is synced."""
        return f"{self.namespace}/{self.service}-{self.environment}"

    @property
    def ended_at(self) -> datetime:
        """When the operation ended; the controller takes it a second after it was asked for."""
        return self.at + timedelta(seconds=1 + self.seconds)

    def actions(self) -> list[Action]:
        """Return what people do for it."""
        at = int(self.at.timestamp())
        if self.back_to is not None:
            return [Rollback(at, self.application, self.back_to, by="bob", outcome=self._outcome())]
        image = f"ghcr.io/acme/{self.service}:main-{self.version:07x}"
        told: list[Action] = [
            Commit(at, self.application, (f"{self.version:040x}",), {self.service: image}),
            Sync(at, self.application, by="alice", outcome=self._outcome()),
        ]
        if self.status == "cancelled":  # it has failed a second after it was terminated
            told.append(Terminate(at + self.seconds, self.application, by="carol"))
        if self.aborted_at:
            told.append(Abort(int(self.aborted_at.timestamp()), self.application, self.service))
        return told

    def _outcome(self) -> Outcome:
        seconds = 600 if self.status == "cancelled" else self.seconds
        healthy_after = None if self.aborted_at else 30
        return Outcome(
            PHASES[self.status],
            seconds=seconds,
            healthy_after=healthy_after,
            applies=self.status in ("succeeded", "cancelled"),
        )


CREATED = ago(days=5)
APPLICATIONS = [
    Create(int(CREATED.timestamp()), "shop-production", is_automated=False),
    Create(int(CREATED.timestamp()), "search-staging", is_automated=False, history_limit=1),
    Create(int(CREATED.timestamp()), "pay-staging", is_automated=False, rollouts=("pay",)),
    Create(int(CREATED.timestamp()), "cart-production", is_automated=False),
    Create(int(CREATED.timestamp()), "shop-production", namespace=EUROPE, project=EUROPE, is_automated=False),
]
DELIVERIES = [
    Delivery("shop", "production", ago(days=4), 1),  # history entry 0, seen a day later
    Delivery("shop", "production", ago(days=2), 2, seconds=40),  # entry 1, late as well
    Delivery("shop", "production", ago(hours=6, minutes=50), 3),  # entry 2, seen just in time by the next look
    Delivery("shop", "production", ago(minutes=48), 4, seconds=70),  # entry 3
    Delivery("shop", "production", ago(minutes=43), 4, is_again=True),  # entry 4: a re-sync
    Delivery("shop", "production", ago(minutes=38), 5, "failed", seconds=9),
    Delivery("shop", "production", ago(minutes=33), 6, "error"),
    Delivery("shop", "production", ago(minutes=28), 7, "cancelled", seconds=10),
    Delivery("shop", "production", ago(minutes=23), 8, seconds=200),  # entry 5
    Delivery("shop", "production", ago(minutes=13), 3, seconds=5, back_to=2),
    Delivery("search", "staging", ago(days=4), 11),  # entry 0
    Delivery("search", "staging", ago(days=2), 12, is_lost=True),  # entry 1
    Delivery("search", "staging", ago(days=2, minutes=-10), 13, is_lost=True),  # entry 2
    Delivery("search", "staging", ago(days=2, minutes=-20), 14, seconds=7),  # entry 3: late, two are missing before it
    Delivery("pay", "staging", ago(minutes=52), 21),
    Delivery("pay", "staging", ago(minutes=42), 22, aborted_at=ago(minutes=31)),
]
LATER = [  # nobody has looked yet
    Delivery("cart", "production", NOW + timedelta(minutes=1), 31),
    Delivery("shop", "production", ago(days=4), 41, namespace=EUROPE),
    Delivery("shop", "production", ago(days=3, minutes=-30), 42, namespace=EUROPE),
    Delivery("shop", "production", ago(days=3, minutes=-40), 41, back_to=0, namespace=EUROPE),
]


def collect(home: Path, looks: Sequence[datetime] = LOOKS, faults: Iterable[Fault] = (), projects: str = "") -> Pass:
    """Look at the cluster at some moments, publish, and return how the last look went."""
    story = [*APPLICATIONS, *(action for one in (*DELIVERIES, *LATER) for action in one.actions())]
    with argocd_server.serving(Cluster(story), looks[0], token="t") as server:
        server.faults.extend(faults)
        settings = load_settings(
            {
                "PHOENIX_HOME": str(home),
                "PHOENIX_ARGOCD_URL": server.url,
                "PHOENIX_ARGOCD_TOKEN": "t",
                "PHOENIX_ARGOCD_PROJECTS": projects or "default",
            }
        )
        for server.now in looks:
            [done] = sync_argocd(settings, lambda: server.now, lambda _: None)
        assert server.cluster.refusals == []
    publish_landing(home)
    return done

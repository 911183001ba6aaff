"""What was known of an Argo CD server before a pass, told to it as an argument."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from phoenix_metrics.sources.argocd.applications import Place

Key = tuple[str, str]  # an application's namespace and name


@dataclass(frozen=True, slots=True)
class KnownApplication:
    """An application as it was read last; its state is seen, not_seen, deleted, no_access or not known."""

    place: Place
    uid: str | None = None
    digest: str | None = None
    probe: str | None = None
    state: str | None = None
    has_rollouts: bool = False


@dataclass(frozen=True)
class KnownTrees:
    """What was read of Argo Rollouts: digests by uid, each ReplicaSet's revision, which runs have ended."""

    digests: Mapping[str, str] = field(default_factory=dict)
    revisions: Mapping[str, str | None] = field(default_factory=dict)
    ended_runs: frozenset[str] = frozenset()
    read: frozenset[Key] = frozenset()  # applications whose Rollouts are known
    running: frozenset[Key] = frozenset()  # applications with an analysis that had not ended


@dataclass(frozen=True)
class Known:
    """Everything that a pass over one server compares with."""

    applications: Mapping[Key, KnownApplication] = field(default_factory=dict)
    state: str | None = None  # how the last pass ended
    swept_at: datetime | None = None
    events_read_to: datetime | None = None
    event_uids: frozenset[str] = frozenset()
    revisions: frozenset[tuple[str, str]] = frozenset()  # repository's address and commit
    trees: KnownTrees = KnownTrees()
    sync_totals: Mapping[tuple[str, str, str, bool], float] = field(default_factory=dict)

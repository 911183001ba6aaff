"""What a stream of changes is asked for, and which of its changes are news."""

from collections import OrderedDict

from phoenix_metrics.sources.argocd.known import Key

REMEMBERED = 20_000  # applications of one server
_OPERATION = (
    *("initiatedBy", "info", "retry.limit"),
    *(f"sync.{name}" for name in ("revision", "revisions", "source", "sources", "syncStrategy", "resources.kind")),
    *(f"sync.{name}" for name in ("dryRun", "prune", "autoHealAttemptsCount", "manifests")),
)
FIELDS = (  # all that `applications.told_of` reads, so that a change says what the list would say, and nothing else
    *(f"metadata.{name}" for name in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "labels")),
    *(f"spec.{name}" for name in ("project", "destination", "revisionHistoryLimit", "source", "sources")),
    "spec.syncPolicy.automated",
    *(f"operation.{name}" for name in _OPERATION),
    *(
        f"status.{name}"
        for name in ("history", "health", "reconciledAt", "summary.images", "summary.isAppOfApps", "sourceHydrator")
    ),
    *(f"status.sync.{name}" for name in ("status", "revision", "revisions")),
    *(f"status.conditions.{name}" for name in ("type", "message")),
    *(f"status.resources.{name}" for name in ("group", "kind")),
    *(f"status.operationState.{name}" for name in ("phase", "startedAt", "finishedAt", "message", "retryCount")),
    *(f"status.operationState.operation.{name}" for name in _OPERATION),
    "status.operationState.syncResult",
)


class LastTold:
    """Remembers what was told last of each application, by digest; of too many it forgets those told longest ago."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._digests: OrderedDict[Key, str] = OrderedDict()
        self._limit = limit

    def is_news(self, key: Key, digest: str) -> bool:
        """Whether an application says something else than before, and remember that it was told."""
        is_known = self._digests.pop(key, None) == digest
        self._digests[key] = digest
        if len(self._digests) > self._limit:
            self._digests.popitem(last=False)
        return not is_known

    def forget(self, key: Key) -> None:
        """Forget one that is gone."""
        self._digests.pop(key, None)

    def clear(self) -> None:
        """Forget all, so that all of it is told again."""
        self._digests.clear()

"""Argo CD's notifications controller as deploy/argocd sets it up: each operation that ended is posted with a secret."""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from functools import partial

import httpx

from phoenix_metrics.demo.argocd.application import Json
from phoenix_metrics.demo.argocd.cluster import Cluster

TIMEOUT_SECONDS = 10
_PAUSES = (1, 2, 4)  # seconds before it is tried again; after that the notification is lost


class Notifier:
    """Posts what the cluster notifies of after a moment."""

    def __init__(self, cluster: Cluster, url: str, secret: str, since: int) -> None:
        self._cluster = cluster
        self._url = url
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self._since = since
        self._told_count: int | None = None

    def news(self) -> list[Callable[[httpx.AsyncClient], Awaitable[None]]]:
        """Return what is to be posted since the last look, in order."""
        known = self._cluster.notifications
        if self._told_count is None:
            self._told_count = bisect_right(known, self._since, key=lambda one: one.at)
        found = known[self._told_count :]
        self._told_count = len(known)
        return [partial(self._notify, body=_template(one.body)) for one in found]

    async def _notify(self, client: httpx.AsyncClient, body: Json) -> None:
        """Post one notification, again after no answer or one of the receiver's own failing."""
        for pause in (*_PAUSES, None):
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    answered = await client.post(self._url, json=body, headers=self._headers)
                if not answered.is_server_error:
                    return
            except (TimeoutError, httpx.HTTPError):
                pass
            if pause is not None:
                await asyncio.sleep(pause)


def _template(application: Json) -> Json:
    """Return the body that the template of deploy/argocd/notifications.yaml makes."""
    metadata = application["metadata"]
    return {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": metadata["uid"],
        "project": application["spec"]["project"],
        "operationState": application["status"]["operationState"],
    }

"""What the demo organisation sends by itself: GitHub's webhooks and Argo CD's notifications, as its world goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import httpx

from phoenix_metrics.demo.argocd.notifier import Notifier
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.happenings import Diary
from phoenix_metrics.demo.hooks import Hooks, Parcel, Target, Webhook
from phoenix_metrics.demo.organization import Organization

LOOKS_EVERY = 1.0  # seconds between two looks at what has happened
_AT_ONCE = 8  # deliveries under way, so that a slow receiver does not hold up all others

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receiver:
    """Where to send to: the address under which its routes are, and its secrets; without one nobody sends that."""

    url: str
    github_secret: str | None = field(default=None, repr=False)
    argocd_secret: str | None = field(default=None, repr=False)


class Sender:
    """Sends to one receiver what happens after it was started; `clock` gives seconds since 1970.

    It looks at the worlds and the cluster by itself and posts beside that, so neither a slow nor a dead receiver holds
    up anybody else. `api` is the root of the addresses in what GitHub sends.
    """

    def __init__(
        self,
        organization: Organization,
        living: LivingCluster,
        receiver: Receiver,
        api: str,
        clock: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._living = living
        self._waiting: asyncio.Queue[Parcel] = asyncio.Queue()
        url, now = receiver.url.rstrip("/"), clock()
        self._diaries: list[tuple[Diary, Webhook]] = []
        self.hooks: Hooks | None = None
        if receiver.github_secret:
            target = Target(f"{url}/github", receiver.github_secret, api)
            for world in organization.worlds:
                webhook = Webhook(world, target, self._waiting.put_nowait, clock)
                self._diaries.append((Diary(world, now), webhook))
            self.hooks = Hooks(webhook for _, webhook in self._diaries)
        self._notifier: Notifier | None = None
        if receiver.argocd_secret:
            self._notifier = Notifier(living.cluster, f"{url}/argocd", receiver.argocd_secret, now)

    @asynccontextmanager
    async def sending(self, _: object) -> AsyncIterator[None]:
        """Look and send while the block runs; what waits at its end is not sent."""
        task = asyncio.create_task(self._send())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _send(self) -> None:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=None) as client, asyncio.TaskGroup() as group:  # noqa: S113  # each delivery has its own
                for _ in range(_AT_ONCE):
                    group.create_task(self._post(client))
                group.create_task(self._look())
        except Exception:
            _log.exception("the demo organisation sends nothing any more")

    async def _look(self) -> None:
        while True:
            now = self._clock()
            for diary, webhook in self._diaries:
                for _ in diary.read(now):
                    await asyncio.sleep(0)  # whoever asks the API comes first
                for happening in diary.news(now):
                    self._waiting.put_nowait(partial(webhook.deliver, happening=happening))
                await asyncio.sleep(0)
            if self._notifier is not None:
                self._living.live_until(now)
                self._living.cluster.advance(now)
                for parcel in self._notifier.news():
                    self._waiting.put_nowait(parcel)
            await asyncio.sleep(LOOKS_EVERY)

    async def _post(self, client: httpx.AsyncClient) -> None:
        while True:
            parcel = await self._waiting.get()
            await parcel(client)

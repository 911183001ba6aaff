"""What the demo organisation sends by itself: GitHub's webhooks and Argo CD's notifications, as its world goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import httpx

from phoenix_metrics.demo.argocd.notifier import Notifier
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.happenings import Diary
from phoenix_metrics.demo.hooks import Parcel, Target, Webhook
from phoenix_metrics.demo.world import World

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
        self, worlds: list[World], living: LivingCluster, receiver: Receiver, api: str, clock: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._living = living
        self._waiting: asyncio.Queue[Parcel] = asyncio.Queue()
        url, now = receiver.url.rstrip("/"), clock()
        self._hooks: list[tuple[Diary, Webhook]] = []
        if receiver.github_secret:
            target = Target(f"{url}/github", receiver.github_secret, api)
            made = (Webhook(world, target, self._waiting.put_nowait, clock) for world in worlds)
            self._hooks = [(Diary(world, now), webhook) for world, webhook in zip(worlds, made, strict=True)]
        self._notifier: Notifier | None = None
        if receiver.argocd_secret:
            self._notifier = Notifier(living.cluster, f"{url}/argocd", receiver.argocd_secret, now)

    @property
    def webhooks(self) -> Mapping[World, Webhook]:
        """The webhook of each world; none if GitHub sends nothing."""
        return {diary.world: webhook for diary, webhook in self._hooks}

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
            for parcel in self._news():
                self._waiting.put_nowait(parcel)
                await asyncio.sleep(0)  # whoever asks the API comes first
            await asyncio.sleep(LOOKS_EVERY)

    def _news(self) -> Iterator[Parcel]:
        now = self._clock()
        for diary, webhook in self._hooks:
            for happening in diary.news(now):
                yield partial(webhook.deliver, happening=happening)
        if self._notifier is not None:
            self._living.live_until(now)
            self._living.cluster.advance(now)
            yield from self._notifier.news()

    async def _post(self, client: httpx.AsyncClient) -> None:
        while True:
            parcel = await self._waiting.get()
            await parcel(client)

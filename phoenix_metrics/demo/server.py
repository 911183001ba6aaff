"""The demo organisation as a process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from phoenix_metrics.demo.api import app
from phoenix_metrics.demo.scenes import SceneName
from phoenix_metrics.demo.sending import Receiver

_GRACE_SECONDS = 1


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8990,
    seed: int = 7,
    days: int = 60,
    pace: float = 1.0,
    state_file: Path | None = None,
    repositories: int = 1,
    receiver: Receiver | None = None,
    scene: SceneName | None = None,
) -> None:
    """Serve the demo organisation, which sends to `receiver` if there is one, until SIGTERM or SIGINT.

    A scene has been on for a while by then.
    """
    application = app(
        seed=seed,
        days=days,
        pace=pace,
        state_file=state_file,
        repositories=repositories,
        receiver=receiver,
        scene=scene,
        address=f"http://{host}:{port}",
    )
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    with _stopped_quietly():
        uvicorn.Server(config).run()


@contextmanager
def _stopped_quietly() -> Iterator[None]:
    """Ignore the signal that ended uvicorn, which raises it once more when it has stopped."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

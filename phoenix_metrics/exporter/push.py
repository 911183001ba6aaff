"""Pushes what the page says to a collector, by OTLP over HTTP: whenever it changes, and once a minute.

Needs the extra `otlp`. A push is a thread's own business: no scrape waits for it, and one that fails is made up for by
the next, for all counts are totals.
"""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult

from phoenix_metrics.exporter.otlp import metrics_data
from phoenix_metrics.exporter.page import Page

PATH = "/v1/metrics"
PUSH_SECONDS = 60  # between two pushes of what has not changed
LOOK_SECONDS = 1  # between two looks whether it has
TIMEOUT_SECONDS = 10  # for a push with all its tries
BATCH = 5_000  # series a request: a few hundred kB, where collectors take 20 MB

log = logging.getLogger(__name__)
_client_log = logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter")


class Pusher:
    """Sends a page's metrics to a collector; says once that it fails, and once that it works again."""

    def __init__(
        self, page: Page, endpoint: str, headers: Mapping[str, str], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._page = page
        self._url = endpoint if endpoint.endswith(PATH) else f"{endpoint}{PATH}"
        session = requests.Session()
        session.hooks["response"].append(self._note_answer)
        self._exporter = OTLPMetricExporter(
            self._url,
            headers=dict(headers),
            timeout=timeout_seconds,
            compression=Compression.Gzip,
            session=session,
            max_export_batch_size=BATCH,
        )
        self._complaints = _Complaints()
        _client_log.addHandler(self._complaints)
        _client_log.propagate = False  # we say it, once
        self._answer = ""
        self._is_failing = False
        self._is_closed = False

    def push(self) -> bool:
        """Send everything once, with a few tries within the time-out, and return whether the collector took it."""
        self._complaints.first, self._answer = "", ""
        data = metrics_data(self._page.families(), time.time_ns())
        is_taken = self._exporter.export(data) is MetricExportResult.SUCCESS
        if is_taken:
            self._page.note_push(time.time())
        if not self._is_closed:  # what was cut off is no outage
            self._tell(is_failing=not is_taken)
        return is_taken

    def run(self, stopped: threading.Event) -> None:
        """Push whenever the page changes, and every minute, until stopped."""
        pushed_at, pushed = -float(PUSH_SECONDS), None
        while not stopped.wait(LOOK_SECONDS):
            view = self._page.view
            if view != pushed or time.monotonic() - pushed_at >= PUSH_SECONDS:
                pushed_at, pushed = time.monotonic(), view
                self.push()

    def close(self) -> None:
        """Let go of the collector; a push under way gives up before its next try."""
        self._is_closed = True
        self._exporter.shutdown()

    def _note_answer(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        """Take down what the SDK keeps to itself when it gives up."""
        self._answer = f"{answer.status_code} {answer.reason}"

    def _tell(self, *, is_failing: bool) -> None:
        if is_failing and not self._is_failing:
            why = self._answer or self._complaints.first
            log.warning("%s: metrics are not taken (%s); each push tries again", self._url, why)
        if self._is_failing and not is_failing:
            log.warning("%s: metrics are taken again", self._url)
        self._is_failing = is_failing


class _Complaints(logging.Handler):
    """Keeps the first thing that the SDK complains of during a push."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first one."""
        self.first = self.first or record.getMessage().partition("\n")[0]

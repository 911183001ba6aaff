"""Argo CD's own count of finished operations, as its application controller's metrics tell it: what ours is held to.

A line is argocd_app_sync_total{namespace="argocd",name="shop",phase="Succeeded",dry_run="false",dest_server="…"} 7.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from phoenix_metrics.errors import ConnectionFailedError, SourceError
from phoenix_metrics.settings.tables import ArgoCDServer
from phoenix_metrics.sources.argocd.client import trusted
from phoenix_metrics.sources.argocd.known import Key
from phoenix_metrics.sources.items import Item, as_text

METRIC = "argocd_app_sync_total"
Total = tuple[str, str, str, bool]  # an application's namespace and name, a phase, whether it was a dry run


def fetch_sync_totals(server: ArgoCDServer, known: Mapping[Total, float], measured: Collection[Key]) -> Iterator[Item]:
    """Yield the counts of the measured applications that differ from what is known; nothing where no address is set."""
    if server.metrics_url is None:
        return
    for (namespace, application, phase, dry_run), total in sorted(_totals(_lines(server)).items()):
        is_news = known.get((namespace, application, phase, dry_run)) != total
        if is_news and (namespace, application) in measured:
            told = {
                "instance": server.name,
                "namespace": namespace,
                "application": application,
                "phase": phase,
                "dry_run": dry_run,
                "total": total,
            }
            yield Item("argocd_sync_totals", None, as_text(told))


def _totals(lines: Iterable[str]) -> dict[Total, float]:
    """Return the counts, those of several clusters added up."""
    totals: dict[Total, float] = defaultdict(float)
    for line in lines:
        for family in text_string_to_metric_families(line):
            for sample in family.samples:
                labels = sample.labels
                is_dry_run = labels.get("dry_run") == "true"
                totals[labels.get("namespace", ""), labels["name"], labels["phase"], is_dry_run] += sample.value
    return totals


def _lines(server: ArgoCDServer) -> Iterator[str]:
    """Yield the lines that are counts, as they come: with thousands of applications there are many others."""
    where = f"{server.metrics_url}; check {server.setting('metrics_url')}"
    verify = trusted(server.ca_file, server.setting("ca_file"))
    try:
        with httpx.stream("GET", server.metrics_url or "", verify=verify, timeout=30) as answer:
            if answer.status_code != httpx.codes.OK:
                raise SourceError(f"the metrics of Argo CD answer with {answer.status_code} at {where}")
            yield from (line for line in answer.iter_lines() if line.startswith(METRIC + "{"))
    except httpx.HTTPError as error:
        raise ConnectionFailedError(
            f"the metrics of Argo CD cannot be read at {where} ({type(error).__name__})"
        ) from None

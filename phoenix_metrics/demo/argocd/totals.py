"""The counters of Argo CD's controller, as Prometheus scrapes them."""

from dataclasses import asdict

from phoenix_metrics.demo.argocd.cluster import Cluster

_NAME = "argocd_app_sync_total"


def exposition(cluster: Cluster) -> str:
    """Return the text that a scrape gets; versions before 3.1 do not tell dry runs apart."""
    lines = [f"# HELP {_NAME} Number of application syncs.", f"# TYPE {_NAME} counter"]
    counted: dict[str, int] = {}
    for labels, total in cluster.sync_totals.items():
        told = {key: text for key, text in asdict(labels).items() if key != "dry_run" or cluster.version.tells_images}
        shown = ",".join(f'{key}="{_escaped(told[key])}"' for key in sorted(told))
        counted[shown] = counted.get(shown, 0) + total
    lines += [f"{_NAME}{{{shown}}} {counted[shown]}" for shown in sorted(counted)]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

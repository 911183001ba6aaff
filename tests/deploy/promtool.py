"""Our rules put to promtool over series that were recorded: which alerts fire at which minute."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from phoenix_metrics.settings import CHECKOUT

RULES = CHECKOUT / "deploy" / "prometheus" / "rules.yml"
FIRING = 'ALERTS{alertstate="firing"}'

Labels = frozenset[tuple[str, str]]
Series = Mapping[tuple[str, Labels], Sequence[str]]  # name and labels; a value a minute, or _ or stale
Stretch = tuple[int, int | None]  # first minute, and the first one after
Episodes = dict[tuple[str, Labels], list[Stretch]]


def episodes(folder: Path, series: Series, minutes: int) -> Episodes:
    """Return from when to when each alert fires, by its name and its own labels; None is for one that still does."""
    asked = [{"expr": FIRING, "eval_time": f"{minute}m", "exp_samples": []} for minute in range(minutes)]
    test = {
        "interval": "1m",
        "input_series": [{"series": _written(*key), "values": " ".join(values)} for key, values in series.items()],
        "promql_expr_test": asked,
    }
    path = folder / "recorded.yml"
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))  # YAML, too
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert "Unit Testing" in done.stdout + done.stderr, done.stdout + done.stderr
    return _joined(done.stdout + done.stderr, minutes)


def _joined(output: str, minutes: int) -> Episodes:
    """Read what promtool found where nothing was expected."""
    firing: dict[tuple[str, Labels], list[int]] = defaultdict(list)
    for time, got in re.findall(
        r'expr: "ALERTS\{.*?time: (\S+),\s+exp:\s*"?nil"?\s+got:\s*"?(.*?)"?\n', output, re.DOTALL
    ):
        for text in re.findall(r"\{(.*?)\} 1E\+00", got.replace('\\"', '"')):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text))
            name = labels.pop("alertname")
            own = frozenset(pair for pair in labels.items() if pair[0] not in ("__name__", "alertstate", "severity"))
            firing[name, own].append(_minutes(time))
    return {key: _stretches(sorted(found), minutes) for key, found in firing.items()}


def _stretches(found: Sequence[int], minutes: int) -> list[Stretch]:
    starts = [minute for minute in found if minute - 1 not in found]
    ends = [minute + 1 for minute in found if minute + 1 not in found]
    return [(start, end if end < minutes else None) for start, end in zip(starts, ends, strict=True)]


def _minutes(span: str) -> int:
    """Return a span such as 1h30m in minutes."""
    units = {"d": 1440, "h": 60, "m": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhm])", span))


def _written(name: str, labels: Labels) -> str:
    shown = ", ".join(f'{label}="{text}"' for label, text in sorted(labels))
    return f"{name}{{{shown}}}"

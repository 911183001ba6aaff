"""A recorded story replayed to a real exporter, Prometheus and Alertmanager, many times as fast.

Prometheus's clock cannot be moved, so time is shortened: each snapshot is put in place at its time of the story, and
every duration in the files of deploy/prometheus is divided by as much as the story is faster.
"""

import re
import shutil
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from phoenix_metrics.settings import CHECKOUT
from tests.deploy.running import PROMETHEUS, ask, process, value
from tests.exporter.serving import SERVE, free_ports, wait_for

FOLDER = CHECKOUT / "deploy" / "prometheus"
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

FASTER = 75  # 0.8 seconds are a minute of the story
PATIENCE = 120  # seconds; a process that does not answer by then never will
# However fast the story goes, a process takes as long to start as it takes, and Prometheus waits 5 s before it scrapes.
# So what bridges a start is not shortened: Alertmanager takes an alert to be over that was not repeated for four times
# this, and the exporter may be away for as long as the rule says.
RESEND = "15s"
UNSHORTENED = "CICDExporterDown"
# Prometheus's own defaults: alerts with a `for` of at least the one go on after a start, and the other is how far back
# a query looks for a sample.
GRACE, LOOKBACK = "10m", "5m"

# The exporter itself, by the story's clock: series that are new are at zero for two minutes.
SERVE_IN_STORY = f"""
import os, time
from datetime import datetime
from phoenix_metrics.exporter import page

class InStory(datetime):
    @classmethod
    def now(cls, tz=None):
        passed = time.time() - float(os.environ["STORY_BEGAN_AT"])
        return datetime.fromtimestamp(float(os.environ["STORY_BEGAN"]) + passed * {FASTER}, tz)

page.datetime = InStory
{SERVE}
"""

_DURATION = re.compile(r"(\d+)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class StoryTime:
    """When the story began, by its own clock and by this machine's (seconds since 1970)."""

    began: datetime
    began_at: float

    def moment(self, at: float) -> datetime:
        """Return the story's time at one of this machine."""
        return self.began + timedelta(seconds=(at - self.began_at) * FASTER)

    def at(self, moment: datetime) -> float:
        """Return this machine's time at one of the story."""
        return self.began_at + (moment - self.began).total_seconds() / FASTER


Fired = dict[frozenset[tuple[str, str]], tuple[datetime, datetime | None]]  # when, by the labels of an alert


@dataclass
class Replay:
    """The processes, what they were told and what can be asked of them."""

    folder: Path
    time: StoryTime
    ports: Mapping[str, int]
    restarted: dict[str, float] = field(default_factory=dict)  # when each program was stopped
    _running: dict[str, ExitStack] = field(default_factory=dict)

    @property
    def prometheus(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.ports['prometheus']}"

    def start(self, program: str) -> None:
        """Start a program on the data that it has, without waiting for it."""
        command, environ = _command(program, self.folder, self.ports, self.time)
        self._running[program] = ExitStack()
        self._running[program].enter_context(process(self.folder, *command, **environ))

    def restart(self, program: str) -> None:
        """Stop a program, start it anew and wait until it answers."""
        self.restarted[program] = time.time()
        self._running[program].close()
        self.start(program)
        self.wait_for(program)

    def wait_for(self, program: str) -> None:
        """Wait until a program answers."""
        path = "readyz" if program == "exporter" else "-/ready"
        wait_for(lambda: _answers(f"http://127.0.0.1:{self.ports[program]}/{path}"), PATIENCE)

    def stop(self) -> None:
        """Stop whatever runs."""
        for running in self._running.values():
            running.close()

    def put(self, snapshot: Path) -> None:
        """Put a snapshot in place, as publishing does."""
        folder = self.folder / "replayed" / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / snapshot.name).hardlink_to(snapshot)
        (folder / ".tmp-CURRENT").write_text(f"{snapshot.name}\n", encoding="utf-8")
        (folder / ".tmp-CURRENT").replace(folder / "CURRENT")

    def play(self, snapshots: Mapping[datetime, Path]) -> None:
        """Put each snapshot in place at its moment, or at once if that is over."""
        for moment, snapshot in snapshots.items():
            self.wait_until(moment)
            self.put(snapshot)

    def wait_until(self, moment: datetime) -> None:
        """Wait until a moment of the story."""
        time.sleep(max(0.0, self.time.at(moment) - time.time()))

    def value(self, query: str) -> float | None:
        """Return the one number that a query yields, None if it yields nothing or Prometheus does not answer."""
        return value(self.prometheus, query)

    def samples(self, selector: str) -> list[tuple[datetime, float]]:
        """Return the samples of the one series that a selector names, by the story's time."""
        [series] = ask(self.prometheus, "query", query=f"{selector}[1h]")["result"]
        return [(self.time.moment(float(at)), float(number)) for at, number in series["values"]]

    def now(self) -> datetime:
        """Return the story's time."""
        return self.time.moment(time.time())

    def told_at(self, written: str) -> datetime:
        """Return the story's time at one that an alert has."""
        return self.time.moment(datetime.fromisoformat(written).timestamp())

    def fired(self) -> Fired:
        """Return when which alerts fired in Prometheus, from its first evaluation on to the first after the last."""
        firing = ask(self.prometheus, "query", query='ALERTS{alertstate="firing"}[1h]')["result"]
        evaluations = self.evaluations()
        found: Fired = {}
        for series in firing:
            labels = {name: its for name, its in series["metric"].items() if name not in ("__name__", "alertstate")}
            first, last = (self.time.moment(float(at)) for at, _ in (series["values"][0], series["values"][-1]))
            found[frozenset(labels.items())] = (first, next((at for at in evaluations if at > last), None))
        return found

    def judged(self, moment: datetime) -> datetime:
        """Return when the rules were first evaluated on what the pass of a moment, or a later one, had published."""
        published = self.samples("phoenix_snapshot_timestamp_seconds")
        scraped = min(at for at, number in published if number >= moment.timestamp())
        return min(at for at in self.evaluations() if at >= scraped)

    def evaluations(self) -> list[datetime]:
        """Return when the rules were evaluated."""
        return [at for at, _ in self.samples('cicd:pipeline_runs:increase1h{repository=""}')]

    def longest_pause(self) -> timedelta:
        """Return the longest time between two evaluations, but for that in which Prometheus was started anew."""
        restarted = self.time.moment(self.restarted["prometheus"])
        return max(after - at for at, after in pairwise(self.evaluations()) if not at <= restarted <= after)


@contextmanager
def replaying(folder: Path, snapshots: Mapping[datetime, Path], webhook: str) -> Iterator[Replay]:
    """Replay a story from its first snapshot on while the block runs; alerts go to a webhook.

    Yields once Prometheus has the first snapshot.
    """
    programs = ("exporter", "alertmanager", "prometheus")
    story = StoryTime(min(snapshots), time.time())
    replay = Replay(folder, story, dict(zip(programs, free_ports(len(programs)), strict=True)))
    write_configuration(replay, webhook)
    (first, snapshot), *others = snapshots.items()
    replay.put(snapshot)
    player = threading.Thread(target=replay.play, args=(dict(others),), name="player", daemon=True)
    try:
        for program in programs:
            replay.start(program)
        published = f"phoenix_snapshot_timestamp_seconds == {first.timestamp()}"
        wait_for(lambda: replay.value(published) is not None, PATIENCE)
        player.start()
        yield replay
    finally:
        replay.stop()


def _command(
    program: str, folder: Path, ports: Mapping[str, int], story: StoryTime
) -> tuple[list[str], dict[str, str]]:
    if program == "exporter":
        return [sys.executable, "-c", SERVE_IN_STORY], {
            "PHOENIX_HOME": str(folder / "replayed"),
            "PHOENIX_EXPORTER_PORT": str(ports[program]),
            "STORY_BEGAN": str(story.began.timestamp()),
            "STORY_BEGAN_AT": str(story.began_at),
        }
    common = [f"--config.file={folder / program}.yml", f"--web.listen-address=127.0.0.1:{ports[program]}"]
    if program == "alertmanager":
        return [str(ALERTMANAGER), *common, f"--storage.path={folder / program}", "--cluster.listen-address="], {}
    return [
        str(PROMETHEUS),
        *common,
        f"--storage.tsdb.path={folder / program}",
        f"--rules.alert.resend-delay={RESEND}",
        f"--rules.alert.for-grace-period={_shorter(GRACE)}",
        f"--query.lookback-delta={_shorter(LOOKBACK)}",
    ], {}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


# Shortened times -----------------------------------------------------------------------------------------------------


def write_configuration(replay: Replay, webhook: str) -> None:
    """Write the files of deploy/prometheus with other ports and shortened times."""
    rules, config, routing = (_read(name) for name in ("rules", "prometheus", "alertmanager"))
    for group in rules["groups"]:
        group |= {
            "interval": shortened(group["interval"]),
            "rules": [_in_story(one, replay.time) for one in group["rules"]],
        }
    config, routing = shortened(config), shortened(routing)
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [
        f"127.0.0.1:{replay.ports['alertmanager']}"
    ]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{replay.ports['exporter']}"]
    routing["receivers"][0]["webhook_configs"][0]["url"] = webhook
    for name, content in (("rules", rules), ("prometheus", config), ("alertmanager", routing)):
        (replay.folder / f"{name}.yml").write_text(yaml.safe_dump(content), encoding="utf-8")


def _in_story(rule: dict[str, Any], story: StoryTime) -> dict[str, Any]:
    """Return a rule with shortened times, that asks for the story's time where it asks for the time."""
    kept = {"for": rule["for"]} if rule.get("alert") == UNSHORTENED else {}
    now = f"({story.began.timestamp()} + (time() - {story.began_at}) * {FASTER})"
    return {**shortened(rule), **kept, "expr": shortened(rule["expr"]).replace("time()", now)}


def shortened(node: Any) -> Any:
    """Return settings in which every duration, and every range of an expression, is divided by what is gained."""
    if isinstance(node, dict):
        return {key: shortened(one) for key, one in node.items()}
    if isinstance(node, list):
        return [shortened(one) for one in node]
    if not isinstance(node, str):
        return node
    if _DURATION.fullmatch(node):
        return _shorter(node)
    return re.sub(rf"(?<=\[){_DURATION.pattern}(?=\])", lambda found: _shorter(found[0]), node)


def _shorter(duration: str) -> str:
    [(number, unit)] = _DURATION.findall(duration)
    return f"{round(int(number) * _SECONDS[unit] * 1000 / FASTER)}ms"


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))

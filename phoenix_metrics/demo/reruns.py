"""Who presses "re-run", and when: impatient people after a failure, and now and then someone days later."""

from phoenix_metrics.demo import identity
from phoenix_metrics.demo.execution import Order, execute
from phoenix_metrics.demo.runs import Attempt, Trigger
from phoenix_metrics.demo.team import TEAM
from phoenix_metrics.demo.universe import DAY, HOUR, Universe

MOST_ATTEMPTS = 3
_LATEST = (identity.LONGEST_WAIT_DAYS - 1) * DAY  # a day less, as the attempt after may wait for the morning
_LANES = 256  # re-runs of a day's runs start in seconds of their own, so that their jobs' ids differ


def attempts(universe: Universe, trigger: Trigger, index: int) -> tuple[Attempt, ...]:
    """Return all attempts of a run, `index` being its place among the day's runs."""
    made = [execute(Order(universe, trigger, 1, trigger.at, trigger.actor))]
    while len(made) < MOST_ATTEMPTS and (order := _rerun(universe, trigger, index, made[-1])):
        made.append(execute(order))
    return tuple(made)


def _rerun(universe: Universe, trigger: Trigger, index: int, last: Attempt) -> Order | None:
    dice = universe.dice("rerun", trigger.at, last.number)
    impatience, nostalgia = dice.random(), dice.random()
    if last.conclusion == "failure" and impatience < _hope(universe, trigger):
        wait, previous = 60 + round(dice.lognormvariate(5.3, 0.9)), last.jobs
    elif last.number == 1 and last.conclusion in ("success", "failure") and nostalgia < 0.006:
        wait, previous = dice.randint(2 * DAY, _LATEST), ()
    else:
        return None
    started_at = _own_second(_awake(last.settled_at + wait), index)
    if trigger.superseded_at is not None and started_at >= trigger.superseded_at:
        return None
    actor = trigger.actor if dice.random() < 0.7 else dice.choice(TEAM)
    return Order(universe, trigger, last.number + 1, started_at, actor, previous)


def _hope(universe: Universe, trigger: Trigger) -> float:
    """Return how likely people are to try again: those who know the failure is not theirs do."""
    factor = universe.scenes.at(trigger.at).rerun_factor
    if trigger.defect is not None:
        return 0.12 * factor
    return (0.8 if trigger.branch == "main" else 0.7) * factor


def _awake(at: int) -> int:
    return max(at, at - at % DAY + 6 * HOUR + at % HOUR)


def _own_second(at: int, index: int) -> int:
    return at + (index - at) % _LANES

"""Runs, jobs and what else is landed, as JSON text with the fields that are kept of GitHub's own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phoenix_metrics.demo.bulk.attempts import CONCLUSIONS, STARTUP_FAILURE, Attempts, Group
from phoenix_metrics.demo.bulk.calendar import BY_HAND, DEVELOP, NIGHTLY, RELEASE
from phoenix_metrics.demo.bulk.repositories import FIRST_REPOSITORY, full_name, workflow_ids
from phoenix_metrics.demo.bulk.steps import Executions, steps
from phoenix_metrics.demo.bulk.texts import Text, chosen, escaped, filled, moment, node, number, sha
from phoenix_metrics.demo.bulk.triggers import Triggers
from phoenix_metrics.demo.changes import FOLLOW_UPS
from phoenix_metrics.demo.steps import PlannedStep, plan_of
from phoenix_metrics.demo.team import TEAM, TOPICS
from phoenix_metrics.demo.workflows import WORKFLOWS

_FIRST_RUN = 30_000_000_001
_CHECK_SUITES = 36_000_000_000
_JOBS_OF_A_RUN = 64  # room for the jobs of three attempts
_JOBS_OF_AN_ATTEMPT = 16

_RUN = (
    '{"actor":<actor>,"check_suite_id":<suite>,"check_suite_node_id":"CS_<suite_node>","conclusion":"<conclusion>",'
    '"created_at":"<created_at>","display_title":"<title>","event":"<event>","head_branch":"<branch>",'
    '"head_commit":{"id":"<sha>","message":"<message>","timestamp":"<committed_at>","tree_id":"<tree>"},'
    '"head_repository":{"fork":false,"full_name":"<full_name>","id":<repository>},"head_sha":"<sha>",'
    '"html_url":"https://github.com/<full_name>/actions/runs/<id>","id":<id>,"name":"<name>","node_id":"WFR_<node>",'
    '"path":"<path>","previous_attempt_url":<previous>,"pull_requests":[<pulls>],"referenced_workflows":[],'
    '"repository":{"fork":false,"full_name":"<full_name>","id":<repository>},"run_attempt":<attempt>,'
    '"run_number":<run_number>,"run_started_at":"<started_at>","status":"completed","triggering_actor":<starter>,'
    '"updated_at":"<updated_at>","url":"https://api.github.com/repos/<full_name>/actions/runs/<id>",'
    '"workflow_id":<workflow>}'
)
_JOB = (
    '{"completed_at":"<completed_at>","conclusion":"<conclusion>","created_at":"<created_at>",<of_run><id>","id":<id>,'
    '"labels":[<labels>],"name":"<name>","node_id":"CR_<node>","run_attempt":<attempt>,"run_id":<run>,<runner>,'
    '"started_at":"<started_at>","status":"completed","steps":[<steps>],"url":"<url><id>","workflow_name":"<workflow>"}'
)
_OF_RUN = (  # what stands in a job and is the same for all jobs of a run, up to the job's id
    '"head_branch":"<branch>","head_sha":"<sha>","html_url":"https://github.com/<full_name>/actions/runs/<id>/job/'
)
_DETAIL = '{"job_count":<jobs>,"run_attempt":<attempt>,"run_id":<id>,"run_updated_at":"<updated_at>","source":"rest"}'
_PEOPLE = [json.dumps({"id": one.id, "login": one.login, "type": "User"}, separators=(",", ":")) for one in TEAM]
_RUNNERS = [
    '"runner_group_id":null,"runner_group_name":null,"runner_id":null,"runner_name":null',
    *(
        '"runner_group_id":0,"runner_group_name":"GitHub Actions",'
        f'"runner_id":{each},"runner_name":"GitHub Actions {each}"'
        for each in range(1, 1000)
    ),
]


@dataclass(frozen=True)
class Landed:
    """Payloads of one source object with the ids that stand beside them."""

    repository_id: np.ndarray
    object_id: np.ndarray
    payload: Text

    @staticmethod
    def joined(parts: list["Landed"]) -> "Landed":
        """Return several as one, in the order of their ids: what belongs to one run lies together and packs well."""
        object_id = np.concatenate([part.object_id for part in parts])
        order = np.argsort(object_id, kind="stable")
        payload = pa.concat_arrays([part.payload for part in parts]).take(pa.array(order))
        return Landed(np.concatenate([part.repository_id for part in parts])[order], object_id[order], payload)


@dataclass(frozen=True)
class Facts:
    """What is the same for all attempts and jobs of a run, as text."""

    triggers: Triggers
    run_ids: np.ndarray
    repository_ids: np.ndarray
    columns: dict[str, Text]

    def of(self, rows: np.ndarray, *names: str) -> dict[str, Text]:
        """Return some of the columns for some of the runs."""
        index = pa.array(rows)
        return {name: self.columns[name].take(index) for name in names or self.columns}


def facts(dice: np.random.Generator, triggers: Triggers, first_run: int) -> Facts:
    """Return the texts that belong to the runs of a part; `first_run` ids are taken."""
    run_ids = _FIRST_RUN + first_run + triggers.place
    pull_request, number_text = triggers.is_pull_request, number(triggers.number)
    names = chosen([w.name for w in WORKFLOWS], triggers.workflow)
    paths = chosen([w.path for w in WORKFLOWS], triggers.workflow)
    title, message = _titles(triggers, number_text, names)
    hashes = sha(dice, len(run_ids))
    columns: dict[str, Text] = {
        "actor": chosen(_PEOPLE, triggers.actor),
        "suite": number(run_ids + _CHECK_SUITES),
        "suite_node": node(run_ids + _CHECK_SUITES),
        "created_at": moment(triggers.at),
        "title": title,
        "event": _events(triggers),
        "branch": _branches(triggers, number_text),
        "sha": hashes,
        "tree": pc.utf8_reverse(hashes),
        "message": message,
        "committed_at": moment(triggers.committed_at),
        "full_name": chosen(
            [full_name(each) for each in range(int(triggers.repository.max()) + 1)], triggers.repository
        ),
        "repository": number(FIRST_REPOSITORY + triggers.repository),
        "id": number(run_ids),
        "name": pc.if_else(pa.array(triggers.is_malformed), paths, names),
        "node": node(run_ids),
        "path": paths,
        "pulls": pc.if_else(pa.array(pull_request), number_text, ""),
        "run_number": number(triggers.run_number),
        "workflow": number(workflow_ids(triggers.repository, triggers.workflow)),
    }
    columns["of_run"] = filled(_OF_RUN, **columns)
    columns["url"] = filled("https://api.github.com/repos/<full_name>/actions/jobs/", **columns)
    return Facts(triggers, run_ids, FIRST_REPOSITORY + triggers.repository, columns)


def runs(about: Facts, made: Attempts) -> Landed:
    """Return what GitHub says of runs when these attempts were their latest."""
    rows, last = made.rows, number(np.full(len(made.rows), made.number - 1))
    columns = about.of(rows)
    previous = filled(
        '"https://api.github.com/repos/<full_name>/actions/runs/<id>/attempts/<last>"', **columns, last=last
    )
    payload = filled(
        _RUN,
        **columns,
        conclusion=chosen(CONCLUSIONS, made.conclusion),
        previous=previous if made.number > 1 else "null",
        attempt=str(made.number),
        started_at=moment(made.started_at),
        starter=chosen(_PEOPLE, made.actor),
        updated_at=moment(made.settled_at),
    )
    return Landed(about.repository_ids[rows], about.run_ids[rows], payload)


def jobs(about: Facts, made: Attempts, dice: np.random.Generator, *, with_steps: bool) -> Iterator[Landed]:
    """Yield the jobs of attempts, one template and matrix value after the other."""
    has_jobs, place = made.conclusion != STARTUP_FAILURE, 0
    for template in WORKFLOWS[int(about.triggers.workflow[made.rows[0]])].jobs:
        group = made.groups[template.name]
        skipped = np.flatnonzero(has_jobs & ~group.has_run)
        yield _jobs(about, made, _Place(place, template.name), skipped, _skipped(group, skipped))
        ran = np.flatnonzero(has_jobs & group.has_run)
        for column, name in enumerate(template.shown_names):
            planned = plan_of(name, template) if with_steps else None
            yield _jobs(about, made, _Place(place, name), ran, _ran(group, ran, column, planned, dice))
            place += 1


def details(about: Facts, rows: np.ndarray, attempt: np.ndarray, updated_at: np.ndarray, count: np.ndarray) -> Landed:
    """Return the records that the jobs of runs, in the state of their latest attempts, were read to the end."""
    columns = about.of(rows, "id")
    payload = filled(_DETAIL, **columns, jobs=number(count), attempt=number(attempt), updated_at=moment(updated_at))
    return Landed(about.repository_ids[rows], about.run_ids[rows], payload)


def job_counts(made: Attempts) -> np.ndarray:
    """Return how many jobs each attempt lists."""
    sizes = [np.where(group.has_run, group.conclusion.shape[1], 1) for group in made.groups.values()]
    return np.where(made.conclusion == STARTUP_FAILURE, 0, np.sum(sizes, axis=0))


@dataclass(frozen=True)
class _Place:
    """Where a job stands among those of an attempt, and its name."""

    place: int
    name: str


def _skipped(group: Group, index: np.ndarray) -> dict[str, Text | str]:
    at = moment(group.ready_at[index])
    return {
        "completed_at": at,
        "conclusion": "skipped",
        "created_at": at,
        "labels": "",
        "runner": _RUNNERS[0],
        "started_at": at,
        "steps": "",
    }


def _ran(
    group: Group, index: np.ndarray, column: int, planned: list[PlannedStep] | None, dice: np.random.Generator
) -> dict[str, Text | str]:
    """Return what there is to say of the jobs with one name that ran; of their steps where those are planned."""
    started_at, completed_at = group.started_at[index, column], group.completed_at[index, column]
    conclusion, runner = group.conclusion[index, column], group.runner[index, column]
    listed: Text | str = ""
    if planned is not None:
        done = Executions(started_at, completed_at, conclusion, group.planned_seconds[index, column])
        listed = pc.if_else(pa.array(runner > 0), steps(dice, planned, done), "")
    return {
        "completed_at": moment(completed_at),
        "conclusion": chosen(CONCLUSIONS, conclusion),
        "created_at": moment(group.created_at[index, column]),
        "labels": '"ubuntu-latest"',
        "runner": chosen(_RUNNERS, runner),
        "started_at": moment(started_at),
        "steps": listed,
    }


def _jobs(about: Facts, made: Attempts, of: _Place, index: np.ndarray, columns: dict[str, Text | str]) -> Landed:
    rows = made.rows[index]
    ids = about.run_ids[rows] * _JOBS_OF_A_RUN + (made.number - 1) * _JOBS_OF_AN_ATTEMPT + of.place
    workflow = WORKFLOWS[int(about.triggers.workflow[made.rows[0]])]
    fixed = {"name": of.name, "attempt": str(made.number), "workflow": workflow.name}
    known = about.of(rows, "of_run", "url") | {"run": number(about.run_ids[rows]), "id": number(ids), "node": node(ids)}
    return Landed(about.repository_ids[rows], ids, filled(_JOB, **fixed, **known, **columns))


def _events(triggers: Triggers) -> Text:
    is_event = [triggers.is_pull_request, triggers.kind == NIGHTLY, triggers.kind == BY_HAND]
    return chosen(("push", "pull_request", "schedule", "workflow_dispatch"), np.select(is_event, [1, 2, 3], 0))


def _branches(triggers: Triggers, number_text: Text) -> Text:
    kinds = chosen([f"{kind}/" for kind, _, _ in TOPICS], triggers.topic)
    slugs = chosen([f"-{'-'.join(subject.lower().split()[:4])}" for _, _, subject in TOPICS], triggers.topic)
    own = pc.binary_join_element_wise(kinds, number_text, slugs, "")
    tags = pc.binary_join_element_wise("v1.", number_text, ".0", "")
    fixed = chosen(("main", "develop"), (triggers.kind == DEVELOP).astype(np.int8))
    is_fixed = pa.array(triggers.is_main | (triggers.kind == DEVELOP))
    return pc.if_else(pa.array(triggers.kind == RELEASE), tags, pc.if_else(is_fixed, fixed, own))


def _titles(triggers: Triggers, number_text: Text, workflow_names: Text) -> tuple[Text, Text]:
    """Return the titles of the runs, and the first lines of their commits."""
    subjects = chosen(escaped(f"{kind}({service}): {subject}" for kind, service, subject in TOPICS), triggers.topic)
    work = escaped(f"wip({service}): {subject}" for _, service, subject in TOPICS)
    is_wip = triggers.follow_up < 3  # three of the five
    developed = pc.if_else(pa.array(is_wip), chosen(work, triggers.topic), "Merge branch 'main' into develop")
    merged = pc.binary_join_element_wise(subjects, " (#", number_text, ")", "")
    followed = pc.if_else(pa.array(triggers.push == 0), subjects, chosen(escaped(FOLLOW_UPS), triggers.follow_up))
    changed = pc.if_else(pa.array(triggers.kind == DEVELOP), developed, followed)
    message = pc.if_else(pa.array(triggers.is_pull_request | (triggers.kind == DEVELOP)), changed, merged)
    is_build = pa.array((triggers.kind == NIGHTLY) | (triggers.kind == BY_HAND))
    return pc.if_else(is_build, workflow_names, message), message

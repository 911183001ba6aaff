"""The jobs of runs as GraphQL has them: check suites by their ids, and the check runs in them."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from phoenix_metrics.demo.graphql import FieldError, Node, QueryError, execute
from phoenix_metrics.demo.identity import repository_of_run
from phoenix_metrics.demo.manners import Budget
from phoenix_metrics.demo.moment import job_state, visible_attempts, visible_jobs
from phoenix_metrics.demo.payloads import node_id, run_of_suite
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.world import World

COST = 1  # points: a hundredth for each connection, of which a query can have a hundred here
_MOST = 100  # ids of a query, and items of a connection


def answer(worlds: Sequence[World], body: bytes, budget: Budget, now: int) -> dict[str, Any]:
    """Return what GraphQL answers to a request that the budget, of points, has been charged for."""
    try:
        asked = json.loads(body)
        query, variables = asked["query"], asked.get("variables") or {}
        return execute(query, variables, _root(worlds, budget, now))
    except (ValueError, KeyError, TypeError):
        return {"errors": [{"message": "A query attribute must be specified and must be a string."}]}
    except QueryError as error:
        return {"errors": [{"message": str(error)}]}


def _root(worlds: Sequence[World], budget: Budget, now: int) -> Node:
    def nodes(arguments: Mapping[str, Any]) -> list[Node | FieldError]:
        ids = arguments.get("ids")
        if not isinstance(ids, list) or len(ids) > _MOST:
            count = len(ids) if isinstance(ids, list) else 0
            message = f"You may not provide more than {_MOST} node ids; you provided {count}."
            raise FieldError("ARGUMENT_LIMIT", message)
        return [_suite(worlds, str(one), now) for one in ids]

    return Node("Query", {"nodes": nodes, "rateLimit": _rate_limit(budget)})


def _rate_limit(budget: Budget) -> Node:
    shown = budget.shown()
    return Node("RateLimit", {"cost": COST, "nodeCount": 0, **shown, "resetAt": written(shown["reset"])})


def _suite(worlds: Sequence[World], suite: str, now: int) -> Node | FieldError:
    number = run_of_suite(suite)
    run = None if number is None else _run(worlds, number, now)
    if run is None:
        return FieldError("NOT_FOUND", f"Could not resolve to a node with the global id of '{suite}'.")
    return Node("CheckSuite", {"id": suite, "checkRuns": partial(_check_runs, run, now)})


def _run(worlds: Sequence[World], run_id: int, now: int) -> Run | None:
    repository = repository_of_run(run_id)
    return worlds[repository].run(run_id, now) if repository < len(worlds) else None


def _check_runs(run: Run, now: int, arguments: Mapping[str, Any]) -> Node:
    """Return a connection to the jobs of all attempts; of those with one name, `LATEST` keeps the last."""
    first = arguments.get("first")
    if not isinstance(first, int):
        message = "You must provide a `first` or `last` value to properly paginate the `checkRuns` connection."
        raise FieldError("MISSING_PAGINATION_BOUNDARIES", message)
    if not 1 <= first <= _MOST:
        message = (
            f"Requesting {first} records on the `checkRuns` connection exceeds the `first` limit of {_MOST} records."
        )
        raise FieldError("EXCESSIVE_PAGINATION", message)
    jobs = [job for attempt in visible_attempts(run, now) for job in visible_jobs(attempt, now)]
    if (arguments.get("filterBy") or {}).get("checkType") != "ALL":
        jobs = list({job.name: job for job in jobs}.values())
    page_info = Node("PageInfo", {"hasNextPage": len(jobs) > first})
    shown = [_check_run(job, now) for job in jobs[:first]]
    return Node("CheckRunConnection", {"totalCount": len(jobs), "pageInfo": page_info, "nodes": shown})


def _check_run(job: Job, now: int) -> Node:
    state = job_state(job, now)
    fields = {
        "id": node_id("CR", job.id),
        "databaseId": job.id,
        "name": job.name,
        "status": state.status.upper(),
        "conclusion": state.conclusion.upper() if state.conclusion else None,
        "startedAt": None if state.status == "queued" else written(job.started_at),
        "completedAt": written(job.completed_at) if state.status == "completed" else None,
    }
    return Node("CheckRun", fields)

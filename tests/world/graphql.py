"""The GraphQL answers: check suites by their ids, executed by graphql-core over the part of the schema we use."""

import json
from typing import Any

from graphql import GraphQLError, build_schema, execute, parse, validate

from tests.world.objects import Job, Run, iso
from tests.world.routes import Answer
from tests.world.state import World

# From GitHub's schema (npm @octokit/graphql-schema 15.26.1), less what we do not ask for. Its `databaseId` is an Int
# that holds more than 32 bits, which graphql-core refuses; hence a scalar of its own.
SCHEMA = build_schema("""
    scalar DateTime
    scalar LongInt
    enum CheckRunType { ALL LATEST }
    enum CheckStatusState { COMPLETED IN_PROGRESS PENDING QUEUED REQUESTED WAITING }
    enum CheckConclusionState {
      ACTION_REQUIRED CANCELLED FAILURE NEUTRAL SKIPPED STALE STARTUP_FAILURE SUCCESS TIMED_OUT
    }
    input CheckRunFilter { checkType: CheckRunType }
    interface Node { id: ID! }
    type PageInfo { hasNextPage: Boolean! }
    type CheckRun implements Node {
      id: ID!
      databaseId: LongInt
      name: String!
      status: CheckStatusState!
      conclusion: CheckConclusionState
      startedAt: DateTime
      completedAt: DateTime
    }
    type CheckRunConnection { totalCount: Int! pageInfo: PageInfo! nodes: [CheckRun] }
    type CheckSuite implements Node { id: ID! checkRuns(first: Int, filterBy: CheckRunFilter): CheckRunConnection }
    type RateLimit { cost: Int! limit: Int! remaining: Int! used: Int! resetAt: DateTime! }
    type Query { nodes(ids: [ID!]!): [Node]! rateLimit: RateLimit }
""")


def answer(world: World, body: bytes, broken: set[str], budget: dict[str, int]) -> tuple[int, Answer]:
    """Return how many suites a query asks for, and its answer; a `broken` one fails below its node."""
    asked = json.loads(body)
    document = parse(asked["query"])
    if problems := validate(SCHEMA, document):
        return 0, Answer(200, {"errors": [{"message": problem.message} for problem in problems]})
    roots = _Roots(world, broken, budget)
    result = execute(SCHEMA, document, root_value=roots, variable_values=asked.get("variables") or {})
    payload: dict[str, Any] = {"data": result.data}
    if result.errors:
        payload["errors"] = [_error(error) for error in result.errors]
    return roots.suite_count, Answer(200, payload)


def _error(error: GraphQLError) -> dict[str, Any]:
    kind = (error.extensions or {}).get("type")
    return {**({"type": kind} if kind else {}), "path": error.path, "message": error.message}


class _Roots:
    """What a query begins with; resolvers are its methods, by graphql-core's convention."""

    def __init__(self, world: World, broken: set[str], budget: dict[str, int]) -> None:
        self.world = world
        self.broken = broken
        self.budget = budget
        self.suite_count = 0

    def nodes(self, info: Any, ids: list[str]) -> list[Any]:
        self.suite_count += len(ids)
        return [self._node(node_id) for node_id in ids]

    def rateLimit(self, info: Any) -> dict[str, Any]:  # noqa: N802 - GraphQL's name
        return {"cost": 1, **self.budget, "resetAt": iso(self.world.now)}

    def _node(self, node_id: str) -> Any:
        run = self.world.by_suite.get(node_id)
        if run is None or run.gone or run.repository.state != "ok":
            message = f"Could not resolve to a node with the global id of '{node_id}'."
            return GraphQLError(message, extensions={"type": "NOT_FOUND"})
        return Suite(run, is_broken=node_id in self.broken)


class Suite:
    """A check suite; graphql-core reads its type off the mangled name, so the class's own has no underscore."""

    __typename = "CheckSuite"

    def __init__(self, run: Run, *, is_broken: bool) -> None:
        self.run = run
        self.id = run.suite_node_id
        self.is_broken = is_broken

    def checkRuns(  # noqa: N802 - GraphQL's name
        self,
        info: Any,
        first: int = 100,
        filterBy: dict[str, str] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if self.is_broken:
            raise GraphQLError("Something went wrong while executing your query.")
        if not 1 <= first <= 100:
            raise GraphQLError("Requesting more than 100 records on the connection exceeds the limit.")
        jobs = {job.job_id: job for attempt in self.run.attempts for job in attempt.jobs}
        if (filterBy or {}).get("checkType") != "ALL":
            jobs = {job.job_id: job for job in {job.name: job for job in jobs.values()}.values()}
        listed = [_check_run(job) for job in list(jobs.values())[:first]]
        return {"totalCount": len(jobs), "pageInfo": {"hasNextPage": len(jobs) > first}, "nodes": listed}


def _check_run(job: Job) -> dict[str, Any]:
    return {
        "__typename": "CheckRun",
        "id": f"CR_{job.job_id}",
        "databaseId": job.job_id,
        "name": job.name,
        "status": job.status.upper(),
        "conclusion": job.conclusion.upper() if job.conclusion else None,
        "startedAt": job.started_at,
        "completedAt": job.completed_at,
    }

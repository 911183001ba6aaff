"""The jobs of many runs at once, by GraphQL: a hundred runs a request, without runner, labels, queue time or steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.errors import ConnectionFailedError
from phoenix_metrics.sources.github.client import GitHubClient

BATCH_SUITES = 100  # GitHub's maximum of `nodes`, and one point of its budget
QUERY = """
query ($ids: [ID!]!) {
  nodes(ids: $ids) {
    ... on CheckSuite {
      checkRuns(first: 100, filterBy: {checkType: ALL}) {
        totalCount
        pageInfo { hasNextPage }
        nodes { databaseId name status conclusion startedAt completedAt }
      }
    }
  }
}
"""


@dataclass(frozen=True)
class SuiteJobs:
    """The jobs of one check suite, in REST's words as far as GraphQL has them; with `needs_rest` they are not known."""

    node_id: str
    total_count: int | None = None
    jobs: tuple[dict[str, Any], ...] = ()
    needs_rest: bool = False


def fetch_check_runs(client: GitHubClient, node_ids: Sequence[str]) -> Iterator[SuiteJobs]:
    """Yield every suite, in the order given. Raises BudgetError when the points are used up.

    A query that takes GitHub more than ten seconds ends in 502 or 504, so a batch that fails is asked for in halves,
    down to single suites. Two of those failing in a row is no matter of size: ConnectionFailedError.
    """
    starts = range(0, len(node_ids), BATCH_SUITES)
    batches = [list(node_ids[start : start + BATCH_SUITES]) for start in reversed(starts)]
    is_second = False
    while batches:
        batch = batches.pop()
        try:
            found = _ask(client, batch)
            is_second = False
        except ConnectionFailedError:
            if len(batch) > 1:
                half = len(batch) // 2
                batches += [batch[half:], batch[:half]]
                continue
            if is_second:
                raise
            is_second = True
            found = [SuiteJobs(batch[0], needs_rest=True)]
        yield from found


def _ask(client: GitHubClient, node_ids: list[str]) -> list[SuiteJobs]:
    answer = client.graphql(QUERY, {"ids": node_ids})
    nodes = (answer.data or {}).get("nodes")
    if nodes is None or len(nodes) != len(node_ids):
        reason = answer.errors[0].get("message") if answer.errors else "no data"
        raise ConnectionFailedError(f"GitHub's GraphQL does not answer for {len(node_ids)} check suites ({reason})")
    failed = {error["path"][1] for error in answer.errors if len(error.get("path") or ()) > 1}
    return [
        _suite(node_id, None if index in failed else node)
        for index, (node_id, node) in enumerate(zip(node_ids, nodes, strict=True))
    ]


def _suite(node_id: str, node: Mapping[str, Any] | None) -> SuiteJobs:
    checks = (node or {}).get("checkRuns")
    if checks is None:
        return SuiteJobs(node_id, needs_rest=True)
    total = checks["totalCount"]
    if checks["pageInfo"]["hasNextPage"] or any(not check or not check["databaseId"] for check in checks["nodes"]):
        return SuiteJobs(node_id, total, needs_rest=True)
    return SuiteJobs(node_id, total, tuple(map(_job, checks["nodes"])))


def _job(check: Mapping[str, Any]) -> dict[str, Any]:
    """Return a check run as REST would list it as a job: the two share their number and their words."""
    return {
        "id": check["databaseId"],
        "name": check["name"],
        "status": check["status"].lower(),
        "conclusion": check["conclusion"].lower() if check["conclusion"] else None,
        "started_at": check["startedAt"],
        "completed_at": check["completedAt"],
    }

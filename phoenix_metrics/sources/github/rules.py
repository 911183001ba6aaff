"""Rules of the default branch: which checks must pass before a change gets in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.side_loops import Bookmark, Repository, kept
from phoenix_metrics.sources.items import Batch, Item, as_text


def fetch_branch_rules(
    client: GitHubClient,
    repository: Repository,
    visit: Bookmark,  # noqa: ARG001  # the rules are few and always read as a whole
) -> Iterator[Batch]:
    """Yield what holds for the default branch, as one object: rulesets or, where there are none, classic protection.

    Classic protection is read off the branch itself, which says whether it is protected and which checks it requires.
    Its own address needs Administration, and answers 404 for "not protected" and for "not for you" alike.
    """
    branch = repository.default_branch
    if branch is None:
        return
    name = quote(branch, safe="")
    rules = list(client.items(f"{repository.path}/rules/branches/{name}", None))
    described = None if rules else client.get(f"{repository.path}/branches/{name}")
    yield [Item("github_branch_rules", repository.repository_id, branch_rules_payload(branch, rules, described))]


def branch_rules_payload(branch: str, rules: Sequence[Mapping[str, Any]], described: Mapping[str, Any] | None) -> str:
    """Return the rules of a branch, and its classic protection where there are none."""
    return as_text(
        {
            "branch": branch,
            "rules": [kept(rule, ("type", "ruleset_id", "ruleset_source", "parameters")) for rule in rules],
            "classic": kept(described, ("protected", "protection")) if described else None,
        }
    )

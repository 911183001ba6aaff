"""Pull requests at one moment: the team's stories as GitHub shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.demo.addresses import DEFAULT_BRANCH, Place, organization, user
from phoenix_metrics.demo.changes import Story, merge, stories_until, story
from phoenix_metrics.demo.payloads import pull_request_id
from phoenix_metrics.demo.repositories import ORGANIZATION
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import DAY, Universe
from phoenix_metrics.demo.world import World

_LABELS = {"feat": ("enhancement", "a2eeef", "New feature or request"), "fix": ("bug", "d73a4a", "Something is broken")}
_LABEL_IDS = 5_200_000_000
_MOST_IDLE_DAYS = 12  # before somebody closes what will not be merged


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pull request at a moment; `push_count` counts its pushes until then."""

    story: Story
    push_count: int
    updated_at: int
    merged_at: int | None
    closed_at: int | None

    @property
    def state(self) -> str:
        """GitHub's word for it: open or closed."""
        return "open" if self.closed_at is None else "closed"


def proposals(world: World, now: int) -> Iterator[Proposal]:
    """Yield the pull requests that were opened by a moment, as far back as runs of them can be seen."""
    for one in stories_until(world.universe, world.oldest(now) // DAY, now // DAY):
        if one.pushed_at[0] <= now:
            yield _at(world.universe, one, now)


def proposal(world: World, number: int, now: int) -> Proposal | None:
    """Return the pull request with this number, if it had been opened by a moment."""
    found = story(world.universe, number) if number else None
    return None if found is None or found.pushed_at[0] > now else _at(world.universe, found, now)


def ends_at(universe: Universe, one: Story) -> int:
    """Return when a pull request is merged, or else closed: the push to main follows its merge within seconds."""
    if one.merged_at is not None:
        return merge(universe, one, one.merged_at).commit.at
    return one.pushed_at[-1] + universe.dice("closed", one.number).randint(DAY, _MOST_IDLE_DAYS * DAY)


def merge_sha(universe: Universe, shown: Proposal) -> str:
    """Return the commit of the merge, or the one that GitHub makes to try it while there was none."""
    if shown.merged_at is not None:
        return merge(universe, shown.story, shown.merged_at).commit.sha
    return universe.sha("trial merge", shown.story.number, shown.push_count)


def pull_request_payload(
    place: Place, universe: Universe, shown: Proposal, repository: dict[str, Any]
) -> dict[str, Any]:
    """Return a pull request as lists of pull requests show it."""
    one, url = shown.story, f"{place.url}/pulls/{shown.story.number}"
    return {
        "id": pull_request_id(place.repository, one.number),
        "node_id": f"PR_{one.number}",
        **_addresses(place, one, _head(universe, shown)),
        "number": one.number,
        "state": shown.state,
        "locked": False,
        "title": one.title,
        "user": user(place.api, one.author),
        "body": None,
        "labels": [_label(place, one)],
        "milestone": None,
        "created_at": written(one.pushed_at[0]),
        "updated_at": written(shown.updated_at),
        "closed_at": _maybe(shown.closed_at),
        "merged_at": _maybe(shown.merged_at),
        "merge_commit_sha": merge_sha(universe, shown),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _end(place, one.branch, _head(universe, shown), repository),
        "base": _end(place, DEFAULT_BRANCH, universe.sha("base", one.number, one.pushed_at[0]), repository),
        "_links": _links(place, one, url, _head(universe, shown)),
        "author_association": "MEMBER",
        "auto_merge": None,
        "active_lock_reason": None,
        "draft": False,
    }


def whole_payload(place: Place, universe: Universe, shown: Proposal, repository: dict[str, Any]) -> dict[str, Any]:
    """Return a pull request as its own page shows it: also who merged it, and how large it is."""
    dice = universe.dice("size", shown.story.number)
    is_merged = shown.merged_at is not None
    merger = merge(universe, shown.story, shown.merged_at).actor if shown.merged_at is not None else None
    return {
        **pull_request_payload(place, universe, shown, repository),
        "merged": is_merged,
        "mergeable": None if is_merged else True,
        "rebaseable": None if is_merged else True,
        "mergeable_state": "unknown" if is_merged else "clean",
        "merged_by": user(place.api, merger) if merger else None,
        "comments": dice.randint(0, 5),
        "review_comments": dice.randint(0, 9),
        "maintainer_can_modify": False,
        "commits": shown.push_count,
        "additions": round(dice.lognormvariate(4.2, 1.1)) + 1,
        "deletions": round(dice.lognormvariate(3.2, 1.3)),
        "changed_files": dice.randint(1, 14),
    }


def _at(universe: Universe, one: Story, now: int) -> Proposal:
    pushes = [at for at in one.pushed_at if at <= now]
    ended_at = ends_at(universe, one)
    has_ended = ended_at <= now
    return Proposal(
        one,
        len(pushes),
        updated_at=ended_at if has_ended else pushes[-1],
        merged_at=one.merged_at and ended_at if has_ended else None,
        closed_at=ended_at if has_ended else None,
    )


def _head(universe: Universe, shown: Proposal) -> str:
    return universe.sha("push", shown.story.number, shown.push_count - 1)


def _end(place: Place, branch: str, sha: str, repository: dict[str, Any]) -> dict[str, Any]:
    owner = organization(place.api)
    return {"label": f"{ORGANIZATION}:{branch}", "ref": branch, "sha": sha, "user": owner, "repo": repository}


def _label(place: Place, one: Story) -> dict[str, Any]:
    kind = one.title.partition("(")[0]
    name, color, description = _LABELS[kind]
    number = _LABEL_IDS + list(_LABELS).index(kind)
    url = f"{place.url}/labels/{name}"
    about = {"name": name, "description": description, "color": color, "default": True}
    return {"id": number, "node_id": f"LA_{number}", "url": url, **about}


def _addresses(place: Place, one: Story, head: str) -> dict[str, str]:
    url, page = place.url, f"{place.repository.web}/pull/{one.number}"
    pull, issue = f"{url}/pulls/{one.number}", f"{url}/issues/{one.number}"
    return {
        "url": pull,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "commits_url": f"{pull}/commits",
        "review_comments_url": f"{pull}/comments",
        "review_comment_url": f"{url}/pulls/comments{{/number}}",
        "comments_url": f"{issue}/comments",
        "statuses_url": f"{url}/statuses/{head}",
    }


def _links(place: Place, one: Story, url: str, head: str) -> dict[str, dict[str, str]]:
    known = _addresses(place, one, head)
    names = ("html", "issue", "comments", "review_comments", "review_comment", "commits", "statuses")
    return {"self": {"href": url}, **{name: {"href": known[f"{name}_url"]} for name in names}}


def _maybe(at: int | None) -> str | None:
    return None if at is None else written(at)

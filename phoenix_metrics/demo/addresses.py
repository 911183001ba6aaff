"""The objects that GitHub repeats everywhere: users, the organisation and its repositories, full of addresses."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from phoenix_metrics.demo.repositories import ORGANIZATION, ORGANIZATION_ID, Repository
from phoenix_metrics.demo.team import Developer
from phoenix_metrics.demo.times import FOUNDED_AT

DEFAULT_BRANCH = "main"

_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_LINKS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}
_AT_REST = {
    "homepage": None,
    "size": 48_212,
    "stargazers_count": 0,
    "watchers_count": 0,
    "language": "Go",
    "has_issues": True,
    "has_projects": True,
    "has_downloads": True,
    "has_wiki": False,
    "has_pages": False,
    "has_discussions": False,
    "forks_count": 0,
    "mirror_url": None,
    "archived": False,
    "disabled": False,
    "open_issues_count": 37,
    "license": None,
    "allow_forking": False,
    "is_template": False,
    "web_commit_signoff_required": False,
    "topics": ["observability", "opentelemetry"],
    "visibility": "private",
    "forks": 0,
    "open_issues": 37,
    "watchers": 0,
    "default_branch": DEFAULT_BRANCH,
    "permissions": {"admin": False, "maintain": False, "push": False, "triage": False, "pull": True},
}


@dataclass(frozen=True, slots=True)
class Place:
    """A repository under one API root."""

    api: str
    repository: Repository

    @property
    def url(self) -> str:
        """The repository's address."""
        return f"{self.api}/repos/{self.repository.full_name}"


def organization(api: str) -> dict[str, Any]:
    """Return the organisation as the API shows an account."""
    return _account(api, ORGANIZATION, ORGANIZATION_ID, "Organization")


@lru_cache(maxsize=256)
def user(api: str, developer: Developer) -> dict[str, Any]:
    """Return a member of the team as the API shows a user."""
    return _account(api, developer.login, developer.id, "User")


def bot(api: str, app: str, number: int) -> dict[str, Any]:
    """Return the account in whose name an app acts."""
    return {**_account(api, f"{app}[bot]", number, "Bot"), "html_url": f"https://github.com/apps/{app}"}


@lru_cache(maxsize=256)
def repository(place: Place) -> dict[str, Any]:
    """Return a repository as the API shows it inside runs."""
    known = place.repository
    return {
        "id": known.id,
        "node_id": f"R_{known.id}",
        "name": known.name,
        "full_name": known.full_name,
        "private": True,
        "owner": organization(place.api),
        "html_url": known.web,
        "description": "Phoenix Platform: observability pipelines with less cost",
        "fork": False,
        "url": place.url,
        **{name: place.url + path for name, path in _REPOSITORY_LINKS.items()},
    }


def listed_repository(place: Place, pushed_at: str) -> dict[str, Any]:
    """Return a repository as lists of repositories show it."""
    known = place.repository
    return {
        **repository(place),
        **_AT_REST,
        "git_url": f"git://github.com/{known.full_name}.git",
        "ssh_url": f"git@github.com:{known.full_name}.git",
        "clone_url": f"{known.web}.git",
        "svn_url": known.web,
        "created_at": FOUNDED_AT,
        "updated_at": pushed_at,
        "pushed_at": pushed_at,
    }


def full_repository(place: Place, pushed_at: str) -> dict[str, Any]:
    """Return a repository as its own page shows it."""
    return {**listed_repository(place, pushed_at), "network_count": 0, "subscribers_count": 12}


def _account(api: str, login: str, number: int, kind: str) -> dict[str, Any]:
    url = f"{api}/users/{quote(login)}"
    return {
        "login": login,
        "id": number,
        "node_id": f"{kind[0]}_{number}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"https://github.com/{login}",
        **{name: url + path for name, path in _USER_LINKS.items()},
        "type": kind,
        "user_view_type": "public",
        "site_admin": False,
    }

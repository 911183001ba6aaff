"""What guards main: the checks and reviews that a change needs before it gets in."""

from typing import Any

from phoenix_metrics.demo.addresses import DEFAULT_BRANCH, Place
from phoenix_metrics.demo.runs import Commit
from phoenix_metrics.demo.times import written

REQUIRED_CHECKS = (
    "CI Pipeline / validate",
    "CI Pipeline / lint (backend)",
    "CI Pipeline / lint (frontend)",
    "CI Pipeline / test (unit)",
    "CI Pipeline / test (integration)",
    "CI Pipeline / test (frontend)",
    "CI Pipeline / security",
    "codecov/patch",
    "codecov/project",
)
_APPROVALS = 2


def branch_payload(place: Place, head: Commit) -> dict[str, Any]:
    """Return main as a branch, which tells everybody the checks that it requires."""
    url = place.url
    branch = f"{url}/branches/{DEFAULT_BRANCH}"
    person = {"name": head.author.name, "email": head.author.email, "date": written(head.at)}
    return {
        "name": DEFAULT_BRANCH,
        "commit": {
            "sha": head.sha,
            "url": f"{url}/commits/{head.sha}",
            "html_url": f"{place.repository.web}/commit/{head.sha}",
            "commit": {"message": head.title, "author": person, "committer": person},
        },
        "_links": {"self": branch, "html": f"{place.repository.web}/tree/{DEFAULT_BRANCH}"},
        "protected": True,
        "protection": {"enabled": True, "required_status_checks": {"enforcement_level": "everyone", **_required()}},
        "protection_url": f"{branch}/protection",
    }


def protection_payload(place: Place) -> dict[str, Any]:
    """Return all of main's protection, which only administrators may read."""
    url = f"{place.url}/branches/{DEFAULT_BRANCH}/protection"
    checks = f"{url}/required_status_checks"
    return {
        "url": url,
        "required_status_checks": {"url": checks, "contexts_url": f"{checks}/contexts", "strict": True, **_required()},
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
        "required_pull_request_reviews": {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": True,
            "require_code_owner_reviews": True,
            "require_last_push_approval": False,
            "required_approving_review_count": _APPROVALS,
        },
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": False},
        "required_linear_history": {"enabled": False},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
        "block_creations": {"enabled": False},
        "required_conversation_resolution": {"enabled": False},
        "lock_branch": {"enabled": False},
        "allow_fork_syncing": {"enabled": False},
    }


def _required() -> dict[str, Any]:
    return {
        "contexts": list(REQUIRED_CHECKS),
        "checks": [{"context": context, "app_id": None} for context in REQUIRED_CHECKS],
    }

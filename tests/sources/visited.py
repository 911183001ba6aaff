"""What a side loop is told when it visits: a repository, and where the last visit stopped."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shop:
    """The repository that is visited."""

    repository_id: int = 1
    default_branch: str | None = "main"
    path: str = "/repositories/1"


@dataclass
class Bookmark:
    """Where a visit goes on."""

    cursor: str | None = None
    etag: str | None = None
    etag_scope: str | None = None

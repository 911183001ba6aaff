"""The errors that end a command with one line."""

from datetime import datetime


class PhoenixError(Exception):
    """Something a user can act on; its text is one line that names the thing and what to do.

    PhoenixError
    ├── SettingsError         a setting is missing or wrong
    ├── SourceError           a source refused or could not be reached
    │   ├── CredentialError       the token is wrong
    │   │   └── AccessError           the token lacks a permission
    │   ├── RepositoryError       what was asked for does not exist, or not for this token
    │   │   ├── GoneError             it existed and is gone
    │   │   └── BlockedError          it is blocked for legal reasons
    │   ├── BudgetError           a rate limit's reserve is reached; go on later
    │   └── ConnectionFailedError no network, or the server keeps failing
    ├── ModelError            a file in sql/ is not a model
    └── WarehouseError        the store cannot be written or read
        ├── WriterBusyError       another process is writing
        ├── DiskFullError         no space left
        ├── NoSnapshotError       nothing has been published yet
        └── QueryError            a query is wrong, not allowed or takes too much
    """


class SettingsError(PhoenixError):
    """A setting is missing or wrong."""


class SourceError(PhoenixError):
    """A source refused or could not be reached."""


class CredentialError(SourceError):
    """The token is wrong or expired."""


class AccessError(CredentialError):
    """The token lacks a permission; `permission` and the text name it where the source does."""

    def __init__(self, text: str, permission: str | None = None) -> None:
        super().__init__(text)
        self.permission = permission


class RepositoryError(SourceError):
    """What was asked for does not exist, or is not visible to this token."""


class GoneError(RepositoryError):
    """What was asked for existed and is gone."""


class BlockedError(RepositoryError):
    """What was asked for is blocked for legal reasons."""


class BudgetError(SourceError):
    """A rate limit is used up to its reserve; `retry_at` (UTC) says when to go on, where that is known."""

    def __init__(self, text: str, retry_at: datetime | None = None) -> None:
        super().__init__(text)
        self.retry_at = retry_at


class ConnectionFailedError(SourceError):
    """The server cannot be reached or keeps failing."""


class ModelError(PhoenixError):
    """A file in sql/ does not have the form of a model."""


class WarehouseError(PhoenixError):
    """The store cannot be written or read."""


class WriterBusyError(WarehouseError):
    """Another process is writing to the store."""


class DiskFullError(WarehouseError):
    """There is no space left below PHOENIX_HOME."""


class NoSnapshotError(WarehouseError):
    """Nothing has been published yet."""


class QueryError(WarehouseError):
    """A query is wrong, not allowed or takes too much; `excerpt` is the line of it that is meant, and marks below."""

    def __init__(self, text: str, excerpt: str | None = None) -> None:
        super().__init__(text)
        self.excerpt = excerpt

"""The errors that end a command with one line."""


class PhoenixError(Exception):
    """Something a user can act on; its text is one line that names the thing and what to do.

    PhoenixError
    ├── SettingsError         a setting is missing or wrong
    ├── SourceError           a source refused or could not be reached
    │   ├── CredentialError       the token is wrong or may not see this
    │   ├── RepositoryError       the repository is gone, renamed beyond recognition or blocked
    │   ├── BudgetError           the rate limit's reserve is reached; go on later
    │   └── ConnectionFailedError no network, or the server keeps failing
    ├── ModelError            a file in sql/ is not a model
    └── WarehouseError        the store cannot be written or read
        ├── WriterBusyError       another process is writing
        ├── DiskFullError         no space left
        └── NoSnapshotError       nothing has been published yet
    """


class SettingsError(PhoenixError):
    """A setting is missing or wrong."""


class SourceError(PhoenixError):
    """A source refused or could not be reached."""


class CredentialError(SourceError):
    """The token is wrong or lacks a permission."""


class RepositoryError(SourceError):
    """The repository does not exist, is blocked, or is not visible to this token."""


class BudgetError(SourceError):
    """The rate limit is used up to its reserve; the sync goes on after the reset."""


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

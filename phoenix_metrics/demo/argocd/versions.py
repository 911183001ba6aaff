"""What differs between versions of Argo CD."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Version:
    """A version, and what it tells that older ones do not."""

    text: str
    number: tuple[int, int]

    @property
    def tells_images(self) -> bool:
        """Whether results of an operation name the images applied."""
        return self.number >= (3, 1)

    @property
    def tells_sources(self) -> bool:
        """Whether every operation names its source, not only a rollback."""
        return self.number >= (3, 2)

    @property
    def lists_more(self) -> bool:
        """Whether the list can be asked for parts of the spec and for the compared revision."""
        return self.number >= (3, 5)


def read_version(text: str) -> Version:
    """Return a version from its text, such as v3.2.0. Raises ValueError for anything else."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError(f"{text}: expected a version such as v3.2.0")
    return Version(text, (int(found[1]), int(found[2])))

"""Files that GitHub keeps in a storage elsewhere: fetched by a signed address, without our credential, up to a size."""

import hashlib
import http
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import requests

from phoenix_metrics.sources.github.client import GitHubClient

ATTEMPTS = 3  # each with a new address: one is valid for a minute
TIMEOUT_SECONDS = (10, 60)  # to connect, and between two pieces

_PIECE = 256 << 10
_IN_MEMORY = 8 << 20  # bytes; larger files go to the disk


class DownloadError(Exception):
    """A file could not be fetched whole, and why; another time may do."""


class TooLargeError(Exception):
    """A file is larger than is wanted."""


@contextmanager
def downloaded(client: GitHubClient, path: str, limit: int, digest: str | None) -> Iterator[IO[bytes]]:
    """Fetch what an API path redirects to into a temporary file of at most `limit` bytes.

    Raises DownloadError when the storage keeps failing or its bytes are not those of `digest`, TooLargeError, and what
    the client raises for the path itself.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        for attempt in range(1, ATTEMPTS + 1):
            location = client.redirect(path)
            try:
                _fetch(location, file, limit, digest)
                break
            except DownloadError:
                if attempt == ATTEMPTS:
                    raise
        yield file


def _fetch(location: str, file: IO[bytes], limit: int, digest: str | None) -> None:
    file.seek(0)
    file.truncate()
    found, size = hashlib.sha256(), 0
    try:
        with _get(location) as answer:
            if answer.status_code != http.HTTPStatus.OK:
                raise DownloadError(f"the storage answered {answer.status_code}")
            for piece in answer.iter_content(_PIECE):
                size += len(piece)
                if size > limit:
                    raise TooLargeError
                found.update(piece)
                file.write(piece)
    except requests.exceptions.RequestException as error:
        raise DownloadError(f"the storage cannot be reached or breaks off ({type(error).__name__})") from None
    if digest and digest.startswith("sha256:") and digest != f"sha256:{found.hexdigest()}":
        raise DownloadError("what the storage sent is not what was uploaded: another digest")
    file.seek(0)


def _get(location: str) -> requests.Response:
    """Ask the storage as nobody: the address carries its own signature, and our token is none of its business."""
    return requests.get(
        location,
        auth=_nobody,  # an explicit one, because requests would look into ~/.netrc otherwise
        headers={"Accept-Encoding": "identity", "User-Agent": "phoenix-metrics"},
        stream=True,
        allow_redirects=False,
        timeout=TIMEOUT_SECONDS,
    )


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request

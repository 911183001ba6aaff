"""Artifacts as runs upload them: listed by the small GitHub, stored elsewhere."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.github_server import Answer, GitHub
from tests.storage_server import Storage, Stored


@dataclass
class Uploads:
    """The artifacts of the small GitHub's repository, newest first, and the storage that holds them."""

    github: GitHub
    storage: Storage
    artifacts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        base = f"/repositories/{self.github.repository_id}/actions/artifacts"
        self.github.extra[base] = lambda match, query: ("artifacts", self.artifacts)
        self.github.extra[rf"{base}/(\d+)/zip"] = lambda match, query: self._redirect(int(match[1]))

    def add(
        self, artifact_id: int, content: bytes | Mapping[str, bytes | str], run_id: int = 1, **changes: Any
    ) -> dict[str, Any]:
        """Upload an artifact: a zip, or the files to zip; `changes` overwrite fields of its description."""
        packed = content if isinstance(content, bytes) else zipped(content)
        self.storage.files[f"/{artifact_id}"] = Stored(packed)
        artifact = {
            "id": artifact_id,
            "name": f"junit-{artifact_id}",
            "size_in_bytes": len(packed),
            "digest": f"sha256:{hashlib.sha256(packed).hexdigest()}",
            "expired": False,
            "created_at": "2026-01-02T08:09:00Z",
            "expires_at": "2026-04-02T08:09:00Z",
            "workflow_run": {"id": run_id, "head_sha": "a"},
            **changes,
        }
        self.artifacts.insert(0, artifact)
        return artifact

    def stored(self, artifact_id: int) -> Stored:
        """Return the stored file of an artifact."""
        return self.storage.files[f"/{artifact_id}"]

    def downloads(self) -> list[int]:
        """Return the artifacts that were asked of the storage, in order."""
        return [int(path.partition("?")[0].strip("/")) for path in self.storage.requests]

    def _redirect(self, artifact_id: int) -> Answer:
        artifact = next((one for one in self.artifacts if one["id"] == artifact_id), None)
        if artifact is None:
            return Answer(404, {"message": "Not Found"})
        if artifact.get("deleted"):
            return Answer(410, {"message": "Artifact has expired"})
        return Answer(302, b"", {"Location": f"{self.storage.url}/{artifact_id}?sig=secret"})


def zipped(files: Mapping[str, bytes | str], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def report(*cases: str, suite: str = "S") -> str:
    """Return a JUnit report: a case is its name, `name!` if it fails and `name?` if it passes at last."""
    inside = {"!": "<failure message='no'/>", "?": "<flakyFailure message='once'/>"}
    lines = [
        f"<testcase classname='C' name='{case.rstrip('!?')}'>{inside.get(case[-1:], '')}</testcase>" for case in cases
    ]
    return f"<testsuite name='{suite}'>{''.join(lines)}</testsuite>"

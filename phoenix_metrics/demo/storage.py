"""Where GitHub keeps the bytes of artifacts: another host, addresses that are good for a minute, and no token."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phoenix_metrics.demo.addresses import Place
from phoenix_metrics.demo.coverage import FLAGS, cobertura
from phoenix_metrics.demo.junit import junit
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.suites import results
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import Universe
from phoenix_metrics.demo.uploads import Upload, upload

_GOOD_FOR_SECONDS = 60
_OTHER_HOST = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
_PATH = "/_storage/{repository_id}/{upload_id}.zip"


def artifact_payload(place: Place, universe: Universe, shown: Upload, now: int) -> dict[str, Any]:
    """Return an artifact as GitHub shows it, with size and digest of its zip."""
    url, content = f"{place.url}/actions/artifacts/{shown.id}", packed(universe, shown)
    return {
        "id": shown.id,
        "node_id": f"AR_{shown.id}",
        "name": shown.name,
        "size_in_bytes": len(content),
        "url": url,
        "archive_download_url": f"{url}/zip",
        "expired": shown.expires_at <= now,
        "created_at": written(shown.at),
        "updated_at": written(shown.at),
        "expires_at": written(shown.expires_at),
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "workflow_run": {
            "id": shown.run.id,
            "repository_id": place.repository.id,
            "head_repository_id": place.repository.id,
            "head_branch": shown.run.trigger.branch,
            "head_sha": shown.run.trigger.commit.sha,
        },
    }


@lru_cache(maxsize=2048)
def packed(universe: Universe, shown: Upload) -> bytes:
    """Return the zip of an artifact, the same bytes every time."""
    name, content = _file(universe, shown)
    member = zipfile.ZipInfo(name, datetime.fromtimestamp(shown.at, UTC).timetuple()[:6])
    member.compress_type = zipfile.ZIP_DEFLATED
    packed_file = io.BytesIO()
    with zipfile.ZipFile(packed_file, "w") as archive:
        archive.writestr(member, content)
    return packed_file.getvalue()


def address(place: Place, universe: Universe, shown: Upload, now: int) -> str:
    """Return where the zip of an artifact can be fetched for a minute: this server by another name."""
    until = now + _GOOD_FOR_SECONDS
    here = urlsplit(place.api)
    host = _OTHER_HOST.get(here.hostname or "", here.hostname)
    root = f"{here.scheme}://{host}" + (f":{here.port}" if here.port else "")
    path = _PATH.format(repository_id=place.repository.id, upload_id=shown.id)
    return f"{root}{path}?se={until}&sig={_signature(universe, shown.id, until)}"


def routes(organization: Organization, clock: Callable[[], datetime]) -> list[Route]:
    """Return the storage's one address: whoever has its signature gets the file, for as long as it is good."""

    async def send(request: Request) -> Response:
        now, world = int(clock().timestamp()), organization.world_at(request.path_params)
        until, signature = request.query_params.get("se", ""), request.query_params.get("sig", "")
        if world is None:
            return Response("ContainerNotFound", 404)
        upload_id = request.path_params["upload_id"]
        if signature != _signature(world.universe, upload_id, until) or now > int(until):
            return Response("AuthenticationFailed", 403)
        found = upload(world, int(upload_id), now)
        if found is None or found.expires_at <= now:
            return Response("BlobNotFound", 404)
        return Response(packed(world.universe, found), media_type="application/zip")

    return [Route(_PATH, send)]


def _file(universe: Universe, shown: Upload) -> tuple[str, str]:
    if shown.kind == "coverage":
        return "coverage.xml", cobertura(universe, FLAGS[shown.suite], shown.run.trigger, shown.at)
    return f"junit-{shown.suite}.xml", junit(results(universe, shown.run, shown.job), shown.job.started_at)


def _signature(universe: Universe, upload_id: object, until: object) -> str:
    return universe.sha("signature", upload_id, until)

"""The receiver: checks who sent a delivery, keeps it durably, acknowledges it. It never opens the store."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoenix_metrics.webhooks import argocd, github
from phoenix_metrics.webhooks.spool import Spool


def receiver(
    spool: Spool, github_secret: str | None, argocd_secret: str | None = None, instances: Collection[str] = ()
) -> Starlette:
    """Return the application: a route for each sender that there is a secret for, GET /healthz for how many came."""
    counts: Counter[str] = Counter()

    def counted(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def received(request: Request) -> Response:
            answered = await answer(request)
            counts[str(answered.status_code)] += 1
            return answered

        return received

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "answers": dict(counts)})

    routes = [Route("/healthz", healthz)]
    if github_secret:
        deliver = partial(github.received, spool=spool, secret=github_secret)
        routes.append(Route("/github", counted(deliver), methods=["POST"]))
    if argocd_secret:
        notify = counted(partial(argocd.received, spool=spool, secret=argocd_secret, instances=instances))
        routes += [Route(path, notify, methods=["POST"]) for path in ("/argocd", "/argocd/{instance}")]
    return Starlette(routes=routes)

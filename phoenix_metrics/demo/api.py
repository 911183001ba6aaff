"""GitHub's and Argo CD's REST APIs over the demo organisation, and the switches that change it."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoenix_metrics.demo import check_suites, manners, storage
from phoenix_metrics.demo.argocd.api import routes as argocd_routes
from phoenix_metrics.demo.context_endpoints import OF_ORGANIZATION, OF_REPOSITORY
from phoenix_metrics.demo.control import Control, WishError
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.endpoints import Endpoint, Question, not_found
from phoenix_metrics.demo.manners import Desk, RefusalError
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.paging import Listing, page
from phoenix_metrics.demo.scenes import SceneLog, SceneName
from phoenix_metrics.demo.sending import Receiver, Sender
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import Universe

Clock = Callable[[], datetime]
Handler = Callable[[Request], Awaitable[Response]]

_BY_NAME = "/repos/{owner}/{repo}"
_BY_ID = "/repositories/{repository_id}"
ARGOCD_ROOT = "/argo-cd"
_POINTS = 5_000  # of GraphQL, an hour
_ENTERPRISE = "/api/v3"  # where GitHub Enterprise Server keeps its API


def utc_now() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


def app(
    *,
    seed: int = 7,
    days: int = 60,
    pace: float = 1.0,
    state_file: Path | None = None,
    clock: Clock = utc_now,
    hourly_limit: int = 15_000,
    repositories: int = 1,
    receiver: Receiver | None = None,
    address: str = "http://127.0.0.1:8990",
    scene: SceneName | None = None,
) -> Starlette:
    """Return the server's application; it reads the time from `clock` only. Raises ValueError as Organization does.

    While it is served with its lifespan it sends to `receiver`; what it sends names `address` as its own. A scene has
    been on for a while by the time it starts.
    """
    organization = Organization(seed, days, pace, repositories, state_file)
    living = LivingCluster(Universe(seed, pace), organization.platform, days)
    now = int(clock().timestamp())
    control = Control(SceneLog(state_file), organization.breakages, organization.worlds, living, now)
    if scene is not None:
        control.begin(scene, now)
    sender = Sender(organization, living, receiver, address, lambda: int(clock().timestamp())) if receiver else None
    github = _Server(organization, control, Desk(hourly_limit), clock, pace=pace, sender=sender).routes()
    routes = [*_argocd(living, clock), *storage.routes(organization, clock), *github]
    return Starlette(routes=routes, lifespan=sender.sending if sender else None)


def _argocd(living: LivingCluster, clock: Clock) -> list[Route]:
    """Return Argo CD's addresses; whenever it is asked, the story is told as far as the time."""

    def telling() -> datetime:
        now = clock()
        living.live_until(int(now.timestamp()))
        return now

    return argocd_routes(living.cluster, telling, ARGOCD_ROOT)


class _Server:
    """Joins the world, the callers' desk and the clock behind the addresses."""

    def __init__(
        self,
        organization: Organization,
        control: Control,
        desk: Desk,
        clock: Clock,
        *,
        pace: float,
        sender: Sender | None,
    ) -> None:
        self._organization = organization
        self._switches = control
        self._hooks = sender.hooks if sender else None
        self._desk = desk
        self._points = Desk(_POINTS)
        self._clock = clock
        self._pace = pace

    def routes(self) -> Iterator[Route]:
        """Yield every address, each also in its GitHub Enterprise Server form."""
        yield Route("/_control", self._control, methods=["GET", "POST", "DELETE"])
        for path in ("/graphql", "/api/graphql"):
            yield Route(path, self._graphql, methods=["POST"])
        for root in ("", _ENTERPRISE):
            yield Route(f"{root}/rate_limit", self._rate_limit)
            for path, endpoint in OF_ORGANIZATION.items():
                yield Route(root + path, self._handler(path, endpoint))
            reading = {**OF_REPOSITORY, **(self._hooks.reading() if self._hooks else {})}
            for path, endpoint in reading.items():
                handler = self._handler(_BY_NAME + path, endpoint, list_path=_BY_ID + path)
                yield Route(root + _BY_NAME + path, handler)
                yield Route(root + _BY_ID + path, handler)
            for path, endpoint in self._hooks.doing().items() if self._hooks else ():
                handler = self._handler(_BY_NAME + path, endpoint, status=202)
                yield Route(root + _BY_NAME + path, handler, methods=["POST"])
                yield Route(root + _BY_ID + path, handler, methods=["POST"])
        yield Route("/{path:path}", self._handler("unknown", _unknown))

    def _handler(self, template: str, endpoint: Endpoint, list_path: str = "", status: int = 200) -> Handler:
        async def handle(request: Request) -> Response:
            self._desk.requests[template] += 1
            token = request.headers.get("authorization", "")
            if manners.is_bad(token):
                return manners.refuse(manners.bad_credentials(), {})
            budget = self._desk.budget(token, self._now())
            try:
                if budget.is_spent:
                    raise manners.spent()
                payload, headers = self._look_up(request, endpoint, list_path or template)
            except RefusalError as error:
                budget.used += not budget.is_spent
                return manners.refuse(error, manners.budget_headers(budget))
            known_etag = request.headers.get("if-none-match")
            return manners.answer(payload, headers, token, known_etag, budget, status)

        return handle

    def _look_up(self, request: Request, endpoint: Endpoint, list_path: str) -> tuple[object, dict[str, str]]:
        root = _ENTERPRISE if request.url.path.startswith(_ENTERPRISE) else ""
        api = f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}{root}"
        world = self._organization.world_at(request.path_params)
        if world is None:
            raise not_found()
        question = Question(
            self._organization, world, self._now(), api, request.path_params, dict(request.query_params)
        )
        found = endpoint(question)
        if not isinstance(found, Listing):
            return found, {}
        return page(
            found, question.query, api + list_path.format(**{**question.path, "repository_id": world.repository.id})
        )

    async def _rate_limit(self, request: Request) -> Response:
        self._desk.requests["/rate_limit"] += 1
        token = request.headers.get("authorization", "")
        if manners.is_bad(token):
            return manners.refuse(manners.bad_credentials(), {})
        budget, points = (desk.budget(token, self._now()) for desk in (self._desk, self._points))
        return JSONResponse(manners.rate_limit(budget, points), headers=manners.budget_headers(budget))

    async def _graphql(self, request: Request) -> Response:
        self._desk.requests["/graphql"] += 1
        token, body = request.headers.get("authorization", ""), await request.body()
        if manners.is_bad(token):
            return manners.refuse(manners.bad_credentials(), {})
        points = self._points.budget(token, self._now())
        if points.is_spent:
            payload = manners.points_spent()
        else:
            points.used += check_suites.COST
            payload = check_suites.answer(self._organization.worlds, body, points, self._now())
        return JSONResponse(payload, headers=manners.budget_headers(points, "graphql"))

    async def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._desk.requests.clear()
        if request.method == "POST":
            try:
                self._switches.grant(await request.body(), self._now())
            except WishError as error:
                return JSONResponse({"message": str(error)}, 422)
        return JSONResponse(
            {
                "now": written(self._now()),
                "requests": dict(self._desk.requests),
                "total": self._desk.requests.total(),
                **self._switches.state(self._now()),
                "pace": self._pace,
            }
        )

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _unknown(_: Question) -> Listing:
    raise not_found()

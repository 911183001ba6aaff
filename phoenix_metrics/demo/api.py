"""GitHub's and Argo CD's REST APIs over the demo organisation, and the switches that change it."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phoenix_metrics.demo import manners
from phoenix_metrics.demo.addresses import FULL_NAME, REPOSITORY_ID
from phoenix_metrics.demo.argocd.api import routes as argocd_routes
from phoenix_metrics.demo.breakage import BreakageLog
from phoenix_metrics.demo.control import Control, WishError
from phoenix_metrics.demo.deliveries import LivingCluster
from phoenix_metrics.demo.endpoints import OF_ORGANIZATION, OF_REPOSITORY, Endpoint, Question, not_found
from phoenix_metrics.demo.manners import Desk, RefusalError
from phoenix_metrics.demo.paging import Listing, page
from phoenix_metrics.demo.scenes import SceneLog, SceneName
from phoenix_metrics.demo.times import written
from phoenix_metrics.demo.universe import Universe
from phoenix_metrics.demo.world import World

Clock = Callable[[], datetime]
Handler = Callable[[Request], Awaitable[Response]]

_BY_NAME = "/repos/{owner}/{repo}"
_BY_ID = "/repositories/{repository_id}"
ARGOCD_ROOT = "/argo-cd"
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
    scene: SceneName | None = None,
) -> Starlette:
    """Return the server's application; it reads the time from `clock` only. A scene has been on for a while by then."""
    universe, now = Universe(seed, pace), int(clock().timestamp())
    world = World(universe, days, BreakageLog(state_file))
    living = LivingCluster(universe, world, days)
    control = Control(SceneLog(state_file), world.breakages, [world], living, now)
    if scene is not None:
        control.begin(scene, now)
    github = _Server(world, control, Desk(hourly_limit), clock, pace).routes()
    return Starlette(routes=[*_argocd(living, clock), *github])


def _argocd(living: LivingCluster, clock: Clock) -> list[Route]:
    """Return Argo CD's addresses; whenever it is asked, the story is told as far as the time."""

    def telling() -> datetime:
        now = clock()
        living.live_until(int(now.timestamp()))
        return now

    return argocd_routes(living.cluster, telling, ARGOCD_ROOT)


class _Server:
    """Joins the world, the callers' desk and the clock behind the addresses."""

    def __init__(self, world: World, control: Control, desk: Desk, clock: Clock, pace: float) -> None:
        self._world = world
        self._switches = control
        self._desk = desk
        self._clock = clock
        self._pace = pace

    def routes(self) -> Iterator[Route]:
        """Yield every address, each also in its GitHub Enterprise Server form."""
        yield Route("/_control", self._control, methods=["GET", "POST", "DELETE"])
        for root in ("", _ENTERPRISE):
            yield Route(f"{root}/rate_limit", self._rate_limit)
            for path, endpoint in OF_ORGANIZATION.items():
                yield Route(root + path, self._handler(path, endpoint))
            for path, endpoint in OF_REPOSITORY.items():
                handler = self._handler(_BY_NAME + path, endpoint, list_path=_BY_ID + path)
                yield Route(root + _BY_NAME + path, handler)
                yield Route(root + _BY_ID + path, handler)
        yield Route("/{path:path}", self._handler("unknown", _unknown))

    def _handler(self, template: str, endpoint: Endpoint, list_path: str = "") -> Handler:
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
            return manners.answer(payload, headers, token, request.headers.get("if-none-match"), budget)

        return handle

    def _look_up(self, request: Request, endpoint: Endpoint, list_path: str) -> tuple[object, dict[str, str]]:
        root = _ENTERPRISE if request.url.path.startswith(_ENTERPRISE) else ""
        api = f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}{root}"
        _check_repository(request.path_params)
        question = Question(self._world, self._now(), api, request.path_params, dict(request.query_params))
        found = endpoint(question)
        if not isinstance(found, Listing):
            return found, {}
        return page(found, question.query, api + list_path.format(**{**question.path, "repository_id": REPOSITORY_ID}))

    async def _rate_limit(self, request: Request) -> Response:
        self._desk.requests["/rate_limit"] += 1
        token = request.headers.get("authorization", "")
        if manners.is_bad(token):
            return manners.refuse(manners.bad_credentials(), {})
        budget = self._desk.budget(token, self._now())
        return JSONResponse(manners.rate_limit(budget), headers=manners.budget_headers(budget))

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


def _check_repository(path: dict[str, str]) -> None:
    by_name = "owner" not in path or f"{path['owner']}/{path['repo']}".lower() == FULL_NAME
    by_id = path.get("repository_id", str(REPOSITORY_ID)) == str(REPOSITORY_ID)
    if not (by_name and by_id):
        raise not_found()


def _unknown(_: Question) -> Listing:
    raise not_found()

"""Stories of deliveries, each played by applications of its own, with the rows that have to come of it, by hand.

A story is told in minutes. What comes of an operation is written as `status change kind trigger`, in the order of the
operations; what went back as `kind confidence cause`, in the order of their times, with how long it took to restore.
Where a story is of several services, what each does in each operation is written as `service change`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from phoenix_metrics.demo.argocd.actions import (
    Abort,
    Action,
    Commit,
    Configure,
    Create,
    Degrade,
    Delete,
    LoseStatus,
    Outcome,
    Promote,
    RetryRollout,
    Rollback,
    SetImage,
    Source,
    Sync,
    Terminate,
    Undo,
)

START = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
POLLED_UNTIL = 240  # minutes, every five; then nobody looks until the end
END = 420

SLOW = Outcome(healthy_after=None)  # its Rollout is decided on later
NOT_APPLIED = Outcome("Failed", applies=False)
HOOK_FAILED = Outcome("Failed")
NO_MANIFESTS = Outcome("Error", applies=False)
RETRIED_TWICE = Outcome(failed_attempts=2, retry_seconds=60)
RETRIED_FIVE_TIMES = Outcome("Failed", failed_attempts=5, applies=False)

FORWARD, FIRST = "succeeded forward full auto_sync", "succeeded first full auto_sync"
RESYNC = "succeeded resync full auto_sync"


@dataclass(frozen=True)
class Story:
    """What is told, what comes of it, and what is known to be lost."""

    name: str
    actions: tuple[Action, ...]
    deployments: tuple[str, ...]
    rollbacks: tuple[tuple[str, int | None], ...] = ()  # with the seconds that it took to restore
    lost: tuple[int, int, int] = (0, 0, 0)  # missing, gaps of unknown size, vanished
    services: tuple[str, ...] = ()
    environment: str = "production"

    @property
    def applications(self) -> tuple[str, ...]:
        return tuple(action.name for action in self.actions if isinstance(action, Create))


def second(minute: float) -> int:
    return int(START.timestamp() + minute * 60)


def version(number: int) -> dict[str, str]:
    """Return the image of a version, by a tag that stands still."""
    return {"api": f"ghcr.io/acme/api:1.{number}.0"}


def moving(_: int) -> dict[str, str]:
    """Return an image whose tag moves."""
    return {"api": "ghcr.io/acme/api:main-latest"}


def two_services(number: int) -> dict[str, str]:
    """Return the images of two services: the tens are the version of the one, the ones that of the other."""
    return {"api": f"ghcr.io/acme/api:1.{number // 10}.0", "web": f"ghcr.io/acme/web:1.{number % 10}.0"}


def sha(number: int) -> str:
    return f"{number:040x}"


class Teller:
    """Tells one story: the application first, then whatever happens to it."""

    def __init__(self, name: str, images: Callable[[int], dict[str, str]] = version, **made: object) -> None:
        self.application = f"{name}-production"
        self._images = images
        self.told: list[Action] = [Create(second(0), self.application, **made)]  # type: ignore[arg-type]  # as Create

    def commit(self, minute: float, number: int, revision: int | None = None, message: str = "Ship") -> None:
        """Let Git have a version, by a commit of its own unless another is named."""
        told = sha(revision if revision is not None else 1000 + int(minute * 60))
        self.told.append(Commit(second(minute), self.application, (told,), self._images(number), message))

    def sync(self, minute: float, **how: object) -> None:
        self.told.append(Sync(second(minute), self.application, **how))  # type: ignore[arg-type]  # as Sync

    def ship(
        self, minute: float, number: int, revision: int | None = None, message: str = "Ship", **how: object
    ) -> None:
        """Commit a version and sync it half a minute later."""
        self.commit(minute, number, revision, message)
        self.sync(minute + 0.5, **how)

    def does(self, action: Callable[..., Action], minute: float, *details: object, **more: object) -> None:
        self.told.append(action(second(minute), self.application, *details, **more))


def stories() -> Iterator[Story]:
    """Yield every story."""
    for tell in _STORIES:
        story = tell()
        yield replace(story, name=tell.__name__.strip("_").replace("_", "-"))


def _story(teller: Teller, *deployments: str, **more: object) -> Story:
    return Story("", tuple(teller.told), deployments, **more)  # type: ignore[arg-type]  # as Story


def _failed_then_succeeded() -> Story:
    told = Teller("failed-then-succeeded")
    told.ship(5, 1)
    told.ship(30, 2, outcome=NOT_APPLIED)
    told.sync(31)
    return _story(told, FIRST, "failed forward full auto_sync", FORWARD)


def _waiting_for_a_retry() -> Story:
    told = Teller("waiting-for-a-retry")
    told.ship(5, 1)
    told.ship(30, 2, outcome=RETRIED_TWICE)
    return _story(told, FIRST, FORWARD)


def _retried_five_times() -> Story:
    told = Teller("retried-five-times")
    told.ship(5, 1)
    told.ship(30, 2, outcome=RETRIED_FIVE_TIMES)
    return _story(told, FIRST, "failed forward full auto_sync")


def _terminated() -> Story:
    told = Teller("terminated")
    told.ship(5, 1)
    told.ship(30, 2, outcome=Outcome(blocked_seconds=1200))
    told.does(Terminate, 40, by="carol")
    return _story(told, FIRST, "cancelled none full auto_sync")


def _app_rollback() -> Story:
    told = Teller("app-rollback", is_automated=False)
    told.ship(5, 1, by="ann")
    told.ship(30, 2, by="ann")
    told.does(Rollback, 60, 0, "bob")
    return _story(
        told,
        "succeeded first full user",
        "succeeded forward full user",
        "succeeded rollback full rollback",
        rollbacks=(("argocd explicit None", 60 * 60 + 35 - (30 * 60 + 35) + 30 - 30),),
    )


def _app_rollback_failing() -> Story:
    told = Teller("app-rollback-failing", is_automated=False)
    told.ship(5, 1, by="ann")
    told.ship(30, 2, by="ann")
    told.does(Rollback, 60, 0, "bob", outcome=NOT_APPLIED)
    return _story(told, "succeeded first full user", "succeeded forward full user", "failed forward full user")


def _app_rollback_then_git_follows() -> Story:
    told = Teller("app-rollback-then-git-follows", is_automated=False)
    told.ship(5, 1, by="ann")
    told.ship(30, 2, by="ann")
    told.does(Rollback, 60, 0, "bob")
    told.commit(70, 1, message='Revert "Ship"')
    told.does(Configure, 71, is_automated=True)
    told.sync(72)
    return _story(
        told,
        "succeeded first full user",
        "succeeded forward full user",
        "succeeded rollback full rollback",
        RESYNC,
        rollbacks=(("argocd explicit None", None),),
    )


def _app_rollback_twice() -> Story:
    told = Teller("app-rollback-twice", is_automated=False)
    told.ship(5, 1, by="ann")
    told.ship(30, 2, by="ann")
    told.does(Rollback, 60, 0, "bob")
    told.does(Rollback, 70, 0, "bob")
    return _story(
        told,
        "succeeded first full user",
        "succeeded forward full user",
        "succeeded rollback full rollback",
        "succeeded resync full user",
        rollbacks=(("argocd explicit None", None),),
    )


def _git_revert() -> Story:
    told = Teller("git-revert")
    told.ship(5, 1)
    told.ship(30, 2)
    told.ship(60, 1, message='Revert "Ship"')
    return _story(told, FIRST, FORWARD, "succeeded rollback full auto_sync", rollbacks=(("revert high None", 1800),))


def _git_revert_of_two() -> Story:
    told = Teller("git-revert-of-two")
    told.ship(5, 1)
    told.ship(30, 2)
    told.ship(40, 3)
    told.ship(60, 1)
    return _story(
        told, FIRST, FORWARD, FORWARD, "succeeded rollback full auto_sync", rollbacks=(("revert high None", 1800),)
    )


def _there_and_back_and_there() -> Story:
    told = Teller("there-and-back-and-there")
    told.ship(5, 1)
    told.ship(30, 2)
    told.ship(60, 1)
    told.ship(90, 2)
    return _story(
        told,
        FIRST,
        FORWARD,
        "succeeded rollback full auto_sync",
        FORWARD,
        rollbacks=(("revert high None", 1800),),
    )


def _git_revert_by_message() -> Story:
    told = Teller("git-revert-by-message", moving)
    told.ship(5, 1, 1)
    told.ship(30, 2, 2)
    told.ship(60, 1, 3, message=f'Revert "Ship"\n\nThis reverts commit {sha(2)}.')
    return _story(told, FIRST, FORWARD, "succeeded rollback full auto_sync", rollbacks=(("revert low None", 1800),))


def _target_revision_set_back() -> Story:
    told = Teller("target-revision-set-back", moving)
    told.ship(5, 1, 1)
    told.does(Configure, 29, target_revision="v2")
    told.ship(30, 2, 2)
    told.does(Configure, 59, target_revision="main")
    told.ship(60, 1, 1)
    return _story(
        told, FIRST, FORWARD, "succeeded rollback full auto_sync", rollbacks=(("target_revision medium None", 1800),)
    )


def _canary_abort_by_analysis() -> Story:
    told = Teller("canary-abort-by-analysis", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Abort, 45, "api", analysis_seconds=300)
    return _story(told, FIRST, FORWARD, rollbacks=(("rollout_abort explicit analysis_failed", 300),))


def _canary_abort_by_error() -> Story:
    told = Teller("canary-abort-by-error", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Abort, 45, "api", "Error", analysis_seconds=300)
    return _story(told, FIRST, FORWARD, rollbacks=(("rollout_abort explicit analysis_error", 300),))


def _canary_abort_by_hand() -> Story:
    told = Teller("canary-abort-by-hand", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Abort, 45, "api", None)
    return _story(told, FIRST, FORWARD, rollbacks=(("rollout_abort explicit manual", None),))


def _canary_abort_by_deadline() -> Story:
    told = Teller("canary-abort-by-deadline", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Abort, 45, "api", None, is_deadline=True)
    return _story(told, FIRST, FORWARD, rollbacks=(("rollout_abort explicit deadline", None),))


def _canary_abort_then_revert() -> Story:
    told = Teller("canary-abort-then-revert", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Abort, 45, "api", analysis_seconds=300)
    told.ship(70, 1, message='Revert "Ship"')
    return _story(
        told,
        FIRST,
        FORWARD,
        "succeeded rollback full auto_sync",
        rollbacks=(("rollout_abort explicit analysis_failed", 300),),
    )


def _canary_abort_then_retry() -> Story:
    told = Teller("canary-abort-then-retry", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Abort, 45, "api", analysis_seconds=300)
    told.does(RetryRollout, 60, "api")
    told.does(Promote, 80, "api")
    return _story(told, FIRST, FORWARD, rollbacks=(("rollout_abort explicit analysis_failed", 300),))


def _canary_abort_retried_then_reverted() -> Story:
    told = Teller("canary-abort-retried-then-reverted", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Abort, 45, "api", analysis_seconds=300)
    told.does(RetryRollout, 60, "api")
    told.does(Promote, 80, "api")
    told.ship(120, 1, message='Revert "Ship"')
    return _story(
        told,
        FIRST,
        FORWARD,
        "succeeded rollback full auto_sync",
        rollbacks=(("rollout_abort explicit analysis_failed", 300), ("revert high None", 5400)),
    )


def _rollout_undo_then_git_follows() -> Story:
    told = Teller("rollout-undo-then-git-follows", rollouts=("api",), self_heals=False)
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Undo, 61, "api")
    told.ship(90, 1, message='Revert "Ship"')
    return _story(
        told,
        FIRST,
        FORWARD,
        "succeeded rollback full auto_sync",
        rollbacks=(("rollout_undo medium None", None),),
    )


def _canary_promoted() -> Story:
    told = Teller("canary-promoted", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2, outcome=SLOW)
    told.does(Promote, 45, "api", 300)
    return _story(told, FIRST, FORWARD)


def _rollout_undo() -> Story:
    told = Teller("rollout-undo", rollouts=("api",), self_heals=False)
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Undo, 61, "api")
    return _story(told, FIRST, FORWARD, rollbacks=(("rollout_undo medium None", None),))


def _rollout_undo_healed() -> Story:
    told = Teller("rollout-undo-healed", rollouts=("api",))
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Undo, 61, "api")
    told.sync(61.1, kind="self_heal")
    return _story(told, FIRST, FORWARD, "succeeded none self_heal auto_sync")


def _self_heal_storm() -> Story:
    told = Teller("self-heal-storm")
    told.ship(5, 1)
    for turn in range(8):
        told.does(SetImage, 30 + turn, "api", "ghcr.io/acme/api:9.9.9")
        told.sync(30.2 + turn, kind="self_heal")
    return _story(told, FIRST, *["succeeded none self_heal auto_sync"] * 8)


def _self_heal_that_deploys() -> Story:
    told = Teller("self-heal-that-deploys")
    told.ship(5, 1)
    told.ship(30, 2, kind="self_heal")
    return _story(told, FIRST, "succeeded forward self_heal auto_sync")


def _created_anew() -> Story:
    told = Teller("created-anew")
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Delete, 60)
    told.told.append(Create(second(62), told.application))
    told.ship(63, 1)
    told.ship(80, 2)
    return _story(told, FIRST, FORWARD, "succeeded recreated full auto_sync", FORWARD)


def _status_lost() -> Story:
    told = Teller("status-lost")
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(LoseStatus, 60)
    told.ship(80, 3)
    return _story(told, FIRST, FORWARD, FORWARD, lost=(0, 1, 0))


def _twenty_five_unwatched() -> Story:
    told = Teller("twenty-five-unwatched")
    told.ship(5, 1)
    for turn in range(25):
        told.ship(250 + 2 * turn, 2 + turn)
    return _story(told, FIRST, *[FORWARD] * 10, lost=(15, 0, 0))


def _partial() -> Story:
    told = Teller("partial")
    told.ship(5, 1)
    told.ship(30, 2, kind="partial", by="ann")
    told.sync(40, kind="partial", by="ann")
    return _story(told, FIRST, "succeeded forward partial user", "succeeded none partial user")


def _dry_run() -> Story:
    told = Teller("dry-run")
    told.ship(5, 1)
    told.ship(30, 2, kind="dry_run", by="ann")
    return _story(told, FIRST, "succeeded none dry_run user")


def _failed_after_it_ran() -> Story:
    told = Teller("failed-after-it-ran")
    told.ship(5, 1)
    told.ship(30, 2, outcome=HOOK_FAILED)
    told.ship(60, 1)
    return _story(
        told,
        FIRST,
        "failed forward full auto_sync",
        "succeeded rollback full auto_sync",
        rollbacks=(("revert high None", 1800),),
    )


def _failed_before_it_ran() -> Story:
    told = Teller("failed-before-it-ran")
    told.ship(5, 1)
    told.ship(30, 2, outcome=NOT_APPLIED)
    told.ship(60, 1)
    return _story(told, FIRST, "failed forward full auto_sync", RESYNC)


def _no_manifests() -> Story:
    told = Teller("no-manifests")
    told.ship(5, 1)
    told.ship(30, 2, outcome=NO_MANIFESTS)
    return _story(told, FIRST, "error forward full auto_sync")


def _blocked_for_an_hour() -> Story:
    told = Teller("blocked-for-an-hour")
    told.ship(5, 1)
    told.ship(30, 2, outcome=Outcome(blocked_seconds=3600))
    return _story(told, FIRST, FORWARD)


def _prune_skipped() -> Story:
    told = Teller("prune-skipped")
    told.ship(5, 1)
    told.ship(30, 2, outcome=Outcome(prune_skipped=True))
    return _story(told, FIRST, FORWARD)


def _nobody_named() -> Story:
    told = Teller("nobody-named")
    told.ship(5, 1, is_anonymous=True)
    told.ship(30, 2, is_appset=True)
    return _story(told, "succeeded first full unknown", "succeeded forward full appset")


def _own_manifests() -> Story:
    told = Teller("own-manifests", is_automated=False)
    told.ship(5, 1, by="ann")
    told.sync(30, kind="local", by="ann", images=version(7))
    return _story(told, "succeeded first full user", "succeeded forward full user")


def _several_sources() -> Story:
    sources = (Source("https://git.example/configs", path="api"), Source("https://charts.example", chart="api"))
    told = Teller("several-sources", moving, sources=sources, is_automated=False)
    for minute, revisions in ((5, (sha(1), "1.0.0")), (30, (sha(1), "1.1.0"))):
        told.told.append(Commit(second(minute), told.application, revisions, moving(0)))
        told.sync(minute + 0.5, by="ann")
    told.does(Rollback, 60, 0, "bob")
    return _story(
        told,
        "succeeded first full user",
        "succeeded forward full user",
        "succeeded rollback full rollback",
        rollbacks=(("argocd explicit None", 1800),),
    )


def _monorepo_moves() -> Story:
    told = Teller("monorepo-moves")
    told.ship(5, 1)
    told.ship(30, 1)
    told.ship(60, 1)
    return _story(told, FIRST, RESYNC, RESYNC)


def _applications_of_applications() -> Story:
    told = Teller("applications-of-applications", lambda _: {}, is_app_of_apps=True)
    told.ship(5, 1)
    told.ship(30, 2)
    return _story(told, "succeeded none full auto_sync", "succeeded none full auto_sync")


def _several_services() -> Story:
    told = Teller("several-services", two_services)
    told.ship(5, 11)
    told.ship(30, 21)
    told.ship(60, 12, message="Take the api back, and ship the web")
    told.ship(90, 22, outcome=NOT_APPLIED)
    told.ship(120, 22)
    return _story(
        told,
        FIRST,
        FORWARD,
        "succeeded mixed full auto_sync",
        "failed forward full auto_sync",
        FORWARD,
        rollbacks=(("revert high None", 1800),),
        services=(
            *("api first", "web first"),
            *("api forward", "web resync"),
            *("api rollback", "web forward"),
            *("api forward", "web resync"),
            *("api forward", "web resync"),
        ),
    )


def _one_commit_many_applications() -> Story:
    tellers = [Teller(f"one-commit-{number}", two_services) for number in range(4)]
    for told, number in zip(tellers, (11, 12, 11, 21), strict=True):  # the versions of the second commit
        told.ship(5, 11, revision=1)
        told.ship(30, number, revision=2)
    tellers[0].told += [action for told in tellers[1:] for action in told.told]
    return _story(tellers[0], *[FIRST] * 4, RESYNC, FORWARD, RESYNC, FORWARD)


def _renamed_environment() -> Story:
    told = Teller("renamed-environment", labels={"environment": "uat"})
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Configure, 60, labels={"environment": "preprod"})
    told.ship(70, 3)
    told.ship(90, 2)
    return _story(
        told,
        FIRST,
        FORWARD,
        FORWARD,
        "succeeded rollback full auto_sync",
        rollbacks=(("revert high None", 1200),),
        environment="preproduction",
    )


def _another_name_for_the_environment() -> Story:
    told = Teller("another-name")
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Delete, 60)
    renamed = Teller("another-name-in")
    renamed.told[0] = replace(renamed.told[0], at=second(60))
    renamed.ship(61, 2)
    renamed.ship(90, 3)
    told.told += renamed.told
    return _story(told, FIRST, FORWARD, FIRST, FORWARD)


def _chart_downgraded() -> Story:
    chart = (Source("https://charts.example", chart="api"),)
    told = Teller("chart-downgraded", moving, sources=chart)
    for minute, revision in ((5, "1.0.0"), (30, "1.1.0"), (60, "1.0.0")):
        told.told.append(Commit(second(minute), told.application, (revision,), moving(0)))
        told.sync(minute + 0.5)
    return _story(told, FIRST, FORWARD, "succeeded rollback full auto_sync", rollbacks=(("revert medium None", 1800),))


def _degraded_for_an_hour() -> Story:
    told = Teller("degraded-for-an-hour")
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Degrade, 40)
    told.does(Degrade, 100, "Healthy")
    return _story(told, FIRST, FORWARD)


def _deleted() -> Story:
    told = Teller("deleted")
    told.ship(5, 1)
    told.ship(30, 2)
    told.does(Delete, 60)
    return _story(told, FIRST, FORWARD)


_STORIES: tuple[Callable[[], Story], ...] = (
    _failed_then_succeeded,
    _waiting_for_a_retry,
    _retried_five_times,
    _terminated,
    _app_rollback,
    _app_rollback_failing,
    _app_rollback_then_git_follows,
    _app_rollback_twice,
    _git_revert,
    _git_revert_of_two,
    _there_and_back_and_there,
    _git_revert_by_message,
    _target_revision_set_back,
    _canary_abort_by_analysis,
    _canary_abort_by_error,
    _canary_abort_by_hand,
    _canary_abort_by_deadline,
    _canary_abort_then_revert,
    _canary_abort_then_retry,
    _canary_abort_retried_then_reverted,
    _rollout_undo_then_git_follows,
    _canary_promoted,
    _rollout_undo,
    _rollout_undo_healed,
    _self_heal_storm,
    _self_heal_that_deploys,
    _created_anew,
    _status_lost,
    _twenty_five_unwatched,
    _partial,
    _dry_run,
    _failed_after_it_ran,
    _failed_before_it_ran,
    _no_manifests,
    _blocked_for_an_hour,
    _prune_skipped,
    _nobody_named,
    _own_manifests,
    _several_sources,
    _monorepo_moves,
    _applications_of_applications,
    _several_services,
    _one_commit_many_applications,
    _renamed_environment,
    _another_name_for_the_environment,
    _chart_downgraded,
    _degraded_for_an_hour,
    _deleted,
)

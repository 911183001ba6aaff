"""The three workflows of phoenix/platform: their jobs, needs, matrices and steps, and how the jobs usually behave."""

from dataclasses import dataclass

STANDARD_RUNNER = "ubuntu-latest"  # what `runs-on` says


@dataclass(frozen=True, slots=True)
class StepTemplate:
    """A step as the workflow file has it; `weight` is its share of the job's time."""

    name: str
    weight: float
    only: tuple[str, ...] = ()  # matrix values that run it; empty means all
    always: bool = False
    has_post: bool = False


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """A job as the workflow file has it; `event` and `branch` stand for its `if`."""

    name: str
    steps: tuple[StepTemplate, ...]
    needs: tuple[str, ...] = ()
    matrix: tuple[str, ...] = ()
    has_services: bool = False
    event: str | None = None
    branch: str | None = None

    @property
    def shown_names(self) -> tuple[str, ...]:
        """The names GitHub shows when the job runs, one for each matrix value."""
        return tuple(f"{self.name} ({value})" for value in self.matrix) or (self.name,)


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow file; its jobs stand in an order in which they can run."""

    id: int
    name: str
    file: str
    jobs: tuple[JobTemplate, ...]

    @property
    def path(self) -> str:
        """Where the file is in the repository."""
        return f".github/workflows/{self.file}"


@dataclass(frozen=True, slots=True)
class Habit:
    """How a job usually behaves: its median time, and how often it fails or hangs for no reason in the code."""

    component: str
    seconds: float
    flake_ratio: float
    hang_ratio: float = 0.0


HABITS = {
    "validate": Habit("platform", 42, 0.002),
    "lint (backend)": Habit("backend", 128, 0.002),
    "lint (frontend)": Habit("frontend", 92, 0.002),
    "test (unit)": Habit("backend", 265, 0.003),
    "test (integration)": Habit("backend", 500, 0.032, hang_ratio=0.0006),
    "test (frontend)": Habit("frontend", 185, 0.008),
    "security": Habit("platform", 290, 0.006),
    "build (api)": Habit("backend", 175, 0.001),
    "build (controller)": Habit("backend", 190, 0.001),
    "build (generator)": Habit("backend", 150, 0.001),
    "build (dashboard)": Habit("frontend", 235, 0.004),
    "build (simulator)": Habit("backend", 140, 0.001),
    "update-manifests": Habit("platform", 24, 0.006),
    "release": Habit("platform", 560, 0.030),
    "nightly": Habit("backend", 4_300, 0.050, hang_ratio=0.02),
}
COMPONENTS = ("backend", "frontend", "platform")

_CHECKOUT = StepTemplate("Run actions/checkout@v4", 3, has_post=True)

_VALIDATE = JobTemplate(
    "validate",
    steps=(
        _CHECKOUT,
        StepTemplate("Validate mono-repo structure", 4),
        StepTemplate("Validate imports", 22),
        StepTemplate("Check documentation", 2),
    ),
)
_LINT = JobTemplate(
    "lint",
    needs=("validate",),
    matrix=("backend", "frontend"),
    steps=(
        _CHECKOUT,
        StepTemplate("Setup Go", 12, only=("backend",), has_post=True),
        StepTemplate("Setup Node", 8, only=("frontend",), has_post=True),
        StepTemplate("Lint Go code", 100, only=("backend",)),
        StepTemplate("Lint TypeScript/React", 75, only=("frontend",)),
    ),
)
_TEST = JobTemplate(
    "test",
    needs=("lint",),
    matrix=("unit", "integration", "frontend"),
    has_services=True,
    steps=(
        _CHECKOUT,
        StepTemplate("Setup Go", 14, only=("unit", "integration"), has_post=True),
        StepTemplate("Setup Node", 9, only=("frontend",), has_post=True),
        StepTemplate("Run unit tests", 205, only=("unit",)),
        StepTemplate("Run integration tests", 430, only=("integration",)),
        StepTemplate("Run frontend tests", 130, only=("frontend",)),
        StepTemplate("Upload coverage", 5, only=("unit", "frontend")),
    ),
)
_SECURITY = JobTemplate(
    "security",
    needs=("validate",),
    steps=(
        _CHECKOUT,
        StepTemplate("Run Trivy vulnerability scanner", 48),
        StepTemplate("Run gosec security scanner", 70),
        StepTemplate("Dependency check", 150),
        StepTemplate("Upload security results", 8, always=True),
    ),
)
_BUILD = JobTemplate(
    "build",
    needs=("test", "security"),
    matrix=("api", "controller", "generator", "dashboard", "simulator"),
    event="push",
    steps=(
        _CHECKOUT,
        StepTemplate("Set up Docker Buildx", 7, has_post=True),
        StepTemplate("Log in to GitHub Container Registry", 1, has_post=True),
        StepTemplate("Extract metadata", 1),
        StepTemplate("Build and push", 150, has_post=True),
    ),
)
_UPDATE_MANIFESTS = JobTemplate(
    "update-manifests",
    needs=("build",),
    branch="main",
    steps=(_CHECKOUT, StepTemplate("Update image tags", 4), StepTemplate("Commit and push", 8)),
)
_RELEASE = JobTemplate(
    "release",
    steps=(
        _CHECKOUT,
        StepTemplate("Validate tag", 1),
        StepTemplate("Generate changelog", 2),
        StepTemplate("Create release", 3),
        StepTemplate("Build and push release images", 500),
        StepTemplate("Update Helm chart", 1),
        StepTemplate("Package Helm chart", 4),
        StepTemplate("Upload Helm chart", 3),
    ),
)
_NIGHTLY = JobTemplate(
    "nightly",
    steps=(
        _CHECKOUT,
        StepTemplate("Run extended tests", 3_500),
        StepTemplate("Security audit", 60),
        StepTemplate("Build nightly images", 560),
        StepTemplate("Deploy to staging", 20),
    ),
)

CI = Workflow(71_204_301, "CI Pipeline", "ci.yml", (_VALIDATE, _LINT, _TEST, _SECURITY, _BUILD, _UPDATE_MANIFESTS))
RELEASE = Workflow(71_204_302, "Release Pipeline", "release.yml", (_RELEASE,))
NIGHTLY = Workflow(71_204_303, "Nightly Build", "nightly.yml", (_NIGHTLY,))
WORKFLOWS = (CI, RELEASE, NIGHTLY)

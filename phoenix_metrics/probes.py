"""What a token may read: one cheap request for each thing that is fetched, and what is missing without it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from phoenix_metrics.errors import AccessError, RepositoryError
from phoenix_metrics.settings import Settings
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.side_loops import is_organization


@dataclass(frozen=True)
class Probe:
    """One thing that is fetched: what it is called, where it is, and the permission of a fine-grained token for it."""

    name: str
    path: str
    permission: str


@dataclass(frozen=True)
class Lack:
    """One thing that cannot be read, of a repository or an organisation, and the permission that would help."""

    subject: str
    name: str
    permission: str
    is_hidden: bool

    def __str__(self) -> str:
        """Return what is lacking, and what follows; a thing that is hidden may as well not be there."""
        reason = "not there, or the token lacks" if self.is_hidden else "the token lacks"
        return f"{self.name}: {reason} {self.permission}; {self.name} stay a gap"


def lacks_of_repository(client: GitHubClient, settings: Settings, name: str) -> Iterator[Lack]:
    """Yield what cannot be read of a repository that is visible. Raises a SourceError if it is not."""
    repository = client.get(f"/repos/{name}")
    return _lacks(client, name, _repository_probes(settings, f"/repos/{name}", repository["default_branch"]))


def lacks_of_owner(client: GitHubClient, settings: Settings, owner: str) -> Iterator[Lack]:
    """Yield what cannot be read of an organisation; a person owns none of it."""
    if owner in settings.github_organizations or is_organization(client, owner):
        yield from _lacks(client, owner, _organization_probes(settings, owner))


def _repository_probes(settings: Settings, base: str, branch: str | None) -> list[Probe]:
    wanted = settings.github_context
    probes = [Probe("artifacts", f"{base}/actions/artifacts", "actions=read")]
    if "releases" in wanted:
        probes.append(Probe("releases", f"{base}/releases", "contents=read"))
    if "pull_requests" in wanted:
        probes.append(Probe("pull requests", f"{base}/pulls", "pull_requests=read"))
    if "deployments" in wanted:
        probes.append(Probe("deployments", f"{base}/deployments", "deployments=read"))
    if "runners" in wanted:
        probes.append(Probe("the repository's runners", f"{base}/actions/runners", "administration=read"))
    if branch and "rules" in wanted:
        name = quote(branch, safe="")
        probes.append(Probe("branch rules", f"{base}/rules/branches/{name}", "metadata=read"))
        probes.append(Probe("contents", f"{base}/branches/{name}", "contents=read"))
    if "workflow_files" in wanted:
        probes.append(Probe("workflow files", f"{base}/contents", "contents=read"))
    commit = f"{base}/commits/{quote(branch or '', safe='')}"
    if branch and (settings.github_checks or "annotations" in wanted):
        probes.append(Probe("checks", f"{commit}/check-runs", "checks=read"))
    if branch and settings.github_checks:
        probes.append(Probe("commit statuses", f"{commit}/statuses", "statuses=read"))
    return probes


def _organization_probes(settings: Settings, owner: str) -> list[Probe]:
    actions = f"/orgs/{owner}/actions"
    probes = []
    if "runners" in settings.github_context:
        permission = "organization_self_hosted_runners=read"
        probes += [
            Probe("runners", f"{actions}/runners", permission),
            Probe("runner groups", f"{actions}/runner-groups", permission),
            Probe("hosted runners", f"{actions}/hosted-runners", "organization_administration=read"),
        ]
    if "billing" in settings.github_context:
        path = f"/organizations/{owner}/settings/billing/usage/summary"  # sums, not every line of a month
        probes.append(Probe("billing lines", path, "organization_administration=read"))
    return probes


def _lacks(client: GitHubClient, subject: str, probes: Sequence[Probe]) -> Iterator[Lack]:
    for probe in probes:
        try:
            client.get(probe.path, per_page=1)
        except (AccessError, RepositoryError) as error:
            permission = getattr(error, "permission", None) or probe.permission
            yield Lack(subject, probe.name, permission, is_hidden=isinstance(error, RepositoryError))

"""What the doctor says of Argo CD servers: version, what the token shows, clocks, and applications without a rule."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.defs.argocd import sync_argocd
from phoenix_metrics.doctor import Finding, examine, show
from phoenix_metrics.settings import load_settings
from tests.conftest import publish_landing
from tests.written_argocd import ArgoCD, Clock, Fault, serving


@pytest.fixture
def argocd() -> Iterator[ArgoCD]:
    """A running server with two applications."""
    written = ArgoCD(Clock(datetime.now(UTC)), token="t")
    written.add("shop-production")
    written.add("weird")
    with serving(written):
        yield written


def findings(argocd: ArgoCD, folder: Path, **environ: str) -> dict[str, tuple[str, str]]:
    """Return how each thing that the doctor looks at is, and what was found; each is one line."""
    base = {"PHOENIX_HOME": str(folder / "home"), "PHOENIX_ARGOCD_URL": argocd.url, "PHOENIX_ARGOCD_TOKEN": "t"}
    found = examine(load_settings({**base, **environ}))
    assert all("\n" not in finding.found for finding in found)
    return {finding.subject: (finding.state, finding.found) for finding in found}


def test_a_server_that_answers_tells_its_version_and_what_the_token_shows(argocd: ArgoCD, tmp_path: Path) -> None:
    """That nothing is visible is worth a look, as is a missing token; GitHub, not configured, is not spoken of."""
    found = findings(argocd, tmp_path)
    assert found["argocd argocd"] == ("ok", "v3.2.0, 2 applications visible")
    assert "token" not in found
    assert findings(argocd, tmp_path, PHOENIX_ARGOCD_SELECTOR="team=none")["argocd argocd"] == (
        "warning",
        "v3.2.0, 0 applications visible",
    )


def test_a_clock_that_is_off_is_a_problem(argocd: ArgoCD, tmp_path: Path) -> None:
    """By minutes; seconds are not."""
    argocd.clock.now = datetime.now(UTC) + timedelta(minutes=5)
    assert findings(argocd, tmp_path)["clock of argocd argocd"][0] == "problem"
    argocd.clock.now = datetime.now(UTC)
    assert findings(argocd, tmp_path)["clock of argocd argocd"][0] == "ok"


def test_every_trouble_with_a_token_is_one_line(argocd: ArgoCD, tmp_path: Path) -> None:
    """Refused, or without the permission; metrics that do not answer are named, too."""
    state, line = findings(argocd, tmp_path, PHOENIX_ARGOCD_TOKEN="wrong")["argocd argocd"]
    assert state == "problem"
    assert "token expired or revoked" in line
    assert "wrong" not in line
    argocd.faults.append(Fault("/applications", 403, '{"code": 7, "message": "permission denied"}'))
    assert "its role needs applications, get" in findings(argocd, tmp_path)["argocd argocd"][1]
    argocd.faults.append(Fault("/metrics", 404))
    broken = findings(argocd, tmp_path, PHOENIX_ARGOCD_METRICS_URL=f"{argocd.url}/metrics")["argocd argocd"]
    assert broken[0] == "problem"
    assert "check PHOENIX_ARGOCD_METRICS_URL" in broken[1]


def test_applications_that_match_no_rule_are_listed(argocd: ArgoCD, tmp_path: Path) -> None:
    """Their environment cannot be told, so nothing would be counted where it belongs."""
    settings = load_settings(
        {"PHOENIX_HOME": str(tmp_path / "home"), "PHOENIX_ARGOCD_URL": argocd.url, "PHOENIX_ARGOCD_TOKEN": "t"}
    )
    sync_argocd(settings)
    publish_landing(settings.home)
    assert findings(argocd, tmp_path)["rules"] == ("warning", "1 applications match no rule: argocd weird")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (
            {"PHOENIX_ARGOCD_URL": "http://127.0.0.1:9"},
            "it cannot be reached; check the network and PHOENIX_ARGOCD_URL",
        ),
        (
            {"PHOENIX_ARGOCD_TOKEN": "clé"},
            "PHOENIX_ARGOCD_TOKEN: it holds line breaks or other characters that no token",
        ),
        (
            {"PHOENIX_ARGOCD_TOKEN": "a\nb"},
            "PHOENIX_ARGOCD_TOKEN: it holds line breaks or other characters that no token",
        ),
        ({"PHOENIX_ARGOCD_CA_FILE": "/nowhere.pem"}, "PHOENIX_ARGOCD_CA_FILE=/nowhere.pem: it is not a certificate"),
    ],
    ids=["network", "not ASCII", "two lines", "authority"],
)
def test_what_is_set_wrong_is_one_line_and_a_problem(
    argocd: ArgoCD, tmp_path: Path, environ: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the setting; the exit code is 1, and the other findings are there all the same."""
    found = findings(argocd, tmp_path, **environ)
    state, line = found["argocd argocd"]
    assert (state, words in line) == ("problem", True)
    assert not any(secret in line for secret in ("clé", "a\nb"))
    assert {"disk", "snapshot"} <= found.keys()
    assert show([Finding("argocd argocd", state, line)]) == 1
    assert "wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("/api/version", 200, '{"name": "another API"}'), "this is not Argo CD; check PHOENIX_ARGOCD_URL"),
        (Fault("/api/version", 200, "[]"), "this is not Argo CD; check PHOENIX_ARGOCD_URL"),
        (Fault("/api/version", 200, "<html>", "text/html"), "a login page, or the server's root path is missing"),
        (Fault("/applications", breaks_off=True), "the list of applications breaks off"),
    ],
    ids=["another API", "a list", "login page", "cut off"],
)
def test_an_answer_that_is_not_argo_cds_is_one_line(argocd: ArgoCD, tmp_path: Path, fault: Fault, words: str) -> None:
    """Rather than a traceback: a doctor is asked when something is wrong."""
    argocd.faults.append(replace(fault))
    state, line = findings(argocd, tmp_path)["argocd argocd"]
    assert (state, words in line) == ("problem", True)


def test_without_a_token_it_says_which_to_set(argocd: ArgoCD, tmp_path: Path) -> None:
    """The first finding of the server is what to do, the second what comes of it."""
    settings = load_settings({"PHOENIX_HOME": str(tmp_path / "home"), "PHOENIX_ARGOCD_URL": argocd.url})
    first, second = (one for one in examine(settings) if one.subject == "argocd argocd")
    assert (first.state, first.found) == ("warning", "no token")
    assert first.advice == "set PHOENIX_ARGOCD_TOKEN; its role needs applications, get"
    assert (second.state, "token expired or revoked" in second.found) == ("problem", True)

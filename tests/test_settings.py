"""Settings: what is accepted, what is refused in one line, and that secrets are never shown."""

import traceback
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from phoenix_metrics.alerts.delivery import targets_of
from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings import CHECKOUT, load_settings, read_settings
from phoenix_metrics.warehouse.rules import rules_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def refusal(**environ: str) -> str:
    """The one line that a wrong environment is refused with."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_everything_has_a_default() -> None:
    """An empty environment gives loopback addresses, 90 days of history and a home for the demo."""
    settings = load_settings({})
    assert (settings.bind, settings.dashboard_port, settings.exporter_port, settings.dagster_port) == (
        "127.0.0.1",
        8501,
        9469,
        3000,
    )
    assert settings.since_at(NOW) == NOW - timedelta(days=90)
    assert (settings.failure_ratio, settings.failure_min_runs, settings.failure_for) == (0.1, 20, timedelta(minutes=30))
    assert settings.home == CHECKOUT / "data" / "demo"


def test_real_data_and_the_demos_have_different_homes() -> None:
    """With something to measure the default home is data; an explicit one always wins."""
    assert load_settings({"PHOENIX_GITHUB_REPOSITORIES": "a/b"}).home == CHECKOUT / "data"
    assert load_settings({"PHOENIX_HOME": "/srv/phoenix"}).home == Path("/srv/phoenix")


def test_values_are_read_from_the_given_mapping() -> None:
    """Lists are comma-separated, a start is a date, addresses lose their last slash."""
    settings = load_settings(
        {
            "PHOENIX_GITHUB_REPOSITORIES": "acme/shop, acme/docs,",
            "PHOENIX_GITHUB_SINCE": "2019-12-01",
            "PHOENIX_GITHUB_API_URL": "https://github.example.com/api/v3/",
            "PHOENIX_FAILURE_FOR": "2h",
        }
    )
    assert settings.github_repositories == ("acme/shop", "acme/docs")
    assert settings.since_at(NOW) == datetime(2019, 12, 1, tzinfo=UTC)
    assert settings.github_api_url == "https://github.example.com/api/v3"
    assert settings.failure_for == timedelta(hours=2)


@pytest.mark.parametrize(
    ("variable", "value", "accepted"),
    [
        ("PHOENIX_GITHUB_REPOSITORIES", "acme", "owner/name"),
        ("PHOENIX_GITHUB_SINCE", "yesterday", "a date such as 2026-01-31"),
        ("PHOENIX_GITHUB_API_URL", "github", "an address such as"),
        ("PHOENIX_DASHBOARD_PORT", "99999", "65535"),
        ("PHOENIX_FAILURE_RATIO", "10", "less than 1"),
        ("PHOENIX_FAILURE_FOR", "soon", "30m"),
        ("PHOENIX_POLL_MINUTES", "7", "5"),
        (
            "PHOENIX_GITHUB_CONTEXT",
            "releases,pulls",
            "releases, pull_requests, deployments, annotations, rules, runners, billing, workflow_files, or none",
        ),
    ],
)
def test_a_wrong_value_names_the_variable_the_value_and_what_is_accepted(
    variable: str, value: str, accepted: str
) -> None:
    """One line tells what to change."""
    line = refusal(**{variable: value})
    assert line.startswith(f"{variable}={value!r}: expected")
    assert accepted in line


def test_a_secret_is_read_from_a_file_and_never_shown(tmp_path: Path) -> None:
    """Neither repr nor a traceback nor a refusal of something else shows the token."""
    file = tmp_path / "token"
    file.write_text("ghp_verysecret\n")
    settings = load_settings({"PHOENIX_GITHUB_TOKEN_FILE": str(file)})
    assert settings.github_token is not None
    assert settings.github_token.get_secret_value() == "ghp_verysecret"
    assert "verysecret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    secret = "ghp_very" + "secret"  # in two parts, because a traceback quotes this line
    try:
        load_settings({"PHOENIX_GITHUB_TOKEN": secret, "PHOENIX_DASHBOARD_PORT": "x"})
    except SettingsError:
        assert "verysecret" not in traceback.format_exc()


def test_a_missing_secret_file_is_refused() -> None:
    """The line names the variable and the path."""
    assert refusal(PHOENIX_GITHUB_TOKEN_FILE="/nowhere/token").startswith("PHOENIX_GITHUB_TOKEN_FILE=/nowhere/token:")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """phoenix.toml holds what is not set in the environment."""
    file = tmp_path / "phoenix.toml"
    file.write_text('github_repositories = ["acme/shop"]\ndashboard_port = 9000\n')
    settings = load_settings({"PHOENIX_CONFIG": str(file), "PHOENIX_DASHBOARD_PORT": "9001"})
    assert (settings.github_repositories, settings.dashboard_port) == (("acme/shop",), 9001)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dashboard_port = [", "not valid TOML"),
        ("dashboard_prot = 1", "did you mean dashboard_port?"),
        ('github_token = "ghp_verysecret"', "github_token is a secret; set PHOENIX_GITHUB_TOKEN"),
        ('dashboard_port = "x"', "dashboard_port: expected"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    """TOML that cannot be read, an unknown name, a secret or a wrong value each stop with the file's name."""
    file = tmp_path / "phoenix.toml"
    file.write_text(text)
    line = refusal(PHOENIX_CONFIG=str(file))
    assert line.startswith(str(file))
    assert words in line
    assert "verysecret" not in line


def test_a_variable_that_means_nothing_is_pointed_out() -> None:
    """A typing error in a name is not silently ignored."""
    [warning] = read_settings({"PHOENIX_GITHUB_TOKNE": "x"}).warnings
    assert "did you mean PHOENIX_GITHUB_TOKEN?" in warning


def test_where_alerts_are_told_is_a_secret(tmp_path: Path) -> None:
    """Addresses hold tokens: they are read from a file, too, never shown, and refused without being quoted."""
    file = tmp_path / "webhooks"
    file.write_text("https://a.example/s3cret, https://b.example/s3cret\n")
    environ = {"PHOENIX_ALERT_WEBHOOKS_FILE": str(file), "PHOENIX_SLACK_WEBHOOK": "https://hooks.example.com/s3cret"}
    settings = load_settings(environ)
    assert [target.url for target in targets_of(settings)] == [
        "https://hooks.example.com/s3cret",
        "https://a.example/s3cret",
        "https://b.example/s3cret",
    ]
    assert "s3cret" not in f"{settings!r} {targets_of(settings)} {[target.name for target in targets_of(settings)]}"
    for name, value in (("SLACK_WEBHOOK", "hooks/s3cret"), ("ALERT_WEBHOOKS", "https://a.example/x,s3cret")):
        with pytest.raises(SettingsError) as refusal:
            load_settings({f"PHOENIX_{name}": value})
        assert str(refusal.value).startswith(f"PHOENIX_{name}: expected")
        assert "s3cret" not in str(refusal.value)


def test_links_in_alerts_lead_to_the_dashboard() -> None:
    """Where it listens unless its public address is told."""
    assert load_settings({"PHOENIX_BIND": "0.0.0.0"}).dashboard_address == "http://127.0.0.1:8501"
    told = load_settings({"PHOENIX_DASHBOARD_URL": "https://phoenix.example.com/"})
    assert told.dashboard_address == "https://phoenix.example.com"


def test_silences_and_owners(tmp_path: Path) -> None:
    """A moment without a zone is UTC; an owner of a team that no rule makes is pointed out."""
    file = tmp_path / "phoenix.toml"
    file.write_text(
        '[[silences]]\nrule = "CICDQueue*"\nuntil = 2026-03-01T09:00:00+01:00\nreason = "known"\n'
        '[[silences]]\nsubject = "acme/*"\nuntil = 2026-03-01T09:00:00\n'
        '[teams]\nshop = ["acme/*"]\n[owners]\nshop = "<!here>"\nweb = "<@U1>"\n'
    )
    loaded = read_settings({"PHOENIX_CONFIG": str(file)})
    assert [(one.rule, one.subject, one.until.isoformat(), one.reason) for one in loaded.settings.silences] == [
        ("CICDQueue*", "*", "2026-03-01T08:00:00+00:00", "known"),
        ("*", "acme/*", "2026-03-01T09:00:00+00:00", ""),
    ]
    assert loaded.warnings == ("owners.web: [teams] has no such team, so nobody is mentioned",)
    file.write_text('[[silences]]\nuntil = "soon"\n')
    with pytest.raises(SettingsError, match=r"silences\.1\.until: expected"):
        load_settings({"PHOENIX_CONFIG": str(file)})


def test_what_goes_with_the_runs_can_be_left_out() -> None:
    """All of it by default, some of it by name, or none."""
    assert load_settings({}).github_context == (
        "releases",
        "pull_requests",
        "deployments",
        "annotations",
        "rules",
        "runners",
        "billing",
        "workflow_files",
    )
    assert load_settings({"PHOENIX_GITHUB_CONTEXT": "rules, billing"}).github_context == ("rules", "billing")
    assert load_settings({"PHOENIX_GITHUB_CONTEXT": "none"}).github_context == ()


def test_argo_cd_servers_are_one_of_variables_and_others_of_tables(tmp_path: Path) -> None:
    """Tables stand in phoenix.toml, their tokens in the environment or in files that it names."""
    (tmp_path / "token").write_text("s3cret\n")
    file = tmp_path / "phoenix.toml"
    file.write_text(
        '[argocd.us-east]\nurl = "https://us.example/"\nprojects = ["shop"]\n[argocd.eu]\nurl = "http://eu"\n'
    )
    loaded = read_settings(
        {
            "PHOENIX_CONFIG": str(file),
            "PHOENIX_ARGOCD_URL": "https://argocd.example/argo-cd/",
            "PHOENIX_ARGOCD_TOKEN": "other",
            "PHOENIX_ARGOCD_PROJECTS": "a, b",
            "PHOENIX_ARGOCD_US_EAST_TOKEN_FILE": str(tmp_path / "token"),
            "PHOENIX_ARGOCD_ASIA_TOKEN": "x",
        }
    )
    one, eu, us = loaded.settings.argocd_servers
    assert (one.name, one.url, one.projects) == ("argocd", "https://argocd.example/argo-cd", ("a", "b"))
    assert (eu.name, eu.token) == ("eu", None)
    assert (us.name, us.url, us.projects) == ("us-east", "https://us.example", ("shop",))
    assert [server.token.get_secret_value() for server in (one, us) if server.token] == ["other", "s3cret"]
    assert [server.setting("token") for server in (one, us)] == ["PHOENIX_ARGOCD_TOKEN", "PHOENIX_ARGOCD_US_EAST_TOKEN"]
    assert [server.setting("url") for server in (one, us)] == ["PHOENIX_ARGOCD_URL", "url of [argocd.us-east]"]
    assert "s3cret" not in repr(loaded)
    assert [warning.split()[0] for warning in loaded.warnings] == ["PHOENIX_ARGOCD_ASIA_TOKEN"]
    assert (loaded.settings.has_sources, loaded.settings.has_github) == (True, False)


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ('[argocd.eu]\nurl = "eu"', "argocd.eu.url: expected an address such as"),
        ('[argocd.eu]\nselector = "a=b"', "argocd.eu.url: not set"),
        (
            '[argocd.eu]\nurl = "http://eu"\nselektor = "a"',
            "argocd.eu.selektor is not a setting; did you mean selector?",
        ),
        (
            '[argocd.eu]\nurl = "http://eu"\ntoken = "s3cret"',
            "token of [argocd.eu] is a secret; set PHOENIX_ARGOCD_EU_TOKEN",
        ),
        ('[argocd]\nurl = "http://eu"', "argocd.url: expected a table [argocd.NAME]"),
        (
            '[argocd.a-b]\nurl = "http://a"\n[argocd.a_b]\nurl = "http://b"',
            "[argocd.a_b]: another server has that name",
        ),
        ('argocd_url = "http://a"\n[argocd.argocd]\nurl = "http://b"', "[argocd.argocd]: another server has that name"),
        ('[argocd."a b"]\nurl = "http://a"', "[argocd.a b]: expected a name of letters"),
        ("argocd = 3", "argocd: expected"),
        ('[[runners]]\nmatch = "arc-*"', "runners.1.sku: not set"),
        ('[[runners]]\nmatch = "arc-[ab]"\nsku = "arc"', "runners.1.match: expected a glob of * and ?"),
        ('[[runners]]\nmatch = "arc-*"\nsku = "Our box"', "runners.1.sku: expected a name of small letters"),
        ('[[runners]]\nmatch = "a"\nsku = "a"\nprice = 1', "runners.1.price is not a setting"),
        ('[[prices]]\nsku = "linux"\nusd_per_minute = -1', "prices.1.usd_per_minute: expected an amount of US dollars"),
        ('[[prices]]\nsku = "linux"\nusd_per_minute = "1"', "prices.1.usd_per_minute: expected an amount"),
        ('[[prices]]\nsku = "a"\nusd_per_minute = 1\nvalid_from = "soon"', "prices.1.valid_from: expected"),
        ("[budgets]\ntotal = true", "budgets.total: expected an amount of US dollars, such as 0.008"),
        ("[budgets]\nteam = { web = 1 }", "budgets.team is not a setting; did you mean teams?"),
        ('[[schedules]]\nworkflow = "Nightly"', "schedules.1.cron: not set"),
        ('[[schedules]]\nworkflow = "Nightly"\ncron = "0 2 * *"', "schedules.1.cron.1: expected five fields such as"),
        (
            '[[schedules]]\nworkflow = "Nightly"\ncron = ["0 2 * * *", "61 2 * * *"]',
            "schedules.1.cron.2: expected five",
        ),
        ('[[schedules]]\nworkflow = "Nightly"\ncron = "@daily"', "schedules.1.cron.1: expected five fields such as"),
        (
            '[[schedules]]\nworkflow = "Nightly"\ncron = "*/4 * * * *"',
            "schedules.1.cron.1: expected at least 5 minutes",
        ),
        ('[[schedules]]\nworkflow = "Nightly"\ncron = []', "schedules.1.cron: expected"),
        (
            '[[schedules]]\nworkflow = "N"\ncron = "0 2 * * *"\ntimezone = "Berlin"',
            "schedules.1.timezone: expected a time zone such as UTC or Europe/Berlin",
        ),
        (
            '[[schedules]]\nworkflow = "N"\ncron = "0 2 * * *"\nlate_minute = 3',
            "schedules.1.late_minute is not a setting; did you mean late_minutes?",
        ),
    ],
)
def test_a_wrong_table_is_one_line_that_names_it(tmp_path: Path, toml: str, line: str) -> None:
    """It names the file, the table and the key, never a secret."""
    file = tmp_path / "phoenix.toml"
    file.write_text(toml)
    told = refusal(PHOENIX_CONFIG=str(file))
    assert told.startswith(f"{file}: {line}")
    assert "s3cret" not in told


def test_runners_prices_and_budgets_become_rules(tmp_path: Path) -> None:
    """A glob becomes a pattern over one label that takes its signs literally; amounts stay as they are written."""
    file = tmp_path / "phoenix.toml"
    file.write_text(
        '[[runners]]\nmatch = "ARC.*-?"\nsku = "arc"\nusd_per_minute = 0.0011\nvalid_from = 2026-02-01\n'
        '[[runners]]\nmatch = "box"\nsku = "self_hosted"\n'
        '[[prices]]\nsku = "linux"\nusd_per_minute = 0.005\n'
        '[budgets]\ntotal = 100\nteams = { web = 12.5 }\nrepositories = { "acme/web_*" = 7 }\n'
    )
    rules = rules_of(load_settings({"PHOENIX_CONFIG": str(file)}))
    assert list(rules.own_runners) == [
        (1, "ARC.*-?", r"arc\.[^,]*\-[^,]", "arc", Decimal("0.0011"), date(2026, 2, 1)),
        (2, "box", "box", "self_hosted", None, None),
    ]
    assert list(rules.own_prices) == [("linux", Decimal("0.005"), None)]
    assert list(rules.spending_limits) == [
        ("total", "total", "%", Decimal(100)),
        ("team", "web", "web", Decimal("12.5")),
        ("repository", "acme/web_*", "acme/web_%", Decimal(7)),
    ]


def test_schedules_become_rows_of_their_seed(tmp_path: Path) -> None:
    """Each expression is a row; what is left out has its default."""
    file = tmp_path / "phoenix.toml"
    file.write_text(
        '[[schedules]]\nworkflow = "nightly.yml"\ncron = "0  2 * * *"\n'
        '[[schedules]]\nworkflow = "Scan"\ncron = ["5,35 6-18 * * MON-FRI", "*/5 0 1 JAN *"]\n'
        'repository = "acme/*"\ntimezone = "Europe/Berlin"\nlate_minutes = 10\n'
    )
    assert rules_of(load_settings({"PHOENIX_CONFIG": str(file)})).schedules == [
        ("%", "nightly.yml", "0 2 * * *", "UTC", 30),
        ("acme/%", "Scan", "5,35 6-18 * * MON-FRI", "Europe/Berlin", 10),
        ("acme/%", "Scan", "*/5 0 1 JAN *", "Europe/Berlin", 10),
    ]


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    """Whatever its type: an empty path is not the current folder."""
    names = ("GITHUB_TOKEN", "ARGOCD_URL", "ARGOCD_CA_FILE", "ARGOCD_SELECTOR", "HOME", "POLL_MINUTES")
    empty = load_settings({f"PHOENIX_{name}": "" for name in names})
    assert empty.model_dump() == load_settings({}).model_dump()

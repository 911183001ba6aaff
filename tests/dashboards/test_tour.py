"""The walk through the pages: on the demo organisation, and nowhere else."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboards.conftest import APP, PAGES

Visit = Callable[..., AppTest]


def walk(app: AppTest) -> list[str]:
    """Return where the steps of the walk lead, in order."""
    lists = [part.proto.body for part in app.get("html") if 'class="tour"' in part.proto.body]
    return [link.attrib["href"] for one in lists for link in ElementTree.fromstring(one).iter("a")]


def test_the_demo_is_walked_page_by_page(visit: Visit, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the demo organisation is measured, each page is a step of the walk, in the order of the navigation.

    The overview is reached without a name: by one Streamlit says that there is no such page.
    """
    assert walk(visit(home)) == []
    monkeypatch.setenv("PHOENIX_DEMO_PORT", "8991")
    monkeypatch.setenv("PHOENIX_GITHUB_API_URL", "http://127.0.0.1:8991")
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not app.exception
    assert walk(app) == [".", *PAGES[1:]]


def test_another_server_is_no_demo(visit: Visit, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GitHub Enterprise Server on this machine is nobody's demo."""
    visit(home)
    monkeypatch.setenv("PHOENIX_GITHUB_API_URL", "http://127.0.0.1:3000")
    assert walk(AppTest.from_file(str(APP), default_timeout=60).run()) == []

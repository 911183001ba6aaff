"""The whole recording of apache/ozone, collected once for the tests that ask it."""

from collections.abc import Iterator

import pytest

from phoenix_metrics.defs.polling import sync_github
from tests.conftest import publish_landing
from tests.recorded.test_ozone import RECORDING, Collected, control, replaying, settings_for


@pytest.fixture(scope="package")
def ozone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    """Three years of apache/ozone, collected and published, with their server still there."""
    with replaying(RECORDING) as url:
        settings = settings_for(url, tmp_path_factory.mktemp("ozone") / "home")
        assert [done.state for done in sync_github(settings)] == ["ok"]
        request_count = int(str(control(url, "GET")["total"]))
        publish_landing(settings.home)
        yield Collected(url, settings, request_count)

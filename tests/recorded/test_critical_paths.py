"""Critical paths of three recorded years, most of them from before GitHub told when jobs were created."""

from pathlib import Path

import pytest

from phoenix_metrics.warehouse.store import writing
from tests.recorded.landed import RECORDINGS, build, land_ozone

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings in ../shared are not here")

QUERY = """
    with paths as (
        select run_id, count(*) as job_count, sum(unexplained_seconds) as unexplained_seconds,
            sum(execution_seconds + queue_seconds + handover_seconds + unexplained_seconds) as seconds
        from marts.critical_path_jobs group by run_id
    ),
    known as (select distinct run_id from marts.jobs where created_at is not null)
    select known.run_id is not null as is_known, count(*) as run_count, max(job_count) as job_count,
        count(*) filter (where abs(paths.seconds - runs.duration_seconds) > 0.000001) as broken_count,
        round(sum(paths.unexplained_seconds) / sum(paths.seconds), 4) as unexplained_ratio
    from paths
    inner join marts.workflow_runs as runs on runs.run_id = paths.run_id
    left join known on known.run_id = paths.run_id
    group by all order by is_known
"""


def test_parts_sum_to_each_duration_and_say_what_they_do_not_know(tmp_path: Path) -> None:
    """Where no creation is known the path is the last job alone, and all before it is unexplained."""
    land_ozone(tmp_path)
    with writing(tmp_path) as connection:
        build(connection, tmp_path, ["marts.critical_path_jobs", "marts.workflow_runs"])
        found = connection.execute(QUERY).fetchall()
    assert found == [(False, 4078, 1, 0, 0.5668), (True, 184, 4, 0, 0.0027)]

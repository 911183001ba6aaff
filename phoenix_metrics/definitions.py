"""The composition root: loads defs/ and sets what applies to everything."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Return all assets, checks, jobs and schedules, run one after the other in the run's own process."""
    everywhere = dg.Definitions(executor=dg.in_process_executor)
    return dg.Definitions.merge(dg.load_from_defs_folder(path_within_project=Path(__file__).parent), everywhere)

"""What the overview asks beside runs."""

import pandas as pd

from dashboards.data import ask


def failing_workflows(ratio: float, min_runs: int) -> pd.DataFrame:
    """Return workflows whose failure ratio over the last hour or day is above a ratio, worst first."""
    return ask(
        """
        select repository, workflow, time_window, run_count, failure_count, failure_ratio
        from marts.workflow_windows
        where time_window in ('1h', '24h') and run_count >= $min_runs and failure_ratio > $ratio
        order by failure_ratio desc, run_count desc
        """,
        {"ratio": ratio, "min_runs": min_runs},
    )

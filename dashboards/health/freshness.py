"""How fresh sources are as the page is drawn: the mart says so as of the newest pass, which may be long ago itself."""

from datetime import UTC, datetime

import pandas as pd


def silent_now(freshness: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Return freshness as of now, longest silent first: what was fresh at the newest pass has aged since."""
    naive = pd.Timestamp(now.astimezone(UTC).replace(tzinfo=None))
    waited = (naive - freshness["last_success_at"]).dt.total_seconds() - freshness["pause_seconds"]
    silent = waited.clip(lower=0)
    return freshness.assign(
        silent_seconds=silent, is_stale=freshness["is_stale"] | (silent > freshness["limit_seconds"])
    ).sort_values("silent_seconds", ascending=False, na_position="first", kind="stable", ignore_index=True)

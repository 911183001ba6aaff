"""What to do about what is late, missing or cannot be told."""

DOCTOR = "`phoenix doctor` says what is wrong"

STATES = {  # of a source's newest pass
    "partial": "nothing, if the next passes get further; else fewer requests are needed (`PHOENIX_GITHUB_DETAIL`) or a "
    "GitHub App, which has a budget of its own",
    "failed": f"{DOCTOR}; the next pass tries again",
    "no_access": "grant the token what `phoenix doctor` names, or leave it out of what is measured",
    "unavailable": "check the name, and whether the token may see it; else take it out of the settings",
    "gone": "take it out of the settings; what is stored of it stays",
    "blocked": "nothing can be done here: GitHub blocks it for legal reasons",
    "set_aside": "keep it: it lies in `landing-set-aside/`, and moved back to `landing/` it is loaded again",
    "not_seen": "nothing, if it was deleted; else check the selector, the projects and the token's role",
    "no_environment": "label the application with its environment, or add a rule to `[[applications]]` in phoenix.toml",
}
GAP = "grant the permission that `phoenix doctor` names, or leave it out with `PHOENIX_GITHUB_CONTEXT`"
WORKFLOW_FILE = "correct the workflow file, or say its schedule in `[[schedules]]`"
COST = "the table “Jobs without a price” says why, and what gives them one"
MISSING = "`phoenix sync` again; `phoenix backfill --since` reaches further back"
LOST = "what Argo CD has forgotten stays lost; `phoenix watch` and its notifications keep it from happening again"

UNPRICED = {  # why a job has no price
    "unknown_label": "name the runner in `[[runners]]`",
    "no_price": "set its price in `[[prices]]`, or `usd_per_minute` in `[[runners]]`",
    "labels_not_read": "read jobs in full: `PHOENIX_GITHUB_DETAIL=full`",
    "no_labels": "name the runner's group in `[[runners]]`",
    "unknown_duration": "nothing: the job's times contradict each other",
    "unknown_visibility": "nothing, if the next pass reads the repository",
}
LEAD_TIME = {  # why a new version has no lead time
    "no_commit": "tag images with the commit that they were built from",
    "unknown_commit": "measure the repository that builds it, or reach further back",
    "ambiguous_commit": "use longer commit ids in tags",
    "no_time": "nothing, if the commit's run is read by the next pass",
    "wrong_order": "check the clocks of the build machines and of Argo CD",
}
UNCLASSIFIED = "a rule in `[[failure_rules]]` of phoenix.toml explains them; `marts.job_failures` has their evidence"


def of_row(source: str, state: str) -> str:
    """Return what to do about a row of data_health that is not as it should be."""
    if source == "cost":
        return COST
    if source == "github_workflow_file":
        return WORKFLOW_FILE
    if source.startswith("github_"):
        return GAP if state in ("no_access", "unavailable") else STATES.get(state, DOCTOR)  # a 404 may mean either
    if source in ("argocd_application", "argocd_audit") and state == "partial":
        return LOST
    return STATES.get(state, DOCTOR)

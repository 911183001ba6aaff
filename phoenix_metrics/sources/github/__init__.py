"""GitHub Actions: repositories, workflows, runs with all their attempts, jobs with their steps."""

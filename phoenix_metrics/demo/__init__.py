"""The Phoenix demo organisation: a simulated team on GitHub Actions, met over HTTP only."""

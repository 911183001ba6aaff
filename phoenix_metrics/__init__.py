"""CI/CD analytics for teams on GitHub Actions and Argo CD."""

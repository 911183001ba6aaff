"""The dashboard: pages over the published snapshot."""

"""Landing files, the one store, its models and the snapshots that readers open."""

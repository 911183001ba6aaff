"""The asset graph: the only code that knows Dagster."""

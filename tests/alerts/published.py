"""What is in landing of alerts, as a snapshot: only their own tables, since nothing else is asked."""

from pathlib import Path

from phoenix_metrics.warehouse.marts import build_mart, load_seeds
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.snapshot import publish
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing


def publish_alerts(home: Path) -> None:
    """Load what is in landing and publish marts.alerts and marts.alert_deliveries."""
    models = load_models()
    with writing(home) as connection:
        load_seeds(connection)
        load_landing(connection, home, models)
        for table in ("marts.alerts", "marts.alert_deliveries"):
            build_mart(connection, models[table], models)
        publish(connection, home)

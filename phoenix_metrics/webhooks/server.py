"""`phoenix webhooks`: the receiver as a service."""

import uvicorn

from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings import Settings
from phoenix_metrics.webhooks.receiver import receiver
from phoenix_metrics.webhooks.spool import Spool


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError without a secret: unsigned deliveries would be believed."""
    if settings.webhook_secret is None:
        raise SettingsError(
            "PHOENIX_WEBHOOK_SECRET: not set; set it, or PHOENIX_WEBHOOK_SECRET_FILE, to the secret of the webhook"
        )
    spool = Spool(settings.home)
    try:
        uvicorn.run(
            receiver(spool, settings.webhook_secret.get_secret_value()),
            host=settings.bind,
            port=settings.webhook_port,
            log_level="warning",
            access_log=False,
        )
    finally:
        spool.close()

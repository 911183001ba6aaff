"""`phoenix webhooks`: the receiver as a service."""

import uvicorn
from pydantic import SecretStr

from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings import Settings
from phoenix_metrics.webhooks.receiver import receiver
from phoenix_metrics.webhooks.spool import Spool


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError without a secret: anybody's deliveries would be believed."""
    github, argocd = _told(settings.webhook_secret), _told(settings.argocd_webhook_secret)
    if not (github or argocd):
        raise SettingsError(
            "PHOENIX_WEBHOOK_SECRET: not set; set it, or PHOENIX_WEBHOOK_SECRET_FILE, to the secret of GitHub's "
            "webhook, or PHOENIX_ARGOCD_WEBHOOK_SECRET to that of Argo CD's notifications"
        )
    spool = Spool(settings.home)
    try:
        uvicorn.run(
            receiver(spool, github, argocd, {server.name for server in settings.argocd_servers}),
            host=settings.bind,
            port=settings.webhook_port,
            log_level="warning",
            access_log=False,
        )
    finally:
        spool.close()


def _told(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None

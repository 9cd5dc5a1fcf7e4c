"""JSON webhooks as groups: systems post what they have to say, and are posted to."""

from adapters.web.hook.adapter import WebhookAdapter

__all__ = ["WebhookAdapter"]

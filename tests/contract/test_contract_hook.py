"""Webhooks keep the contract: of systems that speak the bridge's format, and of others."""

from pathlib import Path

from lab_hook import HookLab

from adapters.web.hook import WebhookAdapter
from bridge.testing import Contract


class TestHook(Contract):
    kind = "webhook"
    adapter = WebhookAdapter
    way = "in the bridge's format"
    catches_up = False
    notices = False

    @staticmethod
    def make_lab(directory: Path) -> HookLab:
        return HookLab(directory, template=False)


class TestHookWithTemplate(Contract):
    kind = "webhook"
    adapter = WebhookAdapter
    way = "by template"
    catches_up = False
    notices = False

    @staticmethod
    def make_lab(directory: Path) -> HookLab:
        return HookLab(directory, template=True)

"""Mailing lists keep the contract, on real servers."""

import os
from pathlib import Path

import pytest
from lab_mail import MailLab

from adapters.mail import MailAdapter
from bridge.testing import Contract


@pytest.mark.skipif(os.geteuid() != 0, reason="Dovecot and Postfix run as root only, as used here")
class TestMail(Contract):
    kind = "mail"
    adapter = MailAdapter
    knows_groups = False

    @staticmethod
    def make_lab(directory: Path) -> MailLab:
        return MailLab(directory)

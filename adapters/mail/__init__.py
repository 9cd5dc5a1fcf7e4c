"""Mailing lists, each by the mailbox that is subscribed to it, as groups."""

from adapters.mail.adapter import MailAdapter

__all__ = ["MailAdapter"]

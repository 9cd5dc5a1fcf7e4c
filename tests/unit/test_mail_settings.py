"""The keys of a mail network: what is wrong is told, and nothing crosses a network in the clear."""

import pytest
from pydantic import ValidationError

from adapters.mail import MailAdapter
from adapters.mail.settings import MailSettings, Tls

SOUND = {
    "address": "consilium@hospital.test",
    "password": "secret-of-the-mailbox",
    "imap_host": "imap.hospital.test",
    "smtp_host": "smtp.hospital.test",
}


def chosen(**more: object) -> MailSettings:
    return MailSettings.model_validate({**SOUND, **more})


def test_without_further_words_everything_is_encrypted() -> None:
    settings = chosen()

    assert (settings.imap_tls, settings.smtp_tls) == (Tls.IMPLICIT, Tls.IMPLICIT)
    assert (settings.imap_at, settings.smtp_at) == (993, 465)
    assert settings.login == "consilium@hospital.test"
    assert "secret-of" not in repr(settings)


@pytest.mark.parametrize(
    ("tls", "imap", "smtp"), [("starttls", 143, 587), ("implicit", 993, 465), (False, 143, 25)]
)
def test_the_ports_follow_the_encryption(tls: object, imap: int, smtp: int) -> None:
    settings = chosen(imap_tls=tls, smtp_tls=tls, imap_host="localhost", smtp_host="127.0.0.1")

    assert (settings.imap_at, settings.smtp_at) == (imap, smtp)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"imap_tls": "off"}, "unencrypted"),
        ({"smtp_tls": False}, "unencrypted"),
        ({"address": "consilium"}, "looks like"),
        ({"address": "a@b.test\r\nBcc: x@y.test"}, "looks like"),
        ({"other_bridges": ["x"]}, "looks like"),
        ({"via": "a\nb"}, "control characters"),
        ({"ca": "/nowhere/at/all.pem"}, "can't be read"),
        ({"password": ""}, "empty"),
        ({"per_minute": 0}, "greater than"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_is_wrong_is_told(more: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        chosen(**more)

    assert told in str(caught.value)
    assert "secret-of" not in str(caught.value)


@pytest.mark.parametrize(
    ("spelled", "group"),
    [
        ("ward@lists.test", "ward@lists.test"),
        (" Ward@Lists.TEST ", "ward@lists.test"),
        ("mailto:ward@lists.test?subject=x", "ward@lists.test"),
        ("Ward 5 <ward@lists.test>", "ward@lists.test"),
        ("station@münchen.test", "station@xn--mnchen-3ya.test"),
        ("ward+old@lists.test.", "ward+old@lists.test"),
    ],
)
def test_a_list_has_one_spelling(spelled: str, group: str) -> None:
    assert MailAdapter.normalise(spelled) == group
    assert MailAdapter.normalise(group) == group


@pytest.mark.parametrize("wrong", ["", "ward", "ward@", "@lists.test", "a b@c.test", "ward@a..b"])
def test_what_is_no_list_is_told_how_one_looks(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"ward@lists\.example\.org"):
        MailAdapter.normalise(wrong)

"""The keys of an XMPP network, and what is said of wrong ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.xmpp import XmppAdapter
from adapters.xmpp.settings import Mode, Tls, XmppSettings, is_loopback

COMPONENT = {"mode": "component", "jid": "consilium.example.org", "secret": "s3cret"}
ACCOUNT = {"mode": "account", "jid": "bot@example.org", "password": "s3cret"}


def problems(**keys: object) -> dict[tuple[object, ...], str]:
    with pytest.raises(ValidationError) as caught:
        XmppSettings.model_validate(keys)
    assert "s3cret" not in str(caught.value)
    return {each["loc"]: f"{each['type']}: {each['msg']}" for each in caught.value.errors()}


def test_the_least_that_is_needed() -> None:
    component = XmppSettings.model_validate(COMPONENT)
    account = XmppSettings.model_validate(ACCOUNT)
    assert (component.mode, component.key) == (Mode.COMPONENT, "s3cret")
    assert (account.mode, account.key, account.tls) == (Mode.ACCOUNT, "s3cret", Tls.REQUIRED)
    assert "s3cret" not in repr(component) + repr(account)


@pytest.mark.parametrize("base", [COMPONENT, ACCOUNT])
def test_a_missing_secret_is_named(base: dict[str, str]) -> None:
    keys = {key: value for key, value in base.items() if key not in {"secret", "password"}}
    wanted = "secret" if base is COMPONENT else "password"
    assert problems(**keys)[(wanted,)].startswith("missing")


def test_unknown_keys_are_refused() -> None:
    assert ("pasword",) in problems(**ACCOUNT, pasword="x")


@pytest.mark.parametrize(
    ("base", "more", "key"),
    [
        (COMPONENT, {"password": "x"}, "password"),
        (COMPONENT, {"tls": "off"}, "tls"),
        (COMPONENT, {"jid": "bot@example.org"}, "jid"),
        (ACCOUNT, {"secret": "x"}, "secret"),
        (ACCOUNT, {"jid": "example.org"}, "jid"),
        (ACCOUNT, {"jid": "bot@example.org/home"}, "jid"),
        (ACCOUNT, {"jid": "not a jid@"}, "jid"),
        (ACCOUNT, {"port": 5222}, "host"),
        (ACCOUNT, {"ca": "/nowhere.pem"}, "ca"),
        (ACCOUNT, {"ca": __file__}, "ca"),
        (ACCOUNT, {"ca": "/"}, "ca"),
        (ACCOUNT, {"tls": "maybe"}, "tls"),
        (COMPONENT, {"port": 0}, "port"),
        (COMPONENT, {"nick": ""}, "nick"),
    ],
)
def test_what_does_not_fit_is_told_at_its_key(
    base: dict[str, str], more: dict[str, object], key: str
) -> None:
    assert list(problems(**{**base, **more})) == [(key,)]


@pytest.mark.parametrize("off", ["off", False])
def test_encryption_may_be_off_only_on_this_machine(off: object) -> None:
    for host in ("localhost", "127.0.0.1", "::1", "xmpp.localhost"):
        assert XmppSettings.model_validate({**ACCOUNT, "host": host, "tls": off}).tls is Tls.OFF
    for host in ("example.org", "10.0.0.1", "localhost.example.org"):
        told = problems(**ACCOUNT, host=host, tls=off)
        assert "unencrypted" in told[("tls",)]
    assert ("tls",) in problems(**ACCOUNT, tls=off)


def test_no_host_is_not_this_machine() -> None:
    assert not is_loopback(None)


@pytest.mark.parametrize(
    ("group", "normal"),
    [
        ("Ward@MUC.Example.org", "ward@muc.example.org"),
        ("  ward@muc.example.org ", "ward@muc.example.org"),
        ("xmpp:ward@muc.example.org?join", "ward@muc.example.org"),
        ("Straße@muc.example.org", "strasse@muc.example.org"),
    ],
)
def test_a_room_has_one_spelling(group: str, normal: str) -> None:
    assert XmppAdapter.normalise(group) == normal
    assert XmppAdapter.normalise(normal) == normal


@pytest.mark.parametrize(
    "group", ["", "muc.example.org", "ward@", "@muc.example.org", "a b@muc.example.org", "a@b@c"]
)
def test_what_is_no_room_is_told_how_one_looks(group: str) -> None:
    with pytest.raises(ValueError, match=r"name@conference\.example\.org"):
        XmppAdapter.normalise(group)


def test_an_occupant_is_no_room() -> None:
    with pytest.raises(ValueError, match=r"ward@muc\.example\.org"):
        XmppAdapter.normalise("ward@muc.example.org/Cora")


@given(st.text(max_size=50))
def test_any_text_that_is_a_room_has_one_spelling(group: str) -> None:
    try:
        normal = XmppAdapter.normalise(group)
    except ValueError:
        return
    assert XmppAdapter.normalise(normal) == normal

"""Signatures, templates and limits, against whatever anyone may send."""

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from adapters.web.hook.adapter import WebhookAdapter
from adapters.web.hook.limit import Limit
from adapters.web.hook.settings import WebhookSettings
from adapters.web.hook.signature import UnprovenError, key_of, sign, signed_headers, verify
from adapters.web.hook.template import Template, UnusableError
from adapters.web.waiting import LONGEST_WAIT, retry_after

KEY = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
SECRET = "a-secret-of-the-tests"


def test_signatures_are_those_of_standard_webhooks() -> None:
    # The example that the libraries of Standard Webhooks are tested with
    ident, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(KEY, ident, 1614265330, body) == expected


IDENTS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=40)


@given(st.binary(max_size=200), IDENTS, st.integers(0, 2**40))
def test_what_is_signed_is_proven(body: bytes, ident: str, timestamp: int) -> None:
    headers = CIMultiDict(signed_headers(KEY, ident, timestamp, body))
    assert verify(KEY, headers, body, timestamp + 299) == ident
    headers["webhook-signature"] = f"v1,AAAA v2,x {headers['webhook-signature']}"
    assert verify(KEY, headers, body, timestamp) == ident


@given(
    st.binary(max_size=50),
    st.binary(max_size=50),
    IDENTS,
    st.text(max_size=60),
    st.text(max_size=9),
)
def test_nothing_else_is(
    body: bytes, other: bytes, ident: str, signature: str, timestamp: str
) -> None:
    good = signed_headers(KEY, ident, 1_000, body)
    variants = [
        ({**good, "webhook-signature": signature}, body),
        ({**good, "webhook-id": ident + "x"}, body),
        ({**good, "webhook-id": f"{ident}.1"}, body),
        ({**good, "webhook-timestamp": "1001"}, body),
        (good, body + b" "),
        (good, other + b"x" + body),
    ]
    if timestamp != "1000":
        variants.append(({**good, "webhook-timestamp": timestamp}, body))
    for headers, sent in variants:
        with pytest.raises(UnprovenError):
            verify(KEY, headers, sent, 1_000)
    with pytest.raises(UnprovenError):
        verify(KEY + b"x", good, body, 1_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "items", "__class__"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
@settings(deadline=None)
def test_a_template_takes_any_payload(payload: object) -> None:
    for source in (
        "{{ payload.a.b.items }}",
        "{% for each in payload.a %}{{ each.b|default('-') }}{% endfor %}",
        "{{ payload.a|join(', ') }}{{ payload.b|round }}",
        "{{ payload['__class__'] }}{{ payload.items }}",
    ):
        try:
            text = Template(source).fill(payload)
        except UnusableError:
            continue
        assert "<class" not in text
        assert "<built-in" not in text


@given(JSON)
def test_what_a_payload_says_is_never_a_template(payload: object) -> None:
    wrapped = {"a": "{{ payload.b }}{% raw %}", "b": payload}
    assert Template("{{ payload.a }}").fill(wrapped) == "{{ payload.b }}{% raw %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ payload.s.upper() }}",
        "{{ payload.s * 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ ''.__class__.__mro__ }}x",
        "{{ payload.__init__.__globals__ }}x",
        "{{ range(1000000000)|list }}",
        "{{ cycler('a') }}",
    ],
)
def test_a_template_calls_nothing_and_does_not_multiply(source: str) -> None:
    try:
        text = Template(source).fill({"s": "text"})
    except UnusableError:
        return
    assert text == "x"


def test_a_text_is_never_too_long() -> None:
    source = "{% for a in payload %}{% for b in payload %}{{ a }}{% endfor %}{% endfor %}"
    assert len(Template(source).fill(["word"] * 2_000)) == 100_000


@pytest.mark.parametrize("source", ["{{ payload.", "{% for %}", "{{ payload|center(9) }}", "{%"])
def test_a_template_that_cannot_be_read_is_told_at_the_start(source: str) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        WebhookSettings.model_validate({"hooks": {"lab": {"secret": SECRET, "text": source}}})


@pytest.mark.parametrize(
    ("hook", "sentence"),
    [
        ({}, "needs a secret"),
        ({"secret": "short"}, "can be guessed"),
        ({"secret": "whsec_AAAAAAAAAAAA"}, "can be guessed"),
        ({"secret": "whsec_!!!!!!!!!!!!!!!!"}, "not base64"),
        ({"url": "https://lab.example/"}, "belong together"),
        ({"secret": SECRET, "author": "x"}, "write text as well"),
        ({"url": "ftp://lab.example/", "url_secret": SECRET}, "pattern"),
    ],
)
def test_a_hook_that_cannot_work_is_told_at_the_start(hook: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WebhookSettings.model_validate({"hooks": {"lab": hook}})


def test_names_of_hooks() -> None:
    assert WebhookAdapter.normalise(" Lab_2 ") == "lab_2"
    for wrong in ("", "a b", "../x", "-lab", "ä", "a" * 62):
        with pytest.raises(ValueError, match="is no hook"):
            WebhookAdapter.normalise(wrong)


@given(st.integers(1, 600), st.lists(st.floats(0, 30), max_size=50))
def test_a_limit_lets_no_more_through_than_it_says(per_minute: int, pauses: list[float]) -> None:
    now = [0.0]
    limit = Limit(per_minute, lambda: now[0])
    passed = 0
    for pause in pauses:
        now[0] += pause
        wait = limit.take()
        if not wait:
            passed += 1
            continue
        now[0] += wait + 1e-6
        assert limit.take() == 0
        passed += 1
    assert passed <= per_minute + now[0] * per_minute / 60 + 1


@given(st.text(max_size=30) | st.floats().map(str))
def test_a_wait_can_always_be_kept(written: str) -> None:
    found = retry_after({"Retry-After": written})
    assert found is None or 0 <= found <= LONGEST_WAIT


def test_waits_are_read_as_seconds_and_as_dates() -> None:
    assert retry_after({"Retry-After": " 7 "}) == 7
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after(web.Response().headers) is None

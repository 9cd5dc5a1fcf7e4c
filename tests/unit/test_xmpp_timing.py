"""Attempts are repeated at once, then ever more slowly, and never in a spin."""

from dataclasses import replace

from adapters.xmpp.timing import DEFAULT, Backoff


def test_the_first_attempt_follows_at_once_and_later_ones_ever_more_slowly() -> None:
    backoff = Backoff(DEFAULT)
    delays = [backoff.next() for _ in range(12)]
    assert delays[0] == 0
    assert 0.5 <= delays[1] <= 1
    assert all(15 <= delay <= 60 for delay in delays[7:])


def test_what_was_put_out_waits_even_the_first_time() -> None:
    assert Backoff(DEFAULT).next(at_once=False) >= 0.5


def test_a_success_that_did_not_last_counts_as_a_failure() -> None:
    backoff = Backoff(DEFAULT)
    delays = []
    for _ in range(6):
        backoff.succeeded()
        delays.append(backoff.next())
    assert delays[5] >= 8


def test_a_success_that_lasted_starts_it_afresh() -> None:
    backoff = Backoff(replace(DEFAULT, steady=0.0))
    for _ in range(6):
        backoff.next()
    backoff.succeeded()
    assert backoff.next() == 0


def test_many_failures_do_not_overflow() -> None:
    backoff = Backoff(DEFAULT)
    assert max(backoff.next() for _ in range(5000)) <= 60

"""A transaction that the homeserver has left behind is noticed, and asked for only once."""

import pytest

from bridge.matrix.transaction_numbers import TransactionNumbers


def taken(*txn_ids: str) -> TransactionNumbers:
    numbers = TransactionNumbers()
    for txn_id in txn_ids:
        assert not numbers.skips(txn_id)
        numbers.took(txn_id)
    return numbers


def test_numbers_without_a_gap_are_taken() -> None:
    taken("41", "42", "43", "43", "42", "44")


def test_the_first_may_have_any_number() -> None:
    taken("17", "18")


def test_what_comes_after_a_gap_has_to_wait_for_what_is_missing() -> None:
    numbers = taken("41")
    assert numbers.skips("43")
    for txn_id in ("42", "43", "44"):
        assert not numbers.skips(txn_id)
        numbers.took(txn_id)
    assert numbers.skips("46")


def test_a_gap_that_is_not_filled_is_the_last_that_is_believed_in() -> None:
    numbers = taken("41")
    assert numbers.skips("43")
    assert not numbers.skips("43")
    numbers.took("43")
    assert not numbers.skips("50")


def test_one_that_was_not_taken_over_leaves_no_gap_when_it_is_repeated() -> None:
    numbers = taken("41")
    assert not numbers.skips("42")  # and the database fails
    assert not numbers.skips("42")


@pytest.mark.parametrize("others", [("a", "c"), ("1795558420468", "1795558420999"), ("1", "٣")])
def test_ids_that_are_no_counts_are_all_taken(others: tuple[str, str]) -> None:
    taken(*others)

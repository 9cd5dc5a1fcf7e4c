"""Signed JSON, identities and recovery keys, as other implementations have them."""

import json
from typing import Any

import pytest
import vodozemac
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.encryption.cross_signing import CrossSigning
from bridge.matrix.encryption.key_file import parse_key
from bridge.matrix.encryption.recovery_key import RecoveryKey
from bridge.matrix.encryption.signing import (
    SigningKey,
    canonical,
    from_unpadded,
    is_signed_by,
    with_signature,
)
from bridge.matrix.encryption.vault import Vault, WrongKeyError

ANNA = "@anna:hospital.test"
RECOVERY = RecoveryKey(bytes(range(32)))
SEED = bytes(range(1, 33))


def test_a_signature_is_one_that_vodozemac_accepts() -> None:
    key = SigningKey(SEED)
    signed = {"b": 1, "a": {"ü": [None, True]}, "unsigned": {"age": 1}}
    public = vodozemac.Ed25519PublicKey.from_base64(key.public)
    signature = vodozemac.Ed25519Signature.from_base64(key.sign(signed))
    public.verify_signature('{"a":{"ü":[null,true]},"b":1}'.encode(), signature)


# https://spec.matrix.org/v1.19/appendices/#cryptographic-test-vectors
def test_it_signs_as_the_specification_has_it() -> None:
    seed = from_unpadded("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    assert SigningKey(seed).sign({}) == (
        "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"
    )
    assert SigningKey(seed).sign({"one": 1, "two": "Two"}) == (
        "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"
    )


def test_who_has_not_signed_is_not_believed() -> None:
    key, other = SigningKey(SEED), SigningKey(bytes(32))
    signed = with_signature({"a": 1}, ANNA, "DEV", key.sign({"a": 1}))
    assert is_signed_by(signed, ANNA, "DEV", key.public)
    assert not is_signed_by(signed, ANNA, "DEV", other.public)
    assert not is_signed_by({**signed, "a": 2}, ANNA, "DEV", key.public)
    assert not is_signed_by(signed, "@bob:hospital.test", "DEV", key.public)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('abé\\"', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("aé", max_size=3), inner),
    max_leaves=6,
)


@given(found=JSON)
def test_no_json_passes_for_signed(found: Any) -> None:
    signed = {"signatures": {ANNA: {"ed25519:DEV": found}}}
    assert not is_signed_by(signed, ANNA, "DEV", SigningKey(SEED).public)
    assert not is_signed_by({"signatures": found}, ANNA, "DEV", SigningKey(SEED).public)


@given(st.dictionaries(st.text("abé€𝄞", min_size=1, max_size=3), st.integers(0, 9)))
def test_canonical_json_is_sorted_by_code_points(content: dict[str, int]) -> None:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(content) == text.encode()


def test_an_identity_is_the_same_again_and_each_users_own() -> None:
    first, again = CrossSigning.of(ANNA, RECOVERY), CrossSigning.of(ANNA, RECOVERY)
    other = CrossSigning.of("@bob:hospital.test", RECOVERY)
    assert first.public_keys() == again.public_keys()
    assert len({first.master.public, first.self_signing.public, first.user_signing.public}) == 3
    assert first.master.public != other.master.public


def test_the_master_key_vouches_for_the_others_and_one_of_these_for_devices() -> None:
    identity = CrossSigning.of(ANNA, RECOVERY)
    keys, master = identity.public_keys(), identity.master.public
    assert is_signed_by(keys["self_signing_key"], ANNA, master, master)
    assert is_signed_by(keys["user_signing_key"], ANNA, master, master)
    device = identity.sign_device({"user_id": ANNA, "device_id": "DEV"})
    own = identity.self_signing.public
    assert is_signed_by(device, ANNA, own, own)


@given(st.binary(min_size=32, max_size=32))
def test_a_recovery_key_is_read_back_as_it_was_shown(key: bytes) -> None:
    assert RecoveryKey.parse(RecoveryKey(key).shown()).bytes == key


@pytest.mark.parametrize("slip", ["", "0", "EsTz", "EsU6 AC37 AZN5 5C52 PzAy u6hk", "l" * 48])
def test_a_slip_in_a_recovery_key_is_told(slip: str) -> None:
    with pytest.raises(ValueError, match="recovery key"):
        RecoveryKey.parse(slip)


def test_a_vault_opens_what_it_has_sealed_and_nothing_else() -> None:
    vault = Vault(SEED)
    sealed = vault.seal(b"secret")
    assert vault.open(sealed) == b"secret"
    assert vault.seal(b"secret") != sealed
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for key, wrong in ((SEED, changed), (bytes(32), sealed), (SEED, b"")):
        with pytest.raises(WrongKeyError):
            Vault(key).open(wrong)


@pytest.mark.parametrize("text", ["", "secret", "AAAA", "x" * 44])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="44 characters"):
        parse_key(text)

"""Keys, digests and ciphers against published vectors and against pysnmp's own implementation."""

import functools
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.type.univ import OctetString
from pysnmp.proto.secmod.rfc3414 import localkey

from eventd.parse import usm_keys
from eventd.parse.usm_keys import AUTH, PRIV

ENGINE = bytes(11) + b"\x02"


def hexed(text):
    return bytes.fromhex(text)


@pytest.mark.conformance("RFC 3414 §A.3", "keys of the appendix")
@pytest.mark.parametrize(
    ("auth", "master", "localised"),
    [
        # RFC 3414 section A.3.1
        ("MD5", "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
        # RFC 3414 section A.3.2
        ("SHA", "9fb5cc0381497b3793528939ff788d5d79145211", "6695febc9288e36282235fc7151f128497b38f3f"),
    ],
)
def test_keys_of_rfc_3414(auth, master, localised):
    protocol = AUTH[auth]
    assert usm_keys.master_key(protocol.hash, b"maplesyrup") == hexed(master)
    assert usm_keys.auth_key(protocol, b"maplesyrup", ENGINE) == hexed(localised)


@pytest.mark.conformance("draft-reeder-snmpv3-usm-3desede", "lengthened keys")
@pytest.mark.parametrize(
    ("auth", "key"),
    [
        # draft-reeder-snmpv3-usm-3desede-00 section B: 32 octets by MD5, 40 by SHA-1, of which AES-256 takes 32
        ("MD5", "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12"),
        ("SHA", "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9cd2d5065547743fb5"),
    ],
)
def test_lengthened_keys_of_the_reeder_draft(auth, key):
    for name in ("AES192C", "AES256C"):
        size = PRIV[name].key_size
        assert usm_keys.priv_key(AUTH[auth], PRIV[name], b"maplesyrup", ENGINE) == hexed(key)[:size]


@pytest.mark.conformance("draft-blumenthal-aes-usm", "lengthened keys")
def test_lengthened_keys_of_the_blumenthal_draft_start_with_the_plain_key():
    plain = usm_keys.auth_key(AUTH["SHA"], b"maplesyrup", ENGINE)
    key = usm_keys.priv_key(AUTH["SHA"], PRIV["AES256"], b"maplesyrup", ENGINE)
    assert (key[:20], len(key)) == (plain, 32)
    assert key != usm_keys.priv_key(AUTH["SHA"], PRIV["AES256C"], b"maplesyrup", ENGINE)


@pytest.mark.conformance("RFC 7860 §4", "keys agree with pysnmp's")
@pytest.mark.parametrize("auth", AUTH)
def test_keys_agree_with_pysnmp(auth):
    protocol = AUTH[auth]
    hasher = functools.partial(hashlib.new, protocol.hash)
    master = localkey.hash_passphrase(b"maplesyrup", hasher)
    assert usm_keys.master_key(protocol.hash, b"maplesyrup") == master.asOctets()
    assert (
        usm_keys.auth_key(protocol, b"maplesyrup", ENGINE)
        == localkey.localize_key(master, OctetString(ENGINE), hasher).asOctets()
    )


@pytest.mark.conformance("RFC 7860 §4.2", "digests are HMACs cut to their length")
@pytest.mark.parametrize(
    ("auth", "digest"),
    [
        # RFC 4231 section 4.2, RFC 2202 section 3, cut to the sizes of RFC 7860 section 4.1
        ("SHA224", "896fb1128abbdf196832107cd49df33f"),
        ("SHA256", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da7"),
        ("SHA384", "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"),
        (
            "SHA512",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4",
        ),
        ("SHA", "b617318655057264e28bc0b6"),
    ],
)
def test_digests_are_cut_hmacs(auth, digest):
    assert usm_keys.digest(AUTH[auth], b"\x0b" * 20, b"Hi There") == hexed(digest)


@pytest.mark.conformance("RFC 3826 §3", "what is encrypted comes back")
@given(
    st.sampled_from(sorted(AUTH)),
    st.sampled_from(sorted(PRIV)),
    st.binary(max_size=300),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.binary(min_size=8, max_size=8),
)
def test_what_is_encrypted_comes_back(auth, priv, data, boots, time, salt):
    key = usm_keys.priv_key(AUTH[auth], PRIV[priv], b"priv-password", ENGINE)
    sealed = usm_keys.encrypt(PRIV[priv], key, boots, time, salt, data)
    opened = usm_keys.decrypt(PRIV[priv], key, boots, time, salt, sealed)
    assert opened[: len(data)] == data
    assert opened[len(data) :].strip(b"\0") == b""
    assert len(opened) - len(data) < (8 if priv == "DES" else 1)


@pytest.mark.conformance("RFC 3826 §3.1", "AES in CFB mode matches the published vectors")
def test_aes_in_cfb_mode_matches_nist():
    # NIST SP 800-38A section F.3.13, its IV taken apart into boots, time and salt
    vector = hexed("000102030405060708090a0b0c0d0e0f")
    sealed = usm_keys.encrypt(
        PRIV["AES128"],
        hexed("2b7e151628aed2a6abf7158809cf4f3c"),
        int.from_bytes(vector[:4], "big"),
        int.from_bytes(vector[4:8], "big"),
        vector[8:],
        hexed("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"),
    )
    assert sealed == hexed("3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b")


@pytest.mark.conformance("RFC 3414 §8.3.2", "salt and data of a wrong size are refused")
@pytest.mark.parametrize(("priv", "salt", "data"), [("DES", 8, 9), ("DES", 7, 8), ("AES128", 0, 5), ("AES256", 9, 5)])
def test_salt_and_data_of_a_wrong_size_are_refused(priv, salt, data):
    key = usm_keys.priv_key(AUTH["SHA256"], PRIV[priv], b"priv-password", ENGINE)
    with pytest.raises(ValueError, match="octets"):
        usm_keys.decrypt(PRIV[priv], key, 1, 1, bytes(salt), bytes(data))


def test_protocols_are_known_by_their_usual_names():
    assert usm_keys.auth_protocol("sha-256") is usm_keys.auth_protocol("SHA256") is AUTH["SHA256"]
    assert usm_keys.auth_protocol("SHA1") is usm_keys.auth_protocol("sha") is AUTH["SHA"]
    assert usm_keys.priv_protocol("AES") is usm_keys.priv_protocol("aes-128") is PRIV["AES128"]
    assert usm_keys.priv_protocol("AES-256-C") is PRIV["AES256C"]


@pytest.mark.parametrize("find", [usm_keys.auth_protocol, usm_keys.priv_protocol])
def test_an_unknown_protocol_names_the_known_ones(find):
    with pytest.raises(ValueError, match=r"unknown protocol 'ROT13'; known: (MD5|DES)"):
        find("ROT13")


def test_expanding_a_password_is_done_once():
    usm_keys.master_key("sha512", b"a new password")
    before = usm_keys.master_key.cache_info()
    for number in range(5):
        usm_keys.auth_key(AUTH["SHA512"], b"a new password", bytes([number] * 8))
    after = usm_keys.master_key.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 5)

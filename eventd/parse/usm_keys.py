"""Keys, digests and ciphers of the User-based Security Model: RFC 3414 (MD5, SHA-1, DES), RFC 7860 (SHA-2),
RFC 3826 (AES-128), and the two unratified ways to AES-192 and AES-256.

Names follow net-snmp: ``AES192``/``AES256`` lengthen the key as draft-blumenthal-aes-usm-04 section 3.1.2.1 does,
``AES192C``/``AES256C`` as draft-reeder-snmpv3-usm-3desede-00 section 2.1 does, which is what Cisco and most others
ship. A device that says only "AES256" may mean either.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from functools import lru_cache

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from msgspec import Struct

#: RFC 3414 section A.2: the password is repeated to fill this many octets before hashing.
EXPANDED_PASSWORD = 1_048_576
#: RFC 3414 section 11.2.
MIN_PASSWORD = 8
#: Master keys kept: one per password and hash. Expanding costs about 2 ms.
MASTER_KEYS = 1024
#: RFC 3414 section 8.1.1.1, RFC 3826 section 3.1.3: the salt in msgPrivacyParameters.
SALT_SIZE = 8
DES_BLOCK = 8
AES_BLOCK = 16
#: Ciphers kept, one per key (a kilobyte each): the engines of a fleet. To set one up takes longer than to decrypt.
BLOCK_CIPHERS = 4096


class AuthProtocol(Struct, frozen=True):
    """A hash and how many octets of its HMAC travel."""

    hash: str
    digest_size: int


#: (hash name, key so far, engine id) → longer key
Lengthen = Callable[[str, bytes, bytes], bytes]


class PrivProtocol(Struct, frozen=True):
    """A cipher, the octets of key material it needs, and how a key that is too short is lengthened."""

    des: bool
    key_size: int
    lengthen: Lengthen


AUTH = {
    "MD5": AuthProtocol("md5", 12),
    "SHA": AuthProtocol("sha1", 12),
    "SHA224": AuthProtocol("sha224", 16),
    "SHA256": AuthProtocol("sha256", 24),
    "SHA384": AuthProtocol("sha384", 32),
    "SHA512": AuthProtocol("sha512", 48),
}


@lru_cache(maxsize=MASTER_KEYS)
def master_key(hash_name: str, password: bytes) -> bytes:
    """Ku of RFC 3414 section A.2: the digest of the password repeated to one megabyte."""
    repeats = EXPANDED_PASSWORD // len(password) + 1
    return hashlib.new(hash_name, (password * repeats)[:EXPANDED_PASSWORD]).digest()


def localise(hash_name: str, master: bytes, engine_id: bytes) -> bytes:
    """Kul of RFC 3414 section 2.6: the master key bound to one engine."""
    return hashlib.new(hash_name, master + engine_id + master).digest()


def _blumenthal(hash_name: str, key: bytes, _engine_id: bytes) -> bytes:
    return key + hashlib.new(hash_name, key).digest()


def _reeder(hash_name: str, key: bytes, engine_id: bytes) -> bytes:
    """The key serves as the password of the next part. Not through the cache: it differs for every engine."""
    return key + localise(hash_name, master_key.__wrapped__(hash_name, key), engine_id)


PRIV = {
    "DES": PrivProtocol(des=True, key_size=16, lengthen=_blumenthal),
    "AES128": PrivProtocol(des=False, key_size=16, lengthen=_blumenthal),
    "AES192": PrivProtocol(des=False, key_size=24, lengthen=_blumenthal),
    "AES256": PrivProtocol(des=False, key_size=32, lengthen=_blumenthal),
    "AES192C": PrivProtocol(des=False, key_size=24, lengthen=_reeder),
    "AES256C": PrivProtocol(des=False, key_size=32, lengthen=_reeder),
}

_ALIASES = {"SHA1": "SHA", "AES": "AES128"}


def auth_protocol(name: str) -> AuthProtocol:
    """By name, in any case and with or without hyphens (``SHA-256``); ValueError for an unknown one."""
    return AUTH[_canonical(name, AUTH)]


def priv_protocol(name: str) -> PrivProtocol:
    """By name, in any case and with or without hyphens (``aes-128``); ValueError for an unknown one."""
    return PRIV[_canonical(name, PRIV)]


def _canonical(name: str, known: Iterable[str]) -> str:
    plain = name.upper().replace("-", "").replace("_", "")
    plain = _ALIASES.get(plain, plain)
    if plain not in known:
        raise ValueError(f"unknown protocol {name!r}; known: {', '.join(known)}")
    return plain


def auth_key(auth: AuthProtocol, password: bytes, engine_id: bytes) -> bytes:
    """The key that signs messages of one engine."""
    return localise(auth.hash, master_key(auth.hash, password), engine_id)


def priv_key(auth: AuthProtocol, priv: PrivProtocol, password: bytes, engine_id: bytes) -> bytes:
    """The key material that encrypts messages of one engine; derived with the *authentication* hash."""
    key = auth_key(auth, password, engine_id)
    while len(key) < priv.key_size:
        key = priv.lengthen(auth.hash, key, engine_id)
    return key[: priv.key_size]


def digest(auth: AuthProtocol, key: bytes, message: bytes) -> bytes:
    """msgAuthenticationParameters of ``message``, in which that field is all zeros (RFC 3414 section 6.3.1)."""
    return hmac.digest(key, message, auth.hash)[: auth.digest_size]


def _cipher(priv: PrivProtocol, key: bytes, boots: int, time: int, salt: bytes) -> "Cipher[CBC] | Cipher[CFB]":
    if priv.des:
        # Three equal keys make triple DES the single DES of RFC 3414 section 8.
        vector = bytes(a ^ b for a, b in zip(salt, key[8:16], strict=True))
        return Cipher(TripleDES(key[:8] * 3), CBC(vector))
    return Cipher(AES(key), CFB(_vector(boots, time, salt)))


def _vector(boots: int, time: int, salt: bytes) -> bytes:
    """RFC 3826 section 3.1.2.1."""
    return boots.to_bytes(4) + time.to_bytes(4) + salt


@lru_cache(BLOCK_CIPHERS)
def _block_cipher(key: bytes) -> CipherContext:
    """AES by itself, which remembers nothing from one block to the next."""
    return Cipher(AES(key), ECB()).encryptor()  # noqa: S305  a part of CFB, not a mode to encrypt by


def decrypt(priv: PrivProtocol, key: bytes, boots: int, time: int, salt: bytes, data: bytes) -> bytes:
    """Clear text, DES padding included; ValueError when salt or data cannot have come from this cipher."""
    if len(salt) != SALT_SIZE or (priv.des and len(data) % DES_BLOCK):
        raise ValueError(f"salt of {len(salt)} octets, {len(data)} octets of data")
    if priv.des:
        decryptor = _cipher(priv, key, boots, time, salt).decryptor()
        return decryptor.update(data) + decryptor.finalize()
    # What CFB does, without setting it up anew: a block of clear text is hidden by the block of cipher text before it,
    # encrypted once more, the first by the vector (NIST SP 800-38A section 6.3).
    before = _vector(boots, time, salt) + data[: (len(data) - 1) // AES_BLOCK * AES_BLOCK]
    hidden_by = _block_cipher(key).update(before)[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(hidden_by)).to_bytes(len(data))


def encrypt(priv: PrivProtocol, key: bytes, boots: int, time: int, salt: bytes, data: bytes) -> bytes:
    """Cipher text; for DES of the data padded to whole blocks (RFC 3414 section 8.1.1.2)."""
    padding = bytes(-len(data) % DES_BLOCK) if priv.des else b""
    encryptor = _cipher(priv, key, boots, time, salt).encryptor()
    return encryptor.update(data + padding) + encryptor.finalize()

"""SNMPv3 messages on the wire (RFC 3412 section 6, RFC 3414 section 2.4): taking them apart and building them."""

import hmac

from eventd.errors import ParseError, RejectReason
from eventd.parse import usm_keys
from eventd.parse.ber import (
    OCTET_STRING,
    SEQUENCE,
    Cursor,
    encode_integer,
    encode_octets,
    encode_sequence,
)
from eventd.parse.engines import MAX_BOOTS, MAX_TIME
from eventd.parse.usm import AUTH_FLAG, PRIV_FLAG, Account, Envelope, Usm

VERSION_3 = 3
USER_BASED = 3
MAX_INT31 = 2**31 - 1
#: The largest UDP payload over IPv4: what we tell others that we accept.
OUR_MAX_SIZE = 65_507


def read_envelope(cursor: Cursor) -> Envelope:
    """What follows the version. Raises `ParseError`: BAD_BER, UNKNOWN_SECURITY_MODEL, and INVALID_MESSAGE for msgFlags
    that are none or ask for privacy without authentication (RFC 3412 section 7.2 steps 4 and 5d)."""
    header = cursor.enter()
    msg_id, max_size = header.integer(0, MAX_INT31), header.integer(0, MAX_INT31)
    flags = header.octets()
    model_at, model = header.pos, header.integer()
    header.finish()
    if model != USER_BASED:
        raise ParseError(RejectReason.UNKNOWN_SECURITY_MODEL, model_at, f"security model {model}")
    if len(flags) != 1 or flags[0] & (AUTH_FLAG | PRIV_FLAG) == PRIV_FLAG:
        raise ParseError(RejectReason.INVALID_MESSAGE, model_at, f"msgFlags {flags[:8].hex()!r}")
    wrapper = cursor.enter(OCTET_STRING)
    params = wrapper.enter()
    wrapper.finish()
    params_at, engine_id = params.pos, params.octets()
    boots, time, user = params.integer(0, MAX_BOOTS), params.integer(0, MAX_TIME), params.octets()
    digest, salt = params.expect(OCTET_STRING), params.octets()
    params.finish()
    data = _locate_data(cursor, encrypted=bool(flags[0] & PRIV_FLAG))
    return Envelope(msg_id, max_size, flags[0], params_at, engine_id, boots, time, user, *digest, salt, *data)


def _locate_data(cursor: Cursor, *, encrypted: bool) -> tuple[int, int]:
    pos = cursor.pos
    start, stop = cursor.expect(OCTET_STRING if encrypted else SEQUENCE)
    cursor.finish()
    return (start if encrypted else pos), stop


def read_scope(clear: bytes, envelope: Envelope) -> tuple[bytes, bytes, Cursor]:
    """contextEngineID, contextName and a cursor at the PDU. Octets after the scopedPDU are padding (RFC 3414 section
    8.1.1.2). Clear text that is none, from a genuine message, means a wrong privacy key: DECRYPTION_ERROR."""
    try:
        scope = Cursor(clear, envelope.data_at).enter()
        return scope.octets(), scope.octets(), scope
    except ParseError as error:
        if envelope.level & PRIV_FLAG:
            raise ParseError(RejectReason.DECRYPTION_ERROR, error.offset, error.detail) from None
        raise


def encode_scope(context_engine: bytes, context_name: bytes, pdu: bytes) -> bytes:
    """A scopedPDU around an encoded PDU."""
    return encode_sequence(encode_octets(context_engine), encode_octets(context_name), pdu)


def build_message(
    usm: Usm, account: Account | None, user: bytes, level: int, msg_id: int, scoped: bytes, now: float, flags: int = 0
) -> bytes:
    """A whole message from the engine of ``usm``, secured to ``level`` with the keys of ``account``; ``flags`` are
    added to msgFlags."""
    boots, time = usm.clock(now)
    salt = b""
    if account and account.priv and level & PRIV_FLAG:
        key = usm.priv_key(account, usm.engine_id)
        salt = _salt(key, boots, time, msg_id, scoped)
        scoped = encode_octets(usm_keys.encrypt(account.priv, key, boots, time, salt, scoped))
    blank = bytes(account.auth.digest_size) if account and account.auth and level & AUTH_FLAG else b""
    tail = encode_octets(salt)
    params = encode_sequence(
        encode_octets(usm.engine_id), encode_integer(boots), encode_integer(time), encode_octets(user),
        encode_octets(blank), tail,
    )  # fmt: skip
    header = encode_sequence(
        encode_integer(msg_id), encode_integer(OUR_MAX_SIZE), encode_octets(bytes([level | flags])),
        encode_integer(USER_BASED),
    )  # fmt: skip
    message = encode_sequence(encode_integer(VERSION_3), header, encode_octets(params), scoped)
    if account and account.auth and blank:
        digest_end = len(message) - len(scoped) - len(tail)
        digest = usm_keys.digest(account.auth, usm.auth_key(account, usm.engine_id), message)
        message = message[: digest_end - len(blank)] + digest + message[digest_end:]
    return message


def _salt(key: bytes, boots: int, time: int, msg_id: int, scoped: bytes) -> bytes:
    """Salt that no other text gets under the same key, boots and time (RFC 3826 section 3.1.2.1), without counter or
    random numbers: a keyed hash of what is encrypted. The same text gives the same salt and the same cipher text."""
    return hmac.digest(key, b"%d %d %d " % (boots, time, msg_id) + scoped, "sha256")[: usm_keys.SALT_SIZE]

"""Bytes to text without ever failing: names and policies are written in whatever the operator's terminal spoke."""

import codecs
from collections.abc import Callable

BOM = b"\xef\xbb\xbf"
_UTF_8 = codecs.getincrementaldecoder("utf-8")
#: USG firewalls send GBK unless told otherwise (``firewall log charset``, sec_admin_log_0132); GB18030 is its superset.
_GB18030 = codecs.getincrementaldecoder("gb18030")
#: `str.translate` table from what ``surrogateescape`` makes of a stray byte to what people read.
_ESCAPES = {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}


def decode_text(data: bytes) -> str:
    """UTF-8 (byte order mark removed), else GB18030, else UTF-8 with every stray byte as ``\\xNN``.

    Never raises; the result holds no surrogates, so it can be encoded again. A datagram may be cut in the middle of a
    character; that does not change what the rest of it is read as.
    """
    data = data.removeprefix(BOM)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _decode_cut(data, _UTF_8) or _decode_cut(data, _GB18030) or _escape(data)


def _decode_cut(data: bytes, encoding: Callable[[], codecs.IncrementalDecoder]) -> str | None:
    """``data`` in this encoding, up to a last character that was cut; None where it is something else.

    A cut last character alone proves no encoding: in front of it at least one whole one is wanted.
    """
    decoder = encoding()
    try:
        text = decoder.decode(data)
    except UnicodeDecodeError:
        return None
    cut = decoder.getstate()[0]
    if cut and text.isascii():
        return None
    return text + _escape(cut)


def _escape(data: bytes) -> str:
    # Not ``backslashreplace``: its handler is called once per byte, 7 ms for a datagram of rubbish instead of 3.
    return data.decode("utf-8", "surrogateescape").translate(_ESCAPES)

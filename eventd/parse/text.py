"""Bytes to text without ever failing: names and policies are written in whatever the operator's terminal spoke."""

#: USG firewalls send GBK unless told otherwise (``firewall log charset``, sec_admin_log_0132); GB18030 is its superset.
FALLBACK = "gb18030"
BOM = b"\xef\xbb\xbf"


def decode_text(data: bytes) -> str:
    """UTF-8 (byte order mark removed), else GB18030, else UTF-8 with every stray byte as ``\\xNN``.

    Never raises; the result holds no surrogates, so it can be encoded again.
    """
    data = data.removeprefix(BOM)
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(FALLBACK)
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace")

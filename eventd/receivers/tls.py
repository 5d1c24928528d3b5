"""The server side of TLS for syslog (RFC 5425)."""

import hashlib
import hmac
import re
import ssl
from collections.abc import Sequence
from pathlib import Path

#: Names of hash functions in fingerprints (RFC 5425 section 4.2.2, IANA "Hash Function Textual Names").
HASHES = {"sha-1": "sha1", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}

#: What OpenSSL calls a private key that is not the certificate's.
_MISMATCH = "KEY_VALUES_MISMATCH"


def make_context(cert_file: str, key_file: str, client_ca_file: str | None = None) -> ssl.SSLContext:
    """A server context for TLS 1.2 and later. With ``client_ca_file`` clients must show a certificate that is in it or
    is signed by one in it; so it may also list the self-signed certificates of devices, one by one.

    Make a new one to take up renewed files. Raises `OSError` for a file that cannot be read, `ValueError` for one that
    does not hold what it should; both name the file.
    """
    for file in filter(None, (cert_file, key_file, client_ca_file)):
        Path(file).read_bytes()  # ssl does not say which file it could not read
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # No session tickets: a sender that only writes never reads them, and when it closes its socket with something
    # unread the kernel resets the connection and throws away what was not yet sent (seen: 3 MB of syslog).
    context.num_tickets = 0
    _load_certificate(context, cert_file, key_file)
    if client_ca_file:
        context.verify_mode = ssl.CERT_REQUIRED
        # What the operator listed is trusted as it is, also where its own issuer is not listed.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(client_ca_file)
        except ssl.SSLError:
            raise ValueError(f"{client_ca_file}: no PEM certificate of an authority in it") from None
    return context


def _load_certificate(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    def refuse_password() -> str:  # without this OpenSSL asks on the terminal
        raise ValueError(f"{key_file}: the key is encrypted; eventd needs one without a passphrase")

    try:
        context.load_cert_chain(cert_file, key_file, password=refuse_password)
    except ssl.SSLError as error:
        if error.reason == _MISMATCH:
            raise ValueError(f"{key_file}: not the key of the certificate in {cert_file}") from None
        raise ValueError(f"{cert_file}, {key_file}: no PEM certificate and private key in them") from None


def parse_fingerprint(text: str) -> tuple[str, bytes]:
    """Hash function (as in `hashlib`) and digest of a certificate fingerprint as RFC 5425 section 4.2.2 writes it:
    ``sha-256:AB:CD:…``. Raises `ValueError` saying what is wrong."""
    name, _, digits = text.partition(":")
    function = HASHES.get(name.lower())
    if function is None:
        raise ValueError(f"{text!r} does not begin with one of {', '.join(HASHES)} and a colon")
    size = hashlib.new(function, usedforsecurity=False).digest_size
    if not re.fullmatch(rf"[0-9A-Fa-f]{{2}}(?::[0-9A-Fa-f]{{2}}){{{size - 1}}}", digits):
        raise ValueError(f"{text!r} does not have {size} pairs of hex digits parted by colons")
    return function, bytes.fromhex(digits.replace(":", ""))


class Fingerprints:
    """Certificates that may connect, by fingerprint; with none listed, every one that the context let through."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._known = [parse_fingerprint(text) for text in texts]

    def admit(self, certificate: bytes | None) -> bool:
        """Whether a DER certificate is one of those listed."""
        if not self._known or certificate is None:
            return not self._known
        found = False
        for function, digest in self._known:
            shown = hashlib.new(function, certificate, usedforsecurity=False).digest()
            found |= hmac.compare_digest(shown, digest)
        return found

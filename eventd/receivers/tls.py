"""The server side of TLS for syslog (RFC 5425)."""

import ssl
from pathlib import Path

#: What OpenSSL calls a private key that is not the certificate's.
_MISMATCH = "KEY_VALUES_MISMATCH"


def make_context(cert_file: str, key_file: str, client_ca_file: str | None = None) -> ssl.SSLContext:
    """A server context for TLS 1.2 and later. With ``client_ca_file`` clients must show a certificate signed by it.

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

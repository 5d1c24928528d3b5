"""Settings of the HTTP server."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from eventd.discreet import Discreet
from eventd.receivers.addresses import parse_listen


class Token(Discreet, frozen=True, forbid_unknown_fields=True):
    """A secret and what it allows: ``read`` the page and the API, or ``operate``: also what changes something."""

    name: Annotated[str, Meta(min_length=1)]
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    role: Literal["read", "operate"] = "read"


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP server: page, API, metrics. ``external_url`` is how people reach it, used for links in alerts."""

    listen: str = "[::]:9514"
    external_url: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    tokens: tuple[Token, ...] = ()

    def __post_init__(self) -> None:
        for key, check in (("listen", parse_listen), ("external_url", _check_url)):
            value = getattr(self, key)
            if value is None:
                continue
            try:
                check(value)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None


def _check_url(text: str) -> None:
    url = urlsplit(text)  # ValueError for brackets that do not match
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ValueError(f"{text!r} is not an address like 'https://eventd.example.net'")

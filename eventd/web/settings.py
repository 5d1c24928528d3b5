"""Settings of the HTTP server."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Token(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may use what changes something."""

    name: Annotated[str, Meta(min_length=1)]
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    role: Literal["read", "operate"] = "read"


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP server: page, API, metrics."""

    listen: str = "[::]:9514"
    external_url: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    tokens: tuple[Token, ...] = ()

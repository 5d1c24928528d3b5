"""Settings of the HTTP server."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from eventd.checked import Checked, Fault, trying
from eventd.discreet import Discreet
from eventd.receivers.settings import as_list, listen_faults


class Token(Discreet, frozen=True, forbid_unknown_fields=True):
    """A secret and what it allows: ``read`` the page and the API, or ``operate``: also what changes something."""

    name: Annotated[str, Meta(min_length=1)]
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    role: Literal["read", "operate"] = "read"


class Web(Checked, frozen=True, forbid_unknown_fields=True):
    """The HTTP server: page, API, metrics. ``external_url`` is how people reach it, used for links in alerts."""

    listen: str | tuple[str, ...] = "[::]:9514"
    external_url: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    tokens: tuple[Token, ...] = ()

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        if "listen" in given:
            yield from listen_faults(given["listen"])
        if given.get("external_url") is not None:
            yield from trying("external_url", _check_url, (given["external_url"],))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The listen addresses, also where only one was given."""
        return as_list(self.listen)


def _check_url(text: str) -> None:
    url = urlsplit(text)  # ValueError for brackets that do not match
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ValueError(f"{text!r} is not an address like 'https://eventd.example.net'")

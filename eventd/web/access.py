"""Who may do what: bearer tokens of the configuration, and the same tokens as a password where a browser asks."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256

from aiohttp import hdrs, web

from eventd.web.answers import RequestError
from eventd.web.settings import Token

#: Stay open when reading needs a token: probes and scrapers rarely carry one, and style and icon say nothing.
OPEN_RESOURCES = frozenset({"/-/healthy", "/-/ready", "/metrics", "/style.css", "/icon.svg"})

READING = (hdrs.METH_GET, hdrs.METH_HEAD)

#: Browsers ask for a password only where Basic is offered (RFC 7617); programs use Bearer (RFC 6750).
CHALLENGE: dict[str, str] = {hdrs.WWW_AUTHENTICATE: 'Bearer realm="eventd", Basic realm="eventd", charset="UTF-8"'}


def check(request: web.Request, tokens: Mapping[str, Token]) -> None:
    """Return if the request may go on to its handler.

    Reading is free until a token of role ``read`` exists. What changes something needs a bearer token of role
    ``operate``. Raises `RequestError`: 401 for want of a token, 403 where the one given does not allow it.
    """
    resource = request.match_info.route.resource
    role = role_of(request.headers.get(hdrs.AUTHORIZATION, ""), tokens)
    roles = {token.role for token in tokens.values()}
    if request.method in READING or resource is None:
        is_open = resource is not None and resource.canonical in OPEN_RESOURCES
        if "read" in roles and role is None and not is_open:
            raise RequestError(401, "needs a token", CHALLENGE)
    elif role != "operate":
        _refuse_change(role, possible="operate" in roles)


def _refuse_change(role: str | None, *, possible: bool) -> None:
    if not possible:
        raise RequestError(403, "needs a token of role operate; none is configured")
    if role is None:
        raise RequestError(401, "needs a token of role operate", {hdrs.WWW_AUTHENTICATE: 'Bearer realm="eventd"'})
    raise RequestError(403, "needs a token of role operate; this one only reads")


def role_of(authorization: str, tokens: Mapping[str, Token]) -> str | None:
    """What an Authorization header allows; None if it names no token of ours.

    A password allows reading only, whatever the token's role: a browser adds it to requests that other sites cause.
    """
    scheme, _, given = authorization.partition(" ")
    if scheme.casefold() == "bearer":
        return _role(given.strip().encode("utf-8", "surrogateescape"), tokens)
    if scheme.casefold() == "basic" and _role(_password(given), tokens) is not None:
        return "read"
    return None


def _password(given: str) -> bytes:
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except (ValueError, binascii.Error):
        return b""


def _role(given: bytes, tokens: Mapping[str, Token]) -> str | None:
    """Compares digests, so that lengths do not matter, and all of them, so that the place of a match does not."""
    digest, role = sha256(given).digest(), None
    for secret, token in tokens.items():
        if hmac.compare_digest(sha256(secret.encode()).digest(), digest):
            role = token.role
    return role

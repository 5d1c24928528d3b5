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


def check(request: web.Request, tokens: Mapping[str, Token]) -> Token | None:
    """Return if the request may go on to its handler, with the token it carries.

    Reading is free until a token of role ``read`` exists. What changes something needs a bearer token of role
    ``operate``. Raises `RequestError`: 401 for want of a token, 403 where the one given does not allow it.
    """
    resource = request.match_info.route.resource
    scheme, token = _credentials(request.headers.get(hdrs.AUTHORIZATION, ""), tokens)
    roles = {token.role for token in tokens.values()}
    if request.method in READING or resource is None:
        is_open = resource is not None and resource.canonical in OPEN_RESOURCES
        if "read" in roles and token is None and not is_open:
            raise RequestError(401, "needs a token", CHALLENGE)
    elif token is None or _role(scheme, token) != "operate":
        _refuse_change(token, possible="operate" in roles)
    return token


def name_of(request: web.Request, tokens: Mapping[str, Token]) -> str:
    """Who asks. Without a token nothing that changes something gets as far as asking."""
    token = check(request, tokens)
    return token.name if token is not None else "operator"


def _refuse_change(token: Token | None, *, possible: bool) -> None:
    if not possible:
        raise RequestError(403, "needs a token of role operate; none is configured")
    if token is None:
        raise RequestError(401, "needs a token of role operate", {hdrs.WWW_AUTHENTICATE: 'Bearer realm="eventd"'})
    raise RequestError(403, "needs a token of role operate; this one only reads")


def role_of(authorization: str, tokens: Mapping[str, Token]) -> str | None:
    """What an Authorization header allows; None if it names no token of ours."""
    scheme, token = _credentials(authorization, tokens)
    return None if token is None else _role(scheme, token)


def _role(scheme: str, token: Token) -> str:
    """A password allows reading only, whatever the token's role: a browser adds it to requests that other sites
    cause."""
    return token.role if scheme == "bearer" else "read"


def _credentials(authorization: str, tokens: Mapping[str, Token]) -> tuple[str, Token | None]:
    scheme, _, given = authorization.partition(" ")
    scheme = scheme.casefold()
    if scheme == "bearer":
        return scheme, _token(given.strip().encode("utf-8", "surrogateescape"), tokens)
    return scheme, _token(_password(given), tokens) if scheme == "basic" else None


def _password(given: str) -> bytes:
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2]
    except (ValueError, binascii.Error):
        return b""


def _token(given: bytes, tokens: Mapping[str, Token]) -> Token | None:
    """Compares digests, so that lengths do not matter, and all of them, so that the place of a match does not."""
    digest, found = sha256(given).digest(), None
    for secret, token in tokens.items():
        if hmac.compare_digest(sha256(secret.encode()).digest(), digest):
            found = token
    return found

"""The running service, asked over its API by the commands that need it."""

import functools
import http.client
import json
import os
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlencode, urlsplit

import click

from eventd.cli.problems import fail
from eventd.errors import EventdError
from eventd.printable import printable
from eventd.store.base import MAX_PAGE

DEFAULT_URL = "http://127.0.0.1:9514"
#: Seconds; a service that answers needs a fraction of one, and an act waits up to ten for its commit.
TIMEOUT_S = 20.0
#: Bytes of one answer: a page of a thousand incidents has a few million.
MAX_ANSWER = 64 * 2**20

Command = TypeVar("Command", bound=Callable[..., Any])


#: Stands for an answer when the beginning of an id fits several incidents (RFC 9110 section 15.4.1).
SEVERAL = 300
#: What is wrong with one incident and not with the next: its id, that it is over, that the store is slow.
OF_ONE = (SEVERAL, 404, 409, 503)


class RemoteError(EventdError):
    """The service cannot be reached, or refused. ``status`` is that of its answer, 0 without one."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Remote:
    """One eventd by its address. No redirect is followed: the token is for it alone."""

    def __init__(self, url: str, token: str | None, ca_file: str | None) -> None:
        parts = _split(url)
        self._https, self._host = parts.scheme == "https", parts.hostname or ""
        self._port, self._base = parts.port, parts.path.rstrip("/")
        self.url, self._token, self._ca_file = url, token, ca_file

    def ask(self, path: str, method: str = "GET", body: Any = None, **keys: Any) -> Any:
        """The JSON answer of one path below ``/api/v1``; ``keys`` that are None are left out.

        Raises:
            RemoteError: no or another answer.
            click.UsageError: the service says that what was asked makes no sense.
        """
        wanted = urlencode({name: value for name, value in keys.items() if value is not None})
        target = f"{self._base}/api/v1/{path}{'?' + wanted if wanted else ''}"
        status, text = self._exchange(method, target, body)
        if status < 300:
            return _json(text, self.url)
        raise self._refusal(status, text)

    def _exchange(self, method: str, target: str, body: Any) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        sent = None if body is None else json.dumps(body)
        connection = self._connection()
        try:
            connection.request(method, target, sent, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(MAX_ANSWER)
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate is not trusted ({error.verify_message}); --ca-file names the CA that issued it"
            raise RemoteError(f"{self.url}: {why}") from error
        except ssl.SSLError as error:
            raise RemoteError(f"{self.url}: TLS failed ({error.reason}); is it http:// there?") from error
        except ConnectionRefusedError as error:
            hint = "no eventd listens there; --url or EVENTD_URL says where it is"
            raise RemoteError(f"{self.url}: connection refused: {hint}") from error
        except TimeoutError as error:
            raise RemoteError(f"{self.url}: no answer within {TIMEOUT_S:g} s") from error
        except (http.client.HTTPException, ConnectionResetError) as error:  # what was closed without a word, too
            raise RemoteError(f"{self.url}: what answers there does not speak HTTP; is it https://?") from error
        except OSError as error:
            raise RemoteError(f"{self.url}: {error.strerror or error}") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not self._https:
            return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except (OSError, ssl.SSLError) as error:
            raise click.UsageError(f"--ca-file: {error.strerror or error}") from error
        return http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=context)

    def _refusal(self, status: int, text: bytes) -> Exception:
        try:
            said = str(json.loads(text)["error"])
        except (ValueError, KeyError, TypeError):
            return RemoteError(f"{self.url}: answered {status}, which is not how eventd answers", status)
        if status == 400:
            return click.UsageError(said)
        if status == 401:
            said += "; EVENTD_TOKEN or --token-file gives one" if self._token is None else "; the one given is unknown"
        if status == 403 and "none is configured" in said:
            said += " ([[web.tokens]] in the configuration of the service)"
        return RemoteError(said, status)


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise click.UsageError(f"--url: {url!r} is not an address like {DEFAULT_URL}")
    return parts


def _json(text: bytes, url: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RemoteError(f"{url}: what answers there is not eventd") from error


def remote_options(command: Command) -> Command:
    """``--url``, ``--token-file`` and ``--ca-file``: the command gets a `Remote` as ``remote``."""

    @functools.wraps(command)
    def wrapped(*, url: str, token_file: str | None, ca_file: str | None, **known: Any) -> Any:
        return command(remote=Remote(url, _token(token_file), ca_file), **known)

    found: Any = wrapped
    for option in reversed(_OPTIONS):
        found = option(found)
    return cast("Command", found)


_OPTIONS = (
    click.option(
        "--url", envvar="EVENTD_URL", default=DEFAULT_URL, show_default=True, help="Where eventd is; also EVENTD_URL."
    ),
    click.option(
        "--token-file",
        envvar="EVENTD_TOKEN_FILE",
        type=click.Path(dir_okay=False),
        help="File with the token, also EVENTD_TOKEN_FILE; or the token itself in EVENTD_TOKEN.",
    ),
    click.option(
        "--ca-file",
        envvar="EVENTD_CA_FILE",
        type=click.Path(dir_okay=False),
        help="CA of its certificate (PEM); also EVENTD_CA_FILE.",
    ),
)


def _token(file: str | None) -> str | None:
    try:
        token = Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get("EVENTD_TOKEN", "").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--token-file: {getattr(error, 'strerror', None) or error}") from error
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise click.UsageError("the token holds characters that no token has")
    return token or None


def pages(remote: Remote, place: str, limit: float, **keys: Any) -> tuple[list[Any], bool]:
    """The first ``limit`` items of a list of the API, of however many pages, and whether there are more."""
    found, more = list[Any](), None
    while (left := limit - len(found)) > 0:
        answer = remote.ask(place, limit=min(left, MAX_PAGE), before=more, **keys)
        found += answer["items"]
        if (more := answer["next"]) is None:
            break
    return found, more is not None


#: What stands in a list of the API: the noun, and the keys by which all of them are found.
LISTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "incidents": ("incident", {}),
    "outbox": ("notification", {"state": "all"}),
}


def find(remote: Remote, given: str, place: str = "incidents") -> Mapping[str, Any]:
    """The one of the list ``place`` whose id is or begins like ``given``.

    Raises:
        RemoteError: none, or several.
    """
    prefix = given.casefold()
    noun, keys = LISTS[place]
    found = remote.ask(place, id=prefix, limit=5, **keys)["items"] if prefix.isascii() and prefix.isalnum() else []
    exact = [one for one in found if one["id"] == prefix]
    if len(exact or found) == 1:
        return dict((exact or found)[0])
    if not found:
        raise RemoteError(f"no {noun}'s id begins with {given!r}", 404)
    several = ", ".join(one["id"] for one in found)
    raise RemoteError(f"{given!r} is not enough: {several} begin with it", SEVERAL)


def act_on_each(remote: Remote, given: Sequence[str], act: Callable[[str], str], place: str = "incidents") -> None:
    """Have ``act`` do something to each of the list ``place`` whose id is or begins like one of ``given``, and print
    what it says; what fails is told and the others go on. Ends the command with 1 if any failed.

    Raises:
        RemoteError: what would be the same for each of them: nobody answers, or the token does not do.
    """
    failed = False
    for one in dict.fromkeys(given):
        try:
            click.echo(printable(act(str(find(remote, one, place)["id"]))))
        except RemoteError as error:
            if error.status not in OF_ONE:
                raise
            failed = True
            fail(f"{one}: {error}" if one not in str(error) else str(error))
    if failed:
        sys.exit(1)


def path(*parts: str) -> str:
    """A path of the API, escaped."""
    return "/".join(quote(part, safe="") for part in parts)

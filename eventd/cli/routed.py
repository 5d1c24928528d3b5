"""Where a configuration sends what, in words, and what in it fits nothing: for `eventd check`."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from eventd.config import Config
from eventd.correlate.texts import span
from eventd.matching import Match, takes_all_of, values
from eventd.notify.routing import Route
from eventd.notify.secrets import read_secret
from eventd.registry import load_notifiers
from eventd.weekly import always

#: Values of a match that are shown.
SHOWN = 6


def routes(config: Config) -> Iterator[str]:
    """A line for each route in the order in which they are asked, and for what none of them takes."""
    if not config.routes:
        yield "everything → every channel"
        return
    for number, route in enumerate(config.routes):
        yield f"{number + 1}. {_said(route.match)}{_bounds(route)} → {', '.join(route.channels)}" + (
            ", and on" if route.continue_ else ""
        )
    if not any(_certain(route) and not route.match for route in config.routes):
        yield "what none of them takes → nobody"


def quiet(config: Config) -> Iterator[str]:
    """A line for each channel that has quiet hours."""
    for channel in config.channels:
        if (hours := channel.quiet) is not None:
            yield f"{channel.name}, below {hours.below}, {' and '.join(hours.when)} ({hours.time_zone})"


def notes(config: Config) -> Iterator[str]:
    """What may be meant, but looks as if it were not."""
    for index, route in enumerate(config.routes):
        before = _hidden_by(config.routes[:index], route)
        if before is not None:
            yield f"routes[{index}] is never reached: routes[{before}] takes all of it"
    named = {name for route in config.routes for name in route.channels}
    for channel in config.channels if config.routes else ():
        if channel.name not in named:
            yield f"channels.{channel.name}: no route leads to it"
    yield from _elsewhere(config)
    yield from _lacking(config)
    yield from _hushed(config)
    yield from _by_utc(config)
    yield from _networks(config)
    for kind in ("routes", "maintenance"):
        for index, one in enumerate(getattr(config, kind)):
            for key, value in config.inventory.strangers(one.match):
                yield f"{kind}[{index}].match.{key}: {value!r} fits nothing in the inventory"


def _networks(config: Config) -> Iterator[str]:
    """What is meant to be the peers of a network, which is compared as text."""
    for kind in ("routes", "maintenance"):
        for index, one in enumerate(getattr(config, kind)):
            for value in values(one.match.get("peer", [])):
                if "/" in value and _is_network(value):
                    yield f"{kind}[{index}].match.peer: {value!r} is a network: write a pattern (203.0.113.*)"


def _is_network(text: str) -> bool:
    try:
        return bool(ip_network(text, strict=False))
    except ValueError:
        return False


def _hushed(config: Config) -> Iterator[str]:
    """Quiet hours that never end: what is held is told all the same, where one window ends and the next begins."""
    for channel in config.channels:
        if channel.quiet is not None and always(channel.quiet.when):
            yield f"channels.{channel.name}: its quiet hours are all hours of the week"


def _by_utc(config: Config) -> Iterator[str]:
    """Windows without a zone of their own where messages are told by another clock: they do not follow it."""
    clock = config.notify.time_zone
    found = list[tuple[str, str, str]]()
    for channel in config.channels:
        if channel.quiet is not None and channel.quiet.time_zone == "UTC":
            told = getattr(channel.settings, "time_zone", clock)
            found.append((f"channels.{channel.name}: quiet", "quiet.time_zone", told))
    for index, route in enumerate(config.routes):
        if route.when and route.time_zone == "UTC":
            found.append((f"routes[{index}]: when", "time_zone", clock))
    for index, planned in enumerate(config.maintenance):
        if planned.weekly and planned.time_zone == "UTC":
            found.append((f"maintenance[{index}]: weekly", "time_zone", clock))
    for what, key, told in found:
        if told != "UTC":
            yield f'{what} is by UTC and messages by {told}; {key} says which ("Etc/UTC" if that is meant)'


def _elsewhere(config: Config) -> Iterator[str]:
    """Channels whose address is not their service's, which may be meant: a relay, a server of one's own, a test."""
    hosts = {kind: getattr(notifier.settings, "HOSTS", ()) for kind, notifier in load_notifiers().items()}
    for channel in config.channels:
        own, url = hosts[channel.type], read_secret(channel.settings, "url", Path())
        host = urlsplit(url or "").hostname or ""
        if not host or _fits(host, own):
            continue
        service = next((kind for kind, patterns in hosts.items() if _fits(host, patterns)), None)
        if own or service:
            whose = f", which is of {service}" if service else ""
            wanted = f", not to {' or '.join(own)}" if own else ""
            yield f"channels.{channel.name}: a channel of type {channel.type} leads to {host}{whose}{wanted}"


def _lacking(config: Config) -> Iterator[str]:
    """Channels whose address lacks what its service documents, without a word of what it has."""
    kinds = load_notifiers()
    for channel in config.channels:
        for part in getattr(kinds[channel.type].settings, "PARTS", ()):
            given = getattr(channel.settings, part.key, None)
            found = given if isinstance(given, tuple) else [read_secret(channel.settings, part.key, Path())]
            if any(value is not None and part.lacks(value) for value in found):
                yield f"channels.{channel.name}: {part.missing}"


def _fits(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _hidden_by(before: Sequence[Route], route: Route) -> int | None:
    """The route in front of it that takes all of its incidents at all times and lets none pass on."""
    found = (index for index, one in enumerate(before) if _certain(one) and takes_all_of(one.match, route.match))
    return next(found, None)


def _certain(route: Route) -> bool:
    return not route.when and not route.continue_


def _said(match: Match) -> str:
    return "; ".join(f"{key} {_listed(values(wanted))}" for key, wanted in match.items()) or "everything"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more


def _bounds(route: Route) -> str:
    when = f", {' and '.join(route.when)} ({route.time_zone})" if route.when else ""
    return when + (f", if nobody acknowledges it for {span(route.after)}" if route.after else "")

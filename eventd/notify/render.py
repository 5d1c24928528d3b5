"""From a notification to text for people: the facts once, the layout in a template per channel."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import reduce
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventd.model import SEVERITIES, Digest, Incident, Notification, Reason, Told
from eventd.notify import localtime
from eventd.notify.markup import Step, clean, cut, short
from eventd.notify.words import Words, words

ENGLISH = words()

#: The first line of a message, which is all that a phone shows of it.
MAX_HEADLINE = 120
#: One value of a fact: a sentence or two; the whole text is in the API.
MAX_VALUE = 700
#: Lines of the chain: how it began and how it stands; what lies between is in the API.
CHAIN_HEAD, CHAIN_TAIL = 4, 8
#: A headline in the plain text of a digest: enough for who and what, so that many fit.
MAX_PLAIN_LINE = 60
#: Steps in plain text, which is for far ends that take little: what to look at first.
MAX_PLAIN_STEPS, MAX_PLAIN_STEP = 3, 160
#: A site in a line of a digest: a name, not a description.
MAX_SITE = 40
#: What has waited for less in a digest is news, whose date everybody knows.
NEWS_S = 60.0
#: Steps beyond this are not read in a chat.
MAX_STEPS = 8

#: The beginning of a word or number at the end of a text that was cut there; of a long one it says enough.
_HALF_WORD = re.compile(r"(?<![!-~])[!-~]{1,15}$")


def duration_text(seconds: float, say: Words = ENGLISH) -> str:
    """``45s``, ``3m 20s``, ``2h 5m``, ``3d 4h``: the two largest units."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(say(f"span.{unit}", n=count))
    return " ".join(parts[:2])


def time_text(when: datetime, say: Words = ENGLISH) -> str:
    """A point in time as people read it, to the second, with its zone."""
    return localtime.moment(when, say.zone)


def kind_text(kind: str, say: Words = ENGLISH) -> str:
    """What a kind of incident is called."""
    return say.get(f"kind.{kind}", kind)


def peer_text(incident: Incident, say: Words = ENGLISH, where: str | None = None) -> str:
    """Name and address of the peer, whichever are known, and ``where`` it is."""
    name = incident.peer_name or incident.peer or ""
    more = [text for text in (incident.peer if incident.peer != name else None, where) if text]
    return say("value.with", text=name, more=say("value.comma").join(more)) if more else name


def reason_text(reason: Reason | None, say: Words = ENGLISH) -> str:
    """The device's own words, with the numeric code where there is one."""
    if reason is None:
        return ""
    text = say.reason(reason.text)
    return text if reason.code is None else say("value.code", text=text, code=reason.code)


def headline(incident: Incident, say: Words = ENGLISH, limit: int = MAX_HEADLINE) -> str:
    """What it is about in one short line, what has changed in front; even where the incident brings none."""
    if incident.title or incident.summary:
        news = incident.news if incident.status == "open" else None
        text = clean(say.text(incident.title or incident.summary))
        text = localtime.title(text, incident.opened_at, say.zone)
        return _titled(say("value.joined", first=say.text(news), rest=text) if news else text, limit)
    about = say("value.comma").join(filter(None, (incident.device, peer_text(incident, say))))
    return _titled(say("value.joined", first=kind_text(incident.kind, say), rest=about), limit)


def _titled(text: str, limit: int) -> str:
    """`short` of a title: what is left out is before the words that say since when it is, and no half of a word."""
    line = short(text, 4 * limit, "…")
    if len(line) <= limit:
        return line
    tail = localtime.tail(line)
    head = line[: limit - len(tail) - 1]
    return f"{_HALF_WORD.sub('', head).rstrip(' …,，;；:：')}…{tail}"


def story(incident: Incident, say: Words = ENGLISH) -> str:
    """The whole of it in a sentence or two, where the headline leaves something out."""
    text = say.text(incident.summary) if incident.title else ""
    return localtime.sentences(text, incident.opened_at, say.zone)


def state(told: Told, say: Words = ENGLISH) -> str:
    """``MAJOR``, ``UPDATE MAJOR``, ``RESOLVED``, or ``CHANGED`` where another incident goes on with it, and how late it
    is told; of an escalation how long nobody has acknowledged it; of a digest how many incidents it lists."""
    if isinstance(told, Digest):
        return say("state.digest", count=len(latest(told)))
    incident = told.incident
    if incident.status == "resolved":
        return _marked(say("state.changed" if incident.continued_by else "state.resolved"), incident, say)
    severity = say(f"severity.{incident.severity}")
    if told.escalates and told.due_at is not None:
        waited = duration_text((told.due_at - told.created_at).total_seconds(), say)
        return say("state.unacked", severity=_marked(severity, incident, say), span=waited)
    updated = told.what == "updated" and not told.first
    return _marked(say("state.update", severity=severity) if updated else severity, incident, say)


def _marked(state: str, incident: Incident, say: Words) -> str:
    """With how late it is told."""
    return say("state.late", state=state, span=duration_text(incident.late_s, say)) if incident.late_s else state


def colour(told: Told) -> str:
    """The severity by which a message is coloured: ``resolved`` where nothing in it is open."""
    incidents = [one.incident for one in (latest(told) if isinstance(told, Digest) else (told,))]
    open_ones = [incident.severity for incident in incidents if incident.status == "open"]
    return max(open_ones, key=SEVERITIES.index, default="resolved")


def latest(digest: Digest) -> list[Notification]:
    """The last notification of each incident of a digest: open ones first, the gravest of them first."""
    last = {one.incident.id: one for one in digest.notifications}
    return sorted(
        last.values(),
        key=lambda one: (one.incident.status != "open", -SEVERITIES.index(one.incident.severity)),
    )


def title(told: Told, say: Words = ENGLISH) -> str:
    """The first line of a message, which is all that a phone shows of it: state, who, what and why."""
    if isinstance(told, Digest):
        return say("value.joined", first=state(told, say), rest=digest_headline(told, say))
    return f"{state(told, say)} {headline(as_heard(told), say)}"


def as_heard(told: Notification) -> Incident:
    """The incident without its news where whoever is told has heard of nothing that it would be news to."""
    return replace(told.incident, news="") if told.first and told.untold_since is not None else told.incident


def digest_headline(digest: Digest, say: Words = ENGLISH) -> str:
    """How many of its incidents are open."""
    found = [one.incident.status for one in latest(digest)]
    return say("digest.counts", open=found.count("open"), resolved=found.count("resolved"))


def _late(incident: Incident, say: Words) -> str:
    return say("value.late", span=duration_text(incident.late_s, say)) if incident.late_s else ""


def _open_facts(incident: Incident, say: Words) -> Iterator[tuple[str, str]]:
    told = story(incident, say)
    meaning = say.text(incident.cause.meaning or "") if incident.cause else ""
    places = (("site", incident.device_site), ("vsys", incident.vsys), ("interface", incident.interface))
    where = say("value.comma").join(say(f"value.{kind}", name=name) for kind, name in places if name)
    at = say("value.site", name=incident.site) if incident.peer and incident.site else None
    yield "what", told
    yield "device", say("value.with", text=incident.device, more=where) if where else incident.device
    yield "peer", peer_text(incident, say, at)
    yield "reason", reason_text(incident.cause, say)
    yield "meaning", "" if meaning.rstrip(".") in told else meaning
    yield "side", say(f"side.{incident.fault_side}") if incident.fault_side != "unknown" else ""
    yield "since", time_text(incident.opened_at, say)
    yield "occurrences", str(incident.count) if incident.count > 1 else ""
    yield "affects", _affected(incident, say)
    yield "acked", incident.acked_by or ""
    yield "late", _late(incident, say)


def _affected(incident: Incident, say: Words) -> str:
    what = "devices" if incident.kind == "peer_outage" else "affects"
    if 0 < incident.missing < incident.count:
        return say(f"value.{what}_still", count=incident.count, left=incident.missing)
    return say(f"value.{what}", count=incident.count) if incident.missing or incident.children else ""


def _resolved_facts(incident: Incident, say: Words) -> Iterator[tuple[str, str]]:
    ended = incident.resolved_at or incident.updated_at
    yield "what", story(incident, say)
    yield "device", incident.device
    yield "peer", peer_text(incident, say)
    yield "duration", duration_text((ended - incident.opened_at).total_seconds(), say)
    yield "from", say("value.period", begin=time_text(incident.opened_at, say), end=time_text(ended, say))
    yield "was", reason_text(incident.cause, say)
    yield "late", _late(incident, say)


def chain_lines(incident: Incident, say: Words = ENGLISH) -> list[str]:
    """What happened: the first and the last lines, with the number of those between."""
    began = incident.opened_at
    lines, hidden = (
        [localtime.line(say.text(line), began, say.zone) for line in incident.chain],
        len(incident.chain) - CHAIN_HEAD - CHAIN_TAIL,
    )
    if hidden > 0:
        lines = [*lines[:CHAIN_HEAD], say("value.more", count=hidden), *lines[-CHAIN_TAIL:]]
    return [short(line, MAX_VALUE, say("value.cut")) for line in lines]


def happened(incident: Incident, say: Words = ENGLISH) -> str:
    """The heading of the chain, which says by which clock its times are where that is not UTC."""
    about = localtime.offset(incident.opened_at, say.zone)
    heading = say("part.happened")
    return heading if about == "UTC" else say("value.with", text=heading, more=about)


def action_lines(incident: Incident, say: Words = ENGLISH) -> list[Step]:
    """What to do next, the first `MAX_STEPS` steps."""
    return [Step(short(say.text(step), MAX_VALUE, say("value.cut"))) for step in incident.actions[:MAX_STEPS]]


class Line(Struct, frozen=True):
    """One incident in a digest: ``state`` and ``headline`` as in a message of its own, ``when`` it began or how long
    it lasted, with the date, as far as the headline does not say it; empty where it is news. ``site`` is that of the
    peer, else of the device; ``about``: where and when, as far as the headline leaves that open."""

    state: str
    headline: str
    when: str
    incident: Incident
    site: str = ""
    about: str = ""


def _line(told: Notification, say: Words, width: int, digest: Digest) -> Line:
    recent = (digest.created_at - told.created_at).total_seconds() < NEWS_S
    incident = as_heard(told) if recent else replace(told.incident, news="")  # for how long it was down would be over
    shown = cut(headline(incident, say), width, "…")
    when = "" if recent and digest.why == "storm" else _when(incident, localtime.told_in(shown), digest.created_at, say)
    place = incident.site or incident.device_site
    site = say("value.site", name=short(place, MAX_SITE)) if place else ""
    about = say("value.comma").join(filter(None, (site, when)))
    return Line(state(told, say), shown, when, incident, site, about)


def _when(incident: Incident, told: str, now: datetime, say: Words) -> str:
    """When it was, without what is ``told`` already (`localtime.told_in`)."""
    began, ended = incident.opened_at, incident.resolved_at or incident.updated_at
    if incident.status != "open":
        span = duration_text((ended - began).total_seconds(), say)
        return say("digest.until" if told == "span" else "digest.lasted", span=span, time=time_text(ended, say))
    if told not in ("clock", "day"):
        return say("digest.since", time=time_text(began, say))
    day, today = (f"{when.astimezone(say.zone):%Y-%m-%d}" for when in (began, now))
    return day if told == "clock" and day != today else ""


def view(notification: Notification, say: Words = ENGLISH) -> dict[str, Any]:
    """What a template may use: ``state``, ``headline``, ``facts`` (pairs of name and text), ``chain``, ``actions``,
    ``incident`` and ``notification`` as they are, ``say`` for the words of the language (docs/channels.md)."""
    incident = notification.incident
    resolved = incident.status == "resolved"
    facts = (_resolved_facts if resolved else _open_facts)(incident, say)
    return {
        "state": state(notification, say),
        "colour": colour(notification),
        "headline": headline(as_heard(notification), say),
        "facts": [(say(f"fact.{name}"), short(text, MAX_VALUE, say("value.cut"))) for name, text in facts if text],
        "happened": happened(incident, say),
        "chain": [] if resolved else chain_lines(incident, say),
        "actions": [] if resolved else action_lines(incident, say),
        "incident": incident,
        "notification": notification,
        "say": say,
    }


def _why(digest: Digest, say: Words) -> str:
    """Why several are told together, how late, and how many come after them."""
    more = say("digest.more", count=digest.more) if digest.more else ""
    waited = (digest.created_at - min(one.wanted_at for one in digest.notifications)).total_seconds()
    late = duration_text(digest.late_s or waited, say)
    parts = [say(f"digest.{digest.why}{_mixed(digest)}", span=late)]
    if digest.late_s and digest.why != "late":
        parts.append(say("digest.overdue", span=late))
    return reduce(lambda first, rest: say("digest.sentences", first=first, rest=rest), filter(None, (*parts, more)))


def _mixed(digest: Digest) -> str:
    """What the name of the sentence ends in where its reason is not that of all."""
    reasons = {"quiet": "held", "new": "catches_up"}
    holds = digest.why not in reasons or all(getattr(one, reasons[digest.why]) for one in digest.notifications)
    return "" if holds else "_and"


def digest_view(digest: Digest, say: Words = ENGLISH, width: int = MAX_HEADLINE) -> dict[str, Any]:
    """What the template of a digest may use: ``state``, ``headline``, ``why``, ``lines`` (`Line`) whose headlines have
    at most ``width`` characters, ``digest`` as it is, ``say``."""
    return {
        "state": state(digest, say),
        "colour": colour(digest),
        "headline": digest_headline(digest, say),
        "why": _why(digest, say),
        "lines": [_line(told, say, width, digest) for told in latest(digest)],
        "digest": digest,
        "say": say,
    }


def plain(told: Told, say: Words = ENGLISH, width: int = MAX_PLAIN_LINE, harmless: Callable[[str], str] = str) -> str:
    """The fallback without any template: state, headline, reason, since when, id, where to look, the first steps; of a
    digest a line per incident, with headlines of at most ``width`` characters. All of it printable, and ``harmless``
    but for our own address; the most important comes first, as there may be no room for all."""
    if isinstance(told, Digest):
        return harmless("\n".join([title(told, say), _why(told, say), *_plain_lines(told, say, width)]))
    where = clean(told.incident.url or "")
    parts = (_plain_facts(told, say), *_plain_steps(told.incident, say))
    facts, *steps = map(harmless, parts)
    return "\n".join([facts, *([where] if where else []), *steps])


def _plain_facts(told: Notification, say: Words) -> str:
    incident = told.incident
    peer, reason, since = peer_text(incident, say), reason_text(incident.cause, say), time_text(incident.opened_at, say)
    about = ((("device", incident.device), ("peer", peer)), (("reason", reason), ("since", since)))
    marker = say("value.cut")
    known = (
        " ".join(f"{say(f'fact.{name}')} {short(text, MAX_VALUE, marker)}" for name, text in line if text)
        for line in about
    )
    lines = (
        say("value.joined", first=state(told, say), rest=headline(as_heard(told), say)),
        *filter(None, known),  # of some nothing may be shown (`unshown`)
        f"{say('part.incident')} {short(incident.id, MAX_VALUE)}",
    )
    return "\n".join(lines)


def _plain_steps(incident: Incident, say: Words) -> Iterator[str]:
    steps = action_lines(incident, say)[:MAX_PLAIN_STEPS] if incident.status == "open" else []
    if steps:
        lines = (f"{number}. {cut(step, MAX_PLAIN_STEP, '…')}" for number, step in enumerate(steps, 1))
        yield "\n".join([say("part.steps") + say("value.colon"), *lines])


def _plain_lines(digest: Digest, say: Words, width: int) -> Iterator[str]:
    for told in latest(digest):
        line = _line(told, say, width, digest)
        yield " ".join(filter(None, (line.state, line.headline, line.about, short(told.incident.id, MAX_VALUE))))

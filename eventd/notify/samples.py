"""Everything that a template may be given, in samples: each kind of incident at each step of its life, outages of many,
incidents of which little is known, and digests. A template that gets through them all will not fail at night."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from eventd.model import INCIDENT_KINDS, Digest, DigestReason, Incident, Notification, Told, utc
from eventd.notify.trial import trial, trial_incident, trial_over

#: Kinds that no peer is named in: they are about a device or one of its interfaces.
WITHOUT_PEER = ("interface_outage", "device_outage", "capacity", "device_silent")
#: More lines, steps and children than any message shows.
MANY = 40
#: Incidents of a digest that has to list them all: fewer than any channel's digest holds.
LISTED = 10
#: How late the late sample is, in seconds.
LATE_S = 7200.0


def incidents() -> Iterator[tuple[str, Notification]]:
    """Samples of one incident each, by name."""
    for kind in INCIDENT_KINDS:
        yield from _life(kind.replace("_", " "), _of_kind(kind))
    group = replace(_of_kind("peer_outage"), children=tuple(f"child-{n}" for n in range(MANY)), count=MANY)
    yield from _life("outage of many", group)
    yield from _life("hardly anything known", _bare())
    full = replace(_of_kind("tunnel_down"), late_s=LATE_S, acked_by="ann", acked_note="carrier called", silenced=True)
    lines = tuple(f"10:00:{n:02} line {n}" for n in range(MANY))
    yield from _life(
        "everything known", replace(full, chain=lines, actions=lines, runbook_url="https://wiki.example/1")
    )


def digests() -> Iterator[tuple[str, Digest]]:
    """Samples of several incidents together, by name."""
    told = tuple(notification for _, notification in incidents())
    reasons: tuple[DigestReason, ...] = ("storm", "late", "quiet", "new")
    for why in reasons:
        yield f"digest ({why})", Digest(f"sample-{why}", "sample", why, told, told[0].created_at)
    yield "digest of one", Digest("sample-one", "sample", "late", told[:1], told[0].created_at)


def named() -> tuple[Digest, tuple[str, ...]]:
    """A digest of more incidents than one would count, and for each a word that is in all of its names."""
    words = tuple(f"unlisted{n}x" for n in range(LISTED))
    about = trial_incident(0.0)
    told = (
        replace(
            trial("sample", 0.0),
            id=word,
            incident=replace(
                about,
                id=word,
                title=f"{word} down",
                device=word,
                peer=word,
                peer_name=word,
                url=f"https://x.example/{word}",
            ),
        )
        for word in words
    )
    return Digest("sample-named", "sample", "storm", tuple(told), about.opened_at), words


def samples(*, of_digests: bool) -> list[tuple[str, Told]]:
    """What a template for digests, or for single incidents, has to render, by name."""
    return [*(digests() if of_digests else incidents())]


def _of_kind(kind: str) -> Incident:
    about = trial_incident(0.0)
    nobody: dict[str, Any] = {"peer": None, "peer_name": None} if kind in WITHOUT_PEER else {}
    return replace(about, id=f"sample-{kind}", kind=kind, title=f"sample of {kind}", **nobody)


def _bare() -> Incident:
    """What may be missing is missing."""
    now = utc(0.0)
    return Incident(
        id="sample-bare",
        kind="tunnel_down",
        status="open",
        severity="info",
        device="",
        peer=None,
        peer_name=None,
        site=None,
        interface=None,
        vsys=None,
        opened_at=now,
        updated_at=now,
    )


def _life(name: str, incident: Incident) -> Iterator[tuple[str, Notification]]:
    """Its beginning, a change of it, and its end."""
    opened = replace(trial("sample", 0.0), id=f"{incident.id}-opened", incident=incident)
    news = replace(incident, news="cause known", severity="critical", updated_at=utc(LATE_S))
    updated = replace(opened, id=f"{incident.id}-updated", what="updated", incident=news)
    for told in (opened, updated, trial_over(opened)):
        yield f"{name}, {told.what}", told

"""What operators see of the outbox and may do with it: the rules that every store follows."""

import hashlib
from datetime import datetime
from typing import Literal, TypedDict

from msgspec import Struct
from msgspec.structs import replace

from eventd.errors import OutboxError
from eventd.model import ChangeKind, Incident, Notification, Severity, utc

State = Literal["pending", "delivered", "dead", "superseded"]


class Letter(Struct, frozen=True):
    """A notification as it stands in the outbox. ``incident`` is an id, ``title`` what it was about when it was told.

    ``wanted_at``: when it was to be told, or what it takes the place of; ``next_try_at``: when it is tried (again),
    None for at once. ``error`` is of the last try, or why it was given up or is not told by itself. A ``dead`` one may
    have been ``sent_again_as`` another, or be closed because somebody dropped it (``dropped_by``); what was dropped
    before anybody gave it up has that as its error. ``held``: until quiet hours end; ``escalates``: told only if nobody
    acknowledges the incident; ``behind``: the notification about the same incident that its channel is told first, None
    where that is this one.
    """

    id: str
    channel: str
    what: ChangeKind
    state: State
    incident: str
    title: str
    severity: Severity
    created_at: datetime
    wanted_at: datetime
    next_try_at: datetime | None
    settled_at: datetime | None
    attempts: int
    error: str | None
    digest: str | None
    sent_again_as: str | None
    dropped_by: str | None
    behind: str | None
    held: bool
    escalates: bool

    @property
    def undelivered(self) -> bool:
        """Whether somebody may want to do something about it."""
        return self.state == "pending" or (self.state == "dead" and not (self.sent_again_as or self.dropped_by))


class LetterFilters(TypedDict, total=False):
    """Which notifications; None or absent matches all. ``id`` is how the id begins; ``undelivered`` (True): pending,
    or dead and neither sent again nor dropped; ``wanted_before`` in Unix seconds; ``before`` the ``next`` of an earlier
    page."""

    id: str | None
    channel: str | None
    state: str | None
    incident: str | None
    undelivered: bool | None
    wanted_before: float | None
    before: int | None


def make_letter(
    notification: Notification,
    state: State,
    next_at: float,
    settled_at: datetime | None,
    rest: tuple[str | None, str | None, str | None, str | None, str | None],
) -> Letter:
    """``notification`` with its attempts; ``next_at`` in Unix seconds; ``rest``: error, digest, sent again as, dropped
    by, behind."""
    about = notification.incident
    waits = state == "pending" and next_at > 0
    return Letter(
        notification.id,
        notification.channel,
        notification.what,
        state,
        about.id,
        about.title or about.summary,
        about.severity,
        notification.created_at,
        notification.wanted_at,
        utc(next_at) if waits else None,
        settled_at,
        notification.attempts,
        *rest,
        notification.held,
        notification.escalates,
    )


def told_again(dead: Notification, incident: Incident) -> Notification:
    """A new notification in place of one that was given up: about the incident as it stands now, at once, and with the
    time at which the old one was made, so that it says how late it is."""
    ident = hashlib.sha256(f"again\x1f{dead.id}".encode("utf-8", "replace")).hexdigest()[:32]
    what: ChangeKind = "updated" if dead.what == "resolved" else dead.what
    if incident.status == "resolved":
        what = "resolved"
    return replace(
        dead,
        id=ident,
        what=what,
        incident=incident,
        attempts=0,
        due_at=None,
        held=False,
        escalates=False,
        catches_up=False,
        thread=None,
    )


def check_retry(letter: Letter) -> None:
    """Raises `OutboxError` where there is nothing to try again."""
    if letter.sent_again_as is not None:
        raise OutboxError(f"{letter.id} was sent again as {letter.sent_again_as}")
    _check_unsettled(letter)


def check_drop(letter: Letter, *, in_flight: bool) -> None:
    """Raises `OutboxError` where there is nothing to drop, or where it is being told right now."""
    if in_flight:
        raise OutboxError(f"{letter.id} is being told right now")
    check_retry(letter)
    if letter.dropped_by is not None:
        raise OutboxError(f"{letter.id} was dropped by {letter.dropped_by}")


def _check_unsettled(letter: Letter) -> None:
    if letter.state not in ("pending", "dead"):
        raise OutboxError(f"{letter.id} is {letter.state} already")


def dropped(who: str) -> str:
    """Why what was dropped while it waited was not delivered."""
    return f"dropped by {who}"


def no_letter(ident: str) -> OutboxError:
    """There is none of that id."""
    return OutboxError(f"no notification {ident!r}", missing=True)

"""How long what fails is tried before it is given up, as a pure function of time."""

from collections.abc import Iterable, Mapping

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Told
from eventd.notify.lateness import members, news_at

#: A day-old alarm is history, not news; whoever was away for a day looks at the page, not at the chat.
MAX_AGE_S = 86_400.0
TOO_OLD = "too old"
#: An exception that we did not foresee is a bug that will not go away by itself; three tries rule out chance.
MAX_INTERNAL_TRIES = 3
#: A wrong proxy, a key that ran out, a webhook that somebody deleted: that the channel fails is seen at once (`eventd
#: outbox list`, ``eventd_channel_failing_timestamp_seconds``), but what broke in the evening may be mended only in the
#: morning. After such a night what was refused is given up; it is kept and can be sent again.
REFUSED_FOR_S = 12 * 3600.0
#: What a chat will not take in any form, while it takes nothing else either: not this message is wrong but the far
#: end, and an hour is longer than such a trouble of a service lasts. Where others are taken, the message is to blame.
UNHAPPY_FOR_S = 3600.0
#: After this, of what a chat will not take in any form its id and link are tried too. It is no less than a minute's
#: allowance (`pacing.COUNTED_S`) takes, so that others were tried meanwhile; a night is too long to know of nothing.
BARE_AFTER_S = 60.0
#: Who has not been refused again for a day is settled otherwise.
FORGOTTEN_AFTER_S = 86_400.0


class Refusals:
    """What one channel has been refused. When that began is in the outbox, too; who is to blame is found again after a
    restart."""

    def __init__(self, *, other_form: bool) -> None:
        """``other_form``: whether what it will not take is told in another one, too. Where there is none, it may well
        be a proxy that says so, or a receiver of another version, whatever becomes of others."""
        self._other_form = other_form
        #: id → when it was first refused (Unix seconds), and how many messages had been taken by then.
        self._first: dict[str, tuple[float, int]] = {}
        #: id of what the far end broke on, and of each notification in it → the same.
        self._broke: dict[str, tuple[float, int]] = {}
        self._taken = 0
        #: Incident → when a message about it alone was refused for good, while nothing else was (Unix seconds).
        self.culprits: dict[str, float] = {}

    def remember(self, refused: Mapping[str, float], now: float) -> None:
        """What was refused before a restart, and when; none of it later than ``now`` (Unix seconds)."""
        self._first = {ident: (min(at, now), 0) for ident, at in refused.items()}

    def since(self, ident: str) -> float | None:
        """When it was first refused (Unix seconds), if it was."""
        return self._first[ident][0] if ident in self._first else None

    def taken(self, incidents: Iterable[str]) -> None:
        """The far end took a message about ``incidents``."""
        self._taken += 1
        for incident in incidents:
            self.culprits.pop(incident, None)

    def blame(self, incident: str, now: float) -> None:
        """What is told of it is told apart from others, until some of it is taken."""
        self.culprits = {one: at for one, at in self.culprits.items() if now - at <= FORGOTTEN_AFTER_S}
        self.culprits[incident] = now

    def broke(self, told: Told, now: float) -> bool:
        """Note that the far end failed on ``told``, be that in a digest; whether it has taken something since the first
        time."""
        self._broke = _recent(self._broke, now)
        for ident in _idents(told):
            self._broke.setdefault(ident, (now, self._taken))
        return self._taken > self._broke[told.id][1]

    def over(self, told: Told) -> None:
        """It is settled."""
        for ident in _idents(told):
            self._first.pop(ident, None)
            self._broke.pop(ident, None)

    def alone(self, ident: str) -> bool:
        """Whether nothing else has been refused since the far end last took something."""
        return all(one == ident or taken < self._taken for one, (_, taken) in self._first.items())

    def lasts(self, ident: str, now: float) -> bool:
        """Whether it was refused long enough ago for its id and link to be tried."""
        began = self.since(ident)
        return began is not None and now - began >= BARE_AFTER_S

    def given_up(self, told: Told, error: DeliveryError, now: float) -> str | None:
        """Note how ``told`` failed; why it is not tried again, None where it is."""
        if now - max(map(news_at, members(told))) > MAX_AGE_S:
            return TOO_OLD
        if error.reason == DeliveryFailure.INTERNAL and told.attempts + 1 >= MAX_INTERNAL_TRIES:
            return "fails in our own code"
        refused = error.reason == DeliveryFailure.REFUSED or not error.retryable
        return self._refused_for_good(told.id, error, now) if refused else None

    def _refused_for_good(self, ident: str, error: DeliveryError, now: float) -> str | None:
        self._first = _recent(self._first, now)
        began, taken = self._first.setdefault(ident, (now, self._taken))
        refused_for = now - began
        if error.retryable:
            return "refused for too long" if refused_for > REFUSED_FOR_S else None
        to_blame = self._taken > taken or refused_for > UNHAPPY_FOR_S
        return (
            "the far end will not take it" if to_blame and (self._other_form or refused_for > REFUSED_FOR_S) else None
        )


def _idents(told: Told) -> set[str]:
    return {told.id, *(one.id for one in members(told))}


def _recent(noted: Mapping[str, tuple[float, int]], now: float) -> dict[str, tuple[float, int]]:
    return {ident: (at, taken) for ident, (at, taken) in noted.items() if now - at <= FORGOTTEN_AFTER_S}

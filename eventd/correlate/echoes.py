"""What the far end of a link says while the case of the near one tells for both (`eventd.correlate.links`)."""

from collections.abc import Callable

from msgspec.structs import replace

from eventd.correlate import books, cases, negotiation, phrases, texts, tunnels
from eventd.correlate.desk import Desk
from eventd.correlate.links import hear
from eventd.correlate.state import Case, PeerState
from eventd.model import Event

PeerRule = Callable[[Desk, PeerState, Event, float], None]

#: Events of the far end that are judged as if the near one had told them.
AS_OURS: dict[str, PeerRule] = {
    "ipsec.negotiation.fail": negotiation.on_fail,
    "ipsec.negotiation.success": tunnels.on_sign,
    "ipsec.phase1.established": tunnels.on_sign,
    "ipsec.dpd.success": tunnels.on_sign,
}


def relay(desk: Desk, echo: PeerState, event: Event, now: float, rule: PeerRule) -> None:
    """A further message of the far end, whose matter another case tells."""
    main = desk.fleet.peers.get(echo.linked)
    if main is None or main.case is None:
        echo.linked = ""
        rule(desk, echo, event, now)
        return
    _book(desk, echo, event, now)
    told = main.case
    if (as_ours := AS_OURS.get(event.event or "")) is not None:
        as_ours(desk, main, _seen_from_here(event), now)
    else:
        told.witness(event)
        told.step(now, f"{event.device}: {texts.told(event)}")
        if event.event == "ipsec.tunnel.start" and not echo.tunnels_down:
            _alive(desk, main, told, now)
        elif told.announced:
            cases.progress(desk, told, now, news=phrases.CAUSE_KNOWN if hear(told, event.reason, event.device) else "")
    desk.settle(main.key, main)


def _book(desk: Desk, echo: PeerState, event: Event, now: float) -> None:
    up = {"ipsec.tunnel.start": True, "ipsec.tunnel.stop": False}.get(event.event or "")
    if up is not None:
        tunnel = books.find(echo, event, now, wanted=not up)
        books.put(echo, tunnel, up, now)
        if up:
            books.started(echo, tunnel, event, now, desk.settings.twin_window)


def _alive(desk: Desk, main: PeerState, told: Case, now: float) -> None:
    """The far end has all its tunnels again: that proves them for both."""
    if not told.announced:
        books.believe(main, True, now)
        cases.drop(desk, main, told)
        return
    if told.kind != "flapping":
        told.weak = "resolve" not in told.timers or told.weak
        told.sooner("resolve", now + desk.settings.recovery_hold)
    cases.progress(desk, told, now)


def _seen_from_here(event: Event) -> Event:
    """Without the places and the clock of the far end, which mean nothing to the books of this one."""
    return replace(
        event,
        device_time=None,
        interface=None,
        ifindex=None,
        policy=None,
        policy_seq=None,
        flow=None,
        rule=None,
        inside=None,
        local=None,
    )

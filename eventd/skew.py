"""How far the clock of each device is from ours: what its messages say of the time, less when they arrived.

Nothing is judged by it, because eventd goes by arrival. A large difference tells that the device's clock is wrong, or
that eventd reads it wrongly: a device that prints its local time looks as far ahead as its zone is from UTC.
"""

from msgspec import Struct, field

#: The median of so many is the skew: one message that was held up, or one stamp that is nonsense, is outvoted.
SAMPLES = 5
#: From here on it is worth telling: below it are clocks without NTP, whole seconds, and relays that collect.
LARGE_S = 60.0
#: A skew that stays as it is is told of once a day.
TOLD_FOR_S = 86_400.0

#: Zones are whole multiples of 15 minutes off UTC; nearly all that firewalls stand in, of 30.
ZONE_STEP_S = 1800.0
#: The zone farthest from UTC (Kiribati, +14 h).
ZONE_MAX_S = 14 * 3600.0
#: A clock in the wrong zone is otherwise about right.
ZONE_SLACK_S = 120.0


class _Clock(Struct):
    samples: list[float] = field(default_factory=list)
    told: float = 0.0  # the skew that was last told of; 0 is the one that nobody needs to be told of
    told_at: float = 0.0

    def is_news(self, skew: float, now: float) -> bool:
        if abs(skew - self.told) >= LARGE_S:
            return True
        return self.told != 0.0 and not self.told_at <= now < self.told_at + TOLD_FOR_S


class Skews:
    """One clock per device. ``forget`` bounds it: the caller knows which devices matter."""

    def __init__(self) -> None:
        self._clocks: dict[str, _Clock] = {}

    def heard(self, device: str, difference: float, now: float) -> float | None:
        """Take in one message's time less its arrival, in seconds; the skew where somebody should be told, else None.

        That is: where it is large, until `tell`, then when it has moved, and every `TOLD_FOR_S` seconds.
        """
        clock = self._clocks.get(device)
        if clock is None:
            clock = self._clocks[device] = _Clock()
        samples = clock.samples
        samples.append(difference)
        if len(samples) > SAMPLES:
            del samples[0]
        if not clock.is_news(difference, now):
            return None
        skew = _median(samples)
        if abs(skew) < LARGE_S:
            clock.told = 0.0
            return None
        return skew if len(samples) == SAMPLES and clock.is_news(skew, now) else None

    def tell(self, device: str, skew: float, now: float) -> None:
        """Remember that somebody was told."""
        clock = self._clocks[device]
        clock.told, clock.told_at = skew, now

    def forget(self, device: str) -> None:
        """As if nothing had been heard of it."""
        self._clocks.pop(device, None)

    def seconds(self) -> dict[str, float]:
        """Skew of every device whose messages say when; positive where its clock is ahead of ours."""
        return {device: _median(clock.samples) for device, clock in self._clocks.items()}


def _median(samples: list[float]) -> float:
    return sorted(samples)[len(samples) // 2]


def advice(skew: float) -> str:
    """What a large skew most likely is, in words for the operator."""
    steps = round(skew / ZONE_STEP_S)
    zone = steps * ZONE_STEP_S
    if not steps or abs(zone) > ZONE_MAX_S or abs(skew - zone) > ZONE_SLACK_S:
        return "its clock is wrong, or its messages come late"
    hours = f"{abs(zone) / 3600:g} h {'ahead' if zone > 0 else 'behind'}"
    meanings = 'clock = "local" with its time_zone' + (', or clock = "add-offset"' if zone < 0 else "")
    return f"{hours}: most likely not its clock but how it is read; its entry in the inventory may need {meanings}"

"""What a rule may look at and do: settings, inventory, the devices' context, and its findings."""

from collections.abc import Callable

from eventd.contract import Verdict
from eventd.correlate import texts
from eventd.correlate.settings import Settings
from eventd.correlate.state import Case, DeviceState
from eventd.inventory import Inventory
from eventd.model import Change, ChangeKind


class Desk:
    """Handed to every rule. Collects what the rules conclude until `verdict` takes it away."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        external_url: str | None,
        device: Callable[[str, float], DeviceState],
    ) -> None:
        self.settings, self.inventory, self.external_url = settings, inventory, external_url
        #: The state of a device, made on first use.
        self.device = device
        self._changes: list[Change] = []
        self._suppressed: list[str] = []
        self._touched: dict[str, None] = {}

    def suppress(self, rule: str) -> None:
        """Nobody is told, because of ``rule``."""
        self._suppressed.append(rule)

    def touch(self, key: str) -> None:
        """State that has to be saved."""
        self._touched[key] = None

    def publish(self, what: ChangeKind, case: Case, at: float, *, notify: bool = True, recalled: bool = False) -> None:
        """One step in the life of an announced incident, as it stands now. ``recalled``: told once more, only because
        it is still open."""
        case.updated_at = at
        case.timers.pop("publish", None)
        incident = texts.incident(case, self.inventory, self.external_url, recalled=recalled)
        self._changes.append(Change(what, incident, notify))

    def verdict(self, *, duplicate: bool = False) -> Verdict:
        """Everything concluded since the last call."""
        found = Verdict(duplicate, tuple(self._changes), tuple(self._suppressed), tuple(self._touched))
        if self._changes:
            self._changes.clear()
        if self._suppressed:
            self._suppressed.clear()
        self._touched.clear()
        return found

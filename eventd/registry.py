"""Finds handlers, catalogues and notifiers by name, so that a new one is one new file and nothing else changes."""

import importlib
import pkgutil
from collections.abc import Collection, Iterator, Sequence
from types import ModuleType
from typing import Any

from eventd.contract import Catalogue, Handler, Notifier, SyslogTemplate, TrapTemplate
from eventd.errors import ConfigError, Problem
from eventd.model import SyslogRecord, TrapRecord

#: Where our own channels live; a string, because rooms on one floor do not import each other.
NOTIFIER_PACKAGE = "eventd.notify"


class Registry:
    """All handlers by what they claim. A key claimed twice is an error: nobody should have to guess who decodes."""

    def __init__(self, handlers: Sequence[Handler], catalogues: Sequence[Catalogue] = ()) -> None:
        self.handlers = tuple(sorted(handlers, key=lambda handler: handler.name))
        self.catalogues = tuple(catalogues)
        problems: list[Problem] = []
        self._by_mnemonic = _claims(self.handlers, "mnemonics", problems)
        self._by_oid = _claims(self.handlers, "oids", problems)
        self._by_opening = _claims(self.handlers, "openings", problems)
        self._openings = tuple(self._by_opening)
        self._longest = max(map(len, self._openings), default=0)
        if not self.handlers:
            problems.append(Problem("handlers", "no handler found in the packages named"))
        if problems:
            raise ConfigError(problems)

    def claims(self, mnemonic: str) -> bool:
        """Whether anybody claims lines of that mnemonic."""
        return mnemonic.casefold() in self._by_mnemonic

    def for_syslog(self, record: SyslogRecord) -> Handler | None:
        """Who claims this line: by its mnemonic, or by the program name where there is none (cloud gateway). A mnemonic
        that nobody claims may come with a notification OID that somebody does; a line without a tag has its words."""
        key = record.mnemonic or record.app_name
        if key is None:
            return self._by_words(record.text)
        handler = self._by_mnemonic.get(key.casefold())
        if handler is None and record.oid is not None:
            handler = self._by_oid.get(record.oid)
        return handler

    def _by_words(self, text: str) -> Handler | None:
        start = text[: self._longest].lower()
        if not start.startswith(self._openings):
            return None
        return self._by_opening[next(words for words in self._openings if start.startswith(words))]

    def for_trap(self, record: TrapRecord) -> Handler | None:
        """Who claims this notification; v1 and its converters disagree about the OID, so every candidate is tried."""
        for oid in record.lookup:
            if handler := self._by_oid.get(oid):
                return handler
        return None

    @property
    def vendors(self) -> tuple[str, ...]:
        """Every vendor that has a handler."""
        return tuple(sorted({handler.vendor for handler in self.handlers}))

    @property
    def syslog_templates(self) -> dict[str, list[SyslogTemplate]]:
        """How each event is worded in syslog, by event name."""
        return self.syslog_templates_of(self.vendors)

    @property
    def trap_templates(self) -> dict[str, list[TrapTemplate]]:
        """How each event is sent as a notification, by event name."""
        return self.trap_templates_of(self.vendors)

    def syslog_templates_of(self, vendors: Collection[str]) -> dict[str, list[SyslogTemplate]]:
        """The same of some vendors only."""
        return _by_event(template for handler in self._of(vendors) for template in handler.syslog_templates)

    def trap_templates_of(self, vendors: Collection[str]) -> dict[str, list[TrapTemplate]]:
        """The same of some vendors only."""
        return _by_event(template for handler in self._of(vendors) for template in handler.trap_templates)

    def _of(self, vendors: Collection[str]) -> Iterator[Handler]:
        return (handler for handler in self.handlers if handler.vendor in vendors)


def _claims(handlers: Sequence[Handler], attribute: str, problems: list[Problem]) -> dict[str, Handler]:
    claimed: dict[str, Handler] = {}
    for handler in handlers:
        for key in getattr(handler, attribute):
            owner = claimed.setdefault(key.casefold(), handler)
            if owner is not handler:
                problems.append(Problem("handlers", f"{key} is claimed by both {owner.name} and {handler.name}"))
    return claimed


def _by_event(templates: Iterator[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for template in templates:
        grouped.setdefault(template.event, []).append(template)
    return grouped


def _constants(package: str, name: str, kind: type) -> Iterator[Any]:
    """Every module constant ``name`` of type ``kind`` in a package and the packages below it."""
    for module in _modules(package):
        value = getattr(module, name, None)
        if isinstance(value, kind):
            yield value


def _modules(package: str) -> Iterator[ModuleType]:
    """A package and every module below it, imported."""
    root = _imported(package)
    yield root
    for found in pkgutil.walk_packages(getattr(root, "__path__", []), root.__name__ + "."):
        yield _imported(found.name)  # before `walk_packages` does, which swallows an ImportError


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a package may do anything while it is imported; no name at all is a ValueError
        what = f"package {name!r} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigError([Problem("handlers", what)]) from error


def load(packages: Sequence[str] = ("handlers",)) -> Registry:
    """Import the handler packages and collect what they export.

    Raises:
        ConfigError: a package cannot be imported, holds no handler, or two handlers claim one key.
    """
    return Registry(
        [handler for package in packages for handler in _constants(package, "HANDLER", Handler)],
        [catalogue for package in packages for catalogue in _constants(package, "CATALOGUE", Catalogue)],
    )


def load_notifiers() -> dict[str, Notifier]:
    """Every kind of channel, by its ``type`` in the configuration."""
    return {notifier.kind: notifier for notifier in _constants(NOTIFIER_PACKAGE, "NOTIFIER", Notifier)}

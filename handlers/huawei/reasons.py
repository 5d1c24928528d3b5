"""Why a tunnel ended or was not made: `reasons.toml` as a catalogue, and the look-up of what a device gave as reason.

Offline reasons (OfflineReason of IPSECTUNNELSTOP, text only) and negotiation reasons (Reason and ReasonCode of
IPSECNEGOFAIL) are separate spaces: the same words mean different things in them.
Conditions are what other messages state.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from eventd.contract import Catalogue, CatalogueRow
from eventd.model import Reason

CONDITION = "condition"
SPACES = ("offline", "negotiation", CONDITION)
#: What an event can fill into a step, by placeholder.
PLACEHOLDERS = ("peer", "local", "interface", "policy")
#: Filled reasons remembered: every reason of every peer of a large hub in a bad hour.
MAX_FILLED = 16_384
#: Longest reason, and longest values in its steps, that are remembered: the MIB allows 128 octets of reason, 63 of
#: interface name and 255 of policy name. Longer ones are explained all the same, each time anew.
MAX_REMEMBERED = 512


class Found(Struct, frozen=True):
    """A filled reason and, where text and code contradict each other, what the code alone would mean."""

    reason: Reason
    code_text: str | None = None


def normalise(text: str) -> str:
    """Lower case, no quotes, brackets or final dot, ``-`` and ``_`` as blanks, blanks collapsed."""
    plain = re.sub(r"[\"\[\]“”]", "", text).replace("-", " ").replace("_", " ")
    return " ".join(plain.lower().split()).rstrip(".").rstrip()


def _load() -> tuple[CatalogueRow, ...]:
    raw = tomllib.loads(files(__package__).joinpath("reasons.toml").read_text("utf-8"))
    sources: dict[str, str] = {key: row["ref"] for key, row in raw["source"].items()}
    return tuple(
        _row(space, name, row, sources, raw["last_step"].get(space, []))
        for space in SPACES
        for name, row in raw[space].items()
    )


def _row(space: str, name: str, row: Mapping[str, Any], sources: Mapping[str, str], last: list[str]) -> CatalogueRow:
    cited = tuple(sources[key] for key in row["sources"])
    codes = tuple(row.get("codes", ()))
    return CatalogueRow(
        vendor="huawei",
        space=space,
        reason=Reason(
            text=name,
            name=name,
            code=codes[0] if codes else None,
            known=True,
            phase=row["phase"],
            category=row["category"],
            expected=row.get("expected", False),
            needs_recovery_check=row.get("needs_recovery_check", True),
            severity=row["severity"],
            meaning=row["meaning"],
            actions=(*row["actions"], *last),
            source=cited[0],
        ),
        aliases=tuple(row.get("aliases", ())),
        aliases_unverified=tuple(row.get("aliases_unverified", ())),
        codes=codes,
        sources=cited,
        note=row.get("note"),
    )


CATALOGUE = Catalogue("huawei", _load())


def _by_text() -> dict[tuple[str, str], CatalogueRow]:
    """Canonical names win over aliases, aliases over guesses."""
    found: dict[tuple[str, str], CatalogueRow] = {}
    for names in (lambda row: (row.reason.name,), lambda row: row.aliases, lambda row: row.aliases_unverified):
        for row in CATALOGUE.rows:
            for name in names(row):
                found.setdefault((row.space, normalise(name)), row)
    return found


_BY_TEXT = _by_text()
_BY_CODE = {(row.space, code): row for row in CATALOGUE.rows for code in row.codes}

_UNKNOWN = Reason(
    text="",
    meaning="The device gave a reason that this catalogue does not list.",
    actions=(
        "Look at the device itself: `display ike error-info` and `display ike offline-info`",
        "See whether the tunnel to <peer> is back: `display ike sa remote <peer>`",
        "Look the text up in the alarm or log reference of this device's release, and report it to be added",
    ),
)


def resolve(space: str, text: str | None, code: int | None, context: Mapping[str, str]) -> Reason:
    """What a device gave as reason, explained, with the steps filled for this event.

    ``text`` is kept as it is; where only a code came, the catalogue's text stands in. The code decides only where the
    text is missing or unknown. ``context`` maps placeholder names to values; what it lacks stays readable.
    """
    return find(space, text, code, context).reason


def find(space: str, text: str | None, code: int | None, context: Mapping[str, str]) -> Found:
    """As `resolve`, and whether text and code agree."""
    values = tuple(map(context.get, PLACEHOLDERS))
    if sum(map(len, context.values())) + len(text or "") > MAX_REMEMBERED:
        return _find(space, text, code, values)
    return _remembered(space, text, code, values)


def _find(space: str, text: str | None, code: int | None, values: tuple[str | None, ...]) -> Found:
    said = _BY_TEXT.get((space, normalise(text))) if text else None
    coded = _BY_CODE.get((space, code)) if code is not None else None
    row = said or coded
    reason = row.reason if row else _UNKNOWN
    filled = replace(
        reason,
        text=text or reason.text or f"code {code}",
        code=code,
        actions=tuple(_fill(step, values) for step in reason.actions),
    )
    contradicts = said is not None and coded is not None and said is not coded
    return Found(filled, coded.reason.name if contradicts and coded else None)


_remembered = lru_cache(MAX_FILLED)(_find)


def _fill(step: str, values: tuple[str | None, ...]) -> str:
    for name, value in zip(PLACEHOLDERS, values, strict=True):
        if value:
            step = step.replace(f"<{name}>", value)
    return step


def lists(space: str, text: str) -> bool:
    """Whether the catalogue lists this text."""
    return (space, normalise(text)) in _BY_TEXT

"""``eventd reasons``: the catalogue of what devices give as reasons, searchable."""

import difflib
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence

import click
from msgspec import Struct, json

from eventd.cli.options import format_option
from eventd.cli.text import block, line, reason_lines, table
from eventd.contract import CatalogueRow
from eventd.registry import load

#: Up to so many hits are shown with their steps; more become a table.
MAX_DETAILED = 5

#: Category → who has to act. ``carrier`` is whoever runs the path between the gateways.
WHO_BY_CATEGORY = {
    "peer-unreachable": "carrier",  # nothing came back although both ends had agreed: path first, then the far device
    "administrative": "local",  # an operator or a policy of this device did it
    "lifetime": "both",  # two lifetimes that do not fit each other; either end can change its own
    "address": "both",  # addresses and ports as each end sees them through NAT
    "authentication": "both",  # a secret or certificate that the two ends see differently
    "rekey": "both",  # part of normal operation; when it fails, timers of both ends matter
    "sa-desync": "local",  # this device can clear its SAs, and its boards or units lost them
    "policy-track": "local",  # this device watches something of its own and gave up
    "dns": "local",  # this device asks its resolver
    "configuration": "both",  # settings have to match; who is wrong shows only side by side
    "capacity": "local",  # limits of this device
    "unknown": "both",
}
#: Reasons whose text names the side, against the rule of their category.
WHO_BY_NAME = {
    "peer request": "peer",
    "peer cert is expired": "peer",
    "peer cert is revoked by CRL": "peer",
    "no valid local cert": "local",
    "own certificate expired": "local",
    "own certificate not valid": "local",
    "own certificate about to expire": "local",
    "CA certificate expired": "local",
    "CA certificate not valid": "local",
    "whitelist negotiation failure": "local",
    "form cert payload fail": "local",
    "construct local ID fail": "local",
    "local address mismatch": "local",
    "no policy applied on interface": "local",
    "none of user's interface is selected": "local",
    "an ike sa deletion message was received from peer": "peer",
    "an ipsec sa deletion message was received from peer": "peer",
    "unavailable certificate": "local",
    "unavailable transform set": "local",
    "incomplete configuration": "local",
    "incorrect configuration": "local",
}

#: What people type → what the catalogue says, both as `_plain` spells them.
SYNONYMS = {"psk": "pre shared key"}


class Shown(Struct, frozen=True):
    """One reason as it is printed."""

    name: str
    vendor: str
    space: str
    codes: tuple[int, ...]
    aliases: tuple[str, ...]
    aliases_unverified: tuple[str, ...]
    gloss: str | None
    meaning: str | None
    phase: str | None
    category: str
    who: str
    expected: bool
    severity: str | None
    actions: tuple[str, ...]
    sources: tuple[str, ...]
    note: str | None


@click.command()
@click.argument("words", nargs=-1, metavar="[TEXT|CODE]")
@click.option("--vendor", help="Only reasons of this vendor.")
@click.option(
    "--space",
    type=click.Choice(["offline", "negotiation", "condition"]),
    help="Why a tunnel ended, or was not made; other states.",
)
@format_option("A table or blocks, or an object per line.")
def command(words: tuple[str, ...], vendor: str | None, space: str | None, form: str) -> None:
    """Search the reason catalogue by name, alias, code or words of meaning and steps; without an argument list all.

    Exit status: 0 found, 1 nothing fits.

    \b
    eventd reasons dpd timeout
    eventd reasons 18 --vendor huawei
    eventd reasons -f json
    """
    text = " ".join(words) if words else None
    rows = [row for catalogue in load().catalogues for row in catalogue.rows]
    rows = [row for row in rows if vendor in (None, row.vendor) and space in (None, row.space)]
    hits = rows if text is None else search(rows, text)
    if not hits:
        click.echo(f"eventd: no reason fits{'' if text is None else f' {text!r}{_near(rows, text)}'}", err=True)
        sys.exit(1)
    shown = [show(row) for row in hits]
    if form == "json":
        for one in shown:
            click.echo(json.encode(one))
    elif text is not None and len(shown) <= MAX_DETAILED:
        click.echo("\n\n".join(_detailed(one, row) for one, row in zip(shown, hits, strict=True)))
    else:
        _table(shown)


def _plain(text: str) -> str:
    """Spelling that all writings of one reason share: devices differ in case, quotes, hyphens and dots."""
    bare = text.casefold().strip("\"'[]. ")
    return " ".join(bare.replace("-", " ").replace("_", " ").split())


def _names(row: CatalogueRow) -> Iterator[str]:
    yield row.reason.name or row.reason.text
    yield from row.aliases
    yield from row.aliases_unverified


def search(rows: Sequence[CatalogueRow], text: str) -> list[CatalogueRow]:
    """Rows with that code; else with exactly that name or alias; else that have every word of ``text`` somewhere."""
    if text.isdecimal():
        return [row for row in rows if int(text) in (*row.codes, row.reason.code)]
    wanted = _plain(text)
    if exact := [row for row in rows if wanted in map(_plain, _names(row))]:
        return exact
    words = " ".join(SYNONYMS.get(word, word) for word in wanted.split()).split()
    hits = [row for row in rows if words and all(word in _haystack(row) for word in words)]
    return sorted(hits, key=lambda row: _rank(row, words))


def _rank(row: CatalogueRow, words: Sequence[str]) -> int:
    """What a reason is called or means comes before what is done about it."""
    reason = row.reason
    said = (" ".join(_names(row)), reason.gloss or "", reason.meaning or "")
    ranked = (rank for rank, text in enumerate(map(_plain, said)) if all(word in text for word in words))
    return next(ranked, len(said))


def _haystack(row: CatalogueRow) -> str:
    return _plain(
        " ".join(
            [*_names(row), row.reason.gloss or "", row.reason.category, row.reason.meaning or "", *row.reason.actions]
        )
    )


def _near(rows: Iterable[CatalogueRow], text: str) -> str:
    names: dict[str, str] = {}
    for name in itertools.chain.from_iterable(map(_names, rows)):
        names.setdefault(_plain(name), name)  # a row's own name comes before its aliases
    near = difflib.get_close_matches(_plain(text), names, n=3, cutoff=0.5)
    return f"; near: {', '.join(names[name] for name in near)}" if near else ""


def who_acts(row: CatalogueRow) -> str:
    """``local``, ``peer``, ``carrier`` or ``both``."""
    return WHO_BY_NAME.get(row.reason.name or "", WHO_BY_CATEGORY.get(row.reason.category, "both"))


def show(row: CatalogueRow) -> Shown:
    """Everything about one row, in the order in which people ask."""
    reason = row.reason
    return Shown(
        name=reason.name or reason.text,
        vendor=row.vendor,
        space=row.space,
        codes=row.codes or (() if reason.code is None else (reason.code,)),
        aliases=row.aliases,
        aliases_unverified=row.aliases_unverified,
        gloss=reason.gloss,
        meaning=reason.meaning,
        phase=reason.phase,
        category=reason.category,
        who=who_acts(row),
        expected=reason.expected,
        severity=reason.severity,
        actions=reason.actions,
        sources=row.sources,
        note=row.note,
    )


def _codes(shown: Shown) -> str:
    return ", ".join(map(str, shown.codes))


def _detailed(shown: Shown, row: CatalogueRow) -> str:
    steps = [text for text in reason_lines(row.reason) if not text.lstrip().startswith(("reason", "source"))]
    return block(
        shown.name,
        [
            line("that is", shown.gloss),
            line("vendor", shown.vendor, f"{shown.space} reason", f"code {_codes(shown)}" if shown.codes else ""),
            line("also", ", ".join(shown.aliases)),
            line("maybe also", ", ".join(shown.aliases_unverified)),
            line("phase", shown.phase),
            line("category", shown.category, "expected: no page by itself" if shown.expected else ""),
            line("who acts", shown.who),
            *steps,
            line("note", shown.note),
            *(line("source" if number == 0 else "", source) for number, source in enumerate(shown.sources)),
        ],
    )


def _table(shown: Sequence[Shown]) -> None:
    headings = ("reason", "code", "space", "vendor", "category", "who acts", "expected")
    rows = [
        (one.name, _codes(one), one.space, one.vendor, one.category, one.who, "yes" if one.expected else "")
        for one in shown
    ]
    click.echo(table(headings, rows, wraps=("reason",)), nl=False)

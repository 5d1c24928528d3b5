"""What another configuration would have changed, as text for people: differences of one sort together, then totals."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from eventd.cli.text import table
from eventd.correlate.texts import span
from eventd.printable import printable
from eventd.whatif import Comparison, Difference, Pair, Under

#: Incidents of one sort that are named.
NAMED = 5
#: Parts of a course that are times, and what happened then.
TIMES = {"opened_at": "began", "announced_at": "opened", "resolved_at": "over"}
#: Parts that count by name, and what there is without any.
COUNTS = {"told": ("told", "nobody"), "kept": ("kept by", "no rule")}
#: Parts that are severities.
STEPS = {"opened_severity": "opened as", "severity": "ended as"}


def told_apart(first: str, second: str) -> tuple[str, str]:
    """Two paths as short as they still differ."""
    one, other = Path(first).parts, Path(second).parts
    length = next((n for n in range(1, len(one)) if one[-n:] != other[-n:]), len(one))
    return "/".join(one[-length:]), "/".join(other[-length:])


def differences_text(found: Iterable[Difference], config: str, against: str) -> Iterator[str]:
    """One block per sort of difference, in the order of the first of each."""
    names = {"config": config, "against": against}
    sorts: dict[tuple[str, ...], list[Difference]] = defaultdict(list)
    for one in found:
        where = f"only under {names[one.under]}" if one.under else f"not the same under {against}"
        sorts[f"{where}, {one.kind}", *_sort(one)].append(one)
    for (head, *_), members in sorts.items():
        count = f"{len(members)} incident{'' if len(members) == 1 else 's'}"
        left = len(members) - NAMED
        lines = [*_says(members, names), *map(_named, members[:NAMED]), *([f"and {left} more"] if left > 0 else [])]
        yield "\n".join([printable(f"{head}: {count}"), *(f"  {printable(text)}" for text in lines)])


def _named(one: Difference) -> str:
    course = one.config or one.against
    assert course is not None
    return f"- {course.opened_at:%Y-%m-%d %H:%M:%S}  {one.device}  {course.title}"


# --- times: those of one sort moved the same way, if not as far ------------------------------------------------------


def _moved(one: Difference, part: str) -> float | None:
    """By how many seconds; None where only one of the two has that time: one is not over."""
    before, after = getattr(one.config, part), getattr(one.against, part)
    return None if before is None or after is None else (after - before).total_seconds()


def _way(one: Difference, part: str) -> str:
    seconds = _moved(one, part)
    if seconds is None:
        return "never" if getattr(one.against, part) is None else "at last"
    return "later" if seconds > 0 else "earlier"


def _shifts(members: Sequence[Difference]) -> Iterator[str]:
    for part in (part for part in TIMES if part in members[0].parts):
        distances = sorted(abs(seconds) for one in members if (seconds := _moved(one, part)) is not None)
        by = list(dict.fromkeys(_span(seconds) for seconds in (distances[:1] + distances[-1:])))
        yield " ".join(filter(None, (TIMES[part], " to ".join(by), _way(members[0], part))))


def _span(seconds: float) -> str:
    return span(seconds) if seconds >= 1 else f"{seconds:.3f} s"


# --- counts: of one sort as a sum ------------------------------------------------------------------------------------


def _ways(one: Difference, part: str) -> Iterator[str]:
    """Which names have more or fewer now, and whether none is left."""
    before, after = getattr(one.config, part), getattr(one.against, part)
    for name in sorted({*before, *after}):
        change = after.get(name, 0) - before.get(name, 0)
        yield f"{name} {(change > 0) - (change < 0)}"
    yield f"{bool(before)} {bool(after)}"


def _sum(members: Iterable[Difference], side: str, part: str) -> str:
    total = Counter[str]()
    for one in members:
        total.update(getattr(getattr(one, side), part))
    return ", ".join(f"{name} {count}×" for name, count in sorted(total.items())) or COUNTS[part][1]


# --- the rest --------------------------------------------------------------------------------------------------------


def _sort(one: Difference) -> Iterator[str]:
    """What is alike in all of one sort."""
    course = one.config or one.against
    assert course is not None
    if one.under:
        yield from (course.severity, *sorted(course.told), *sorted(course.kept), str(bool(one.instead)), *one.judged)
        return
    for part in one.parts:
        if part in TIMES:
            yield f"{part} {_way(one, part)}"
        elif part in COUNTS:
            yield from (part, *_ways(one, part))
        else:
            yield f"{part} {getattr(one.config, part)} {getattr(one.against, part)}"


def _says(members: Sequence[Difference], names: Mapping[str, str]) -> Iterator[str]:
    one = members[0]
    if one.under:
        yield from _says_lone(members, one.under, names)
        return
    yield from _shifts(members)
    for part in one.parts:
        if part in COUNTS:
            yield f"{COUNTS[part][0]} {_sum(members, 'against', part)} instead of {_sum(members, 'config', part)}"
        elif part not in TIMES:
            yield f"{STEPS[part]} {getattr(one.against, part)} instead of {getattr(one.config, part)}"


def _says_lone(members: Sequence[Difference], under: Under, names: Mapping[str, str]) -> Iterator[str]:
    one = members[0]
    course = one.config or one.against
    assert course is not None
    kept = f" (kept by {', '.join(sorted(course.kept))})" if course.kept else ""
    yield f"{course.severity}, told {_sum(members, under, 'told')}{kept}"
    found = ["another incident there"] if one.instead else []
    found += [f"judged {', '.join(one.judged)}"] if one.judged else []
    yield f"{names['against' if under == 'config' else 'config']}: {'; '.join(found) or 'nothing of it'}"


# --- totals ----------------------------------------------------------------------------------------------------------


def totals_text(found: Comparison, config: str, against: str) -> str:
    """How many are alike, and a line per kind, channel and rule that either has."""
    count = found.incidents
    head = (
        f"{count.same} incidents the same, {count.differ} not, {count.only_config} only under {config}, "
        f"{count.only_against} only under {against}"
    )
    rows = [
        ("incidents", *_row(Pair(found.config.incidents.opened, found.against.incidents.opened))),
        *_rows("opened", found.opened),
        *_rows("told", found.told),
        *_rows("suppressed", found.suppressed),
    ]
    return printable(head) + "\n" + table(("", config, against, "change"), rows)


def _rows(what: str, pairs: Mapping[str, Pair]) -> Sequence[tuple[str, str, str, str]]:
    return [(f"  {what} {name}", *_row(pair)) for name, pair in pairs.items() if pair.config or pair.against]


def _row(pair: Pair) -> tuple[str, str, str]:
    change = pair.against - pair.config
    return str(pair.config), str(pair.against), f"{change:+d}" if change else ""

"""What was found as tables: aligned for a terminal, or as Markdown for docs/benchmarks.md."""

from collections.abc import Iterable, Iterator, Sequence

from goals import Goal
from growth_curve import Grown
from msgspec import Struct
from results import (
    OURS,
    STAGES,
    TELLING,
    Comparison,
    Costs,
    Growth,
    Latency,
    Part,
    Result,
    Scraped,
    Seen,
    Soaked,
    Spread,
    p99,
    summed,
    together,
)


class Table(Struct, frozen=True):
    """Cells as text; the first ``words`` columns are words, the others figures. ``note``: what the head cannot say."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""
    words: int = 1

    def aligned(self) -> str:
        """For a terminal."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [
            "  ".join(
                f"{cell:<{width}}" if place < self.words else f"{cell:>{width}}"
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.head, *self.rows)
        ]
        return "\n".join([f"\n{self.title}", *lines, *([self.note] if self.note else [])])

    def markdown(self) -> str:
        """For a document."""
        rows = (self.head, ("---",) * len(self.head), *self.rows)
        lines = ["|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in rows]
        return "\n".join([f"### {self.title}\n", *lines, *([f"\n({self.note})"] if self.note else [])])


def rates(results: Sequence[Result]) -> Table:
    """A line for each program and load."""
    rows, last = [], ""
    for one in results:
        rate = f"{'>= ' if one.open_ended else ''}{one.rate:,.0f}"
        least = f"{min(one.rates):,.0f} to {max(one.rates):,.0f}" if len(one.rates) > 1 else ""
        load = one.load if one.load != last else ""
        by = "" if one.contender == OURS else f"{one.ratio:.2f}"
        rows.append((load, one.contender, rate, least, by, f"{one.cpu_us:,.1f}", f"{one.peak_mb:,.0f}"))
        last = one.load
    head = ("load", "program", "messages/s", "least to most", "of eventd's", "CPU µs/message", "peak MB")
    return Table("Rates without loss", head, rows, words=2)


def goals(found: Sequence[Goal]) -> Table:
    """All of them."""
    rows = [
        (
            one.what,
            one.wanted,
            one.found,
            "not measured" if one.by is None else "reached" if one.by >= 1 else f"{one.by:.2f}",
            "" if one.by_cpu is None else f"{one.by_cpu:.2f}",
        )
        for one in found
    ]
    reached = sum(one.by is not None and one.by >= 1 for one in found)
    measured = sum(one.by is not None for one in found)
    title = f"Goals: {reached} of {len(found)} reached, {len(found) - measured} not measured"
    return Table(title, ("goal", "wanted", "found", "of that", "by CPU time"), rows)


def latencies(found: Sequence[Latency]) -> Table:
    """A line for each share of the capacity of each load."""

    def cell(spread: Spread | None) -> str:
        return "" if spread is None else f"{spread} of {spread.samples:,}"

    rows = [
        (
            f"{one.load} {one.share:.0%}" + (f", lost {one.lost}" if one.lost else ""),
            f"{one.rate:,.0f}",
            *(cell(spread) for spread in (one.judged, one.commit, one.committed, one.telling)),
        )
        for one in found
    ]
    head = ("load, share of what it bears", "messages/s", "judged ms", "one commit ms", "committed ms", "told ms")
    note = (
        "p50/p99/p999 of so many; - where there are fewer than 100 or 1,000. Each row is of the round with the median "
    )
    note += "p99 to the commit, told of all rounds: 20 alerts a second, each of an incident opened between the load"
    return Table("Latency", head, rows, note)


def tunnels(more: Growth) -> Table:
    """What many tunnels add."""
    row = (f"{more.tunnels:,}", f"{more.few_us:.0f}", f"{more.many_us:.0f}", f"{more.more:+.0%}")
    return Table("Tunnels known", ("tunnels", "CPU µs/message, 1,000 known", "all known", "median of ratios"), [row])


def scraped(found: Scraped) -> Table:
    """Reception beside scrapes."""
    rows = []
    for name, tries in (("nobody asks", found.without), ("asked every second", found.beside)):
        lost, costs = sum(one.lost for one in tries), sorted(one.cpu_us for one in tries)
        delay = p99(tries)
        each = ", ".join("-" if one.committed is None else f"{one.committed.p99:.0f}" for one in tries)
        rows.append((name, f"{lost}", "" if delay is None else f"{delay:.0f}", each, f"{costs[len(costs) // 2]:.0f}"))
    asked = (f"{path} {max(took) * 1e3:,.0f} ms at most of {len(took)}" for path, took in found.answers.items())
    title = f"Reception while scraped, {found.peers:,} peers known, {found.rate:,.0f} messages/s"
    head = ("", "lost", "p99 to the commit, ms", "each try", "CPU µs/message, answers included")
    return Table(title, head, rows, "; ".join(asked))


def stages(costs: Sequence[Costs]) -> Table:
    """Stages down, loads across."""
    rows = [(f"{name}: {what}", *(f"{one.stages[name]:.1f}" for one in costs)) for name, what in STAGES.items()]
    rows.append(
        ("between: whole less all of these (calls, threads that wait)", *(f"{one.between:.1f}" for one in costs))
    )
    rows.append(("whole: through the pipeline", *(f"{one.whole:.1f}" for one in costs)))
    head = ("CPU µs per message", *(one.load for one in costs))
    return Table("Where the time goes", head, rows, "Each row is a median of its own, so that columns need not add up")


def telling(costs: Sequence[Costs]) -> Table:
    """What a notification costs by itself."""
    told = [one for one in costs if one.notifications_per_1000]
    rows = [(f"{name}: {what}", *(f"{one.telling[name]:.0f}" for one in told)) for name, what in TELLING.items()]
    rows.append(("notifications per 1,000 messages", *(f"{one.notifications_per_1000:.1f}" for one in told)))
    return Table("What telling costs", ("CPU µs per notification", *(one.load for one in told)), rows)


def curves(found: Sequence[Grown]) -> Table:
    """One line for each."""
    rows = [
        (
            one.name,
            f"{one.sizes[0]:,} to {one.sizes[-1]:,}",
            f"{one.costs[0]:,.1f} to {one.costs[-1]:,.1f} {one.unit}",
            f"{one.latencies_ms[0]:,.1f} to {one.latencies_ms[-1]:,.1f}" if any(one.latencies_ms) else "",
            f"{one.exponent:.2f}",
            (f"worse: {one.why}" if one.why else "worse") if one.is_worse else "",
        )
        for one in found
    ]
    head = ("over", "sizes", "cost", "longest wait, ms", "cost ~ size to the power of", "than a logarithm")
    return Table("Growth", head, rows)


def soak(found: Soaked) -> Table:
    """About ten lines of a soak."""
    step = max(1, len(found.seen) // 10)
    rows = [look(one) for one in (*found.seen[:-1:step], *found.seen[-1:])]
    title = f"{found.seconds / 60:.0f} minutes at {found.rate:,.0f} messages/s"
    note = f"{found.sent:,} messages, {found.lost} lost, {found.events:,} events, the ledger balances; after the first "
    note += (
        f"third memory grows by {found.mb_per_minute:+.2f} MB a minute, {found.bytes_per_message:+.1f} bytes a message"
    )
    return Table(title, SOAK_HEAD, rows, note, 0)


SOAK_HEAD = ("after s", "MB", "CPU of a core", "judged p99, s", "commit p99, s", "scrape, s", "lost", "store MB")


def look(one: Seen) -> tuple[str, ...]:
    """One look at a soak; both p99 are bounds of buckets."""
    p99s = (f"{one.p99_judged_s:g}", f"{one.p99_commit_s:g}", f"{one.scrape_s:.3f}")
    return (
        f"{one.at_s:.0f}",
        f"{one.megabytes:.1f}",
        f"{one.cpu:.2f}",
        *p99s,
        f"{one.lost}",
        f"{one.store_megabytes:.1f}",
    )


def parts(ran: Sequence[Part]) -> Table:
    """When each part ran, and beside what."""
    rows = []
    for one in ran:
        loads = (" ".join(f"{load:.1f}" for load in loads) for loads in (one.about.load_begin, one.about.load_end))
        took = (f"{one.about.took_s / 60:.1f}", f"{one.disk_gb:.1f}")
        rows.append((one.command, one.about.at, one.about.commit, *took, *loads, one.failed or "done"))
    head = ("part", "began", "commit", "minutes", "disk at most, GB", "load average at the begin", "at the end", "")
    return Table("What ran", head, rows, words=3)


def comparison(found: Comparison) -> Iterator[Table]:
    """All of it."""
    yield rates(summed(found.rows))
    yield latencies(together(found.latencies))
    if found.tunnels is not None:
        yield tunnels(found.tunnels)
    if found.scraped is not None:
        yield scraped(found.scraped)


def printed(tables: Iterable[Table]) -> Iterator[str]:
    """Those that have rows."""
    return (table.aligned() for table in tables if table.rows)

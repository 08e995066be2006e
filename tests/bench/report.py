"""The measured as one table, with what it must be held against."""

import statistics
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from tests.bench.measures import (
    ALONE,
    APPROVALS,
    BURST,
    BURSTS,
    COMMANDS,
    COMMENTS,
    DELAY,
    IN_FLIGHT,
    RUNS,
    Measured,
)

Cell = Callable[[Measured], str]

ROWS: tuple[tuple[str, Cell], ...] = (
    (f"Ack, {ALONE} presses one by one", lambda it: _acks(it.alone)),
    (f"Ack, {COMMANDS} commands one by one", lambda it: _acks(it.alone_by_command)),
    (f"Ack, {BURST} presses at once", lambda it: _acks(it.at_once)),
    ("Click to thread, comment form", lambda it: _whole(it.form_to_thread)),
    ("Click to thread, approve button", lambda it: _whole(it.approve_to_thread)),
    ("Click to thread, comment command", lambda it: _whole(it.command_to_thread)),
    ("Comments a second", lambda it: _rate(it.comments_a_second)),
    ("Approvals a second", lambda it: _rate(it.approvals_a_second)),
)
FLOOR = 2 * DELAY * 1000  # ms
NOTES = f"""\
Ack: p50 / p99 of the HTTP round trip of a signed request. Presses are of "Approve", each on a
waiting task of its own. One by one: at rest in between. At once: all of {BURSTS} bursts.
Click to thread: median, with {DELAY * 1000:.0f} ms on every outside call, until the reply stands \
in Slack, and
as a multiple of the floor, two calls ({FLOOR:.0f} ms). Rates: {IN_FLIGHT} in flight, until the \
last reply; median
of {RUNS} runs of {COMMENTS} comment forms or {APPROVALS} approvals.
Ours records each operation durably before the ack; bare Bolt loses them when it stops.
bolt: ack, then the calls in the listener. bolt-pbr: the calls in a task started after ack().
The sandboxes run in the bench's process, clicks leave from a second, the program is a third."""


def show(all_measured: Mapping[str, Measured]) -> None:
    console = Console(width=100)
    console.print(_table(all_measured))
    console.print(NOTES, highlight=False)
    console.print("\nOutside calls of one click, once caches are warm:", highlight=False)
    for which, measured in all_measured.items():
        for click, calls in measured.calls.items():
            line = f"  {which:9}{click:19}{_calls(calls)}"
            console.print(line, highlight=False, soft_wrap=True)


def _table(all_measured: Mapping[str, Measured]) -> Table:
    table = Table()
    table.add_column("")
    for which in all_measured:
        table.add_column(which, justify="right", no_wrap=True)
    for name, cell in ROWS:
        table.add_row(name, *(cell(measured) for measured in all_measured.values()))
    return table


def _acks(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    slowest = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    return f"{_ms(statistics.median(ordered))} / {_ms(slowest)} ms"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= DELAY else f"{seconds * 1000:.1f}"


def _whole(seconds: list[float]) -> str:
    took = statistics.median(seconds)
    return f"{_ms(took)} ms, {took / (2 * DELAY):.2f} x"


def _rate(rates: list[float]) -> str:
    return f"{statistics.median(rates):.0f}"


def _calls(calls: Mapping[str, float]) -> str:
    total = sum(calls.values())
    return f"{total:g}: " + ", ".join(f"{count:g} {name}" for name, count in sorted(calls.items()))

"""The measured as one table, with what it must be held against."""

import statistics
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from tests.bench.measures import ALONE, BURST, BURSTS, COMMANDS, DELAY, IN_FLIGHT, Measured

Cell = Callable[[Measured], str]

ROWS: tuple[tuple[str, Cell], ...] = (
    (f"Acknowledgement, {ALONE} presses, one after another", lambda it: _acks(it.alone)),
    (f"  the same for {COMMANDS} slash commands", lambda it: _acks(it.alone_by_command)),
    (f"Acknowledgement, {BURST} presses at once, {BURSTS} times", lambda it: _acks(it.at_once)),
    ("Click to thread: comment by form", lambda it: _whole(it.form_to_thread)),
    ("  approve by button", lambda it: _whole(it.approve_to_thread)),
    ("  comment by slash command", lambda it: _whole(it.command_to_thread)),
    (f"Comments a second, {IN_FLIGHT} in flight", lambda it: _rate(it.comments_a_second)),
    (f"Approvals a second, {IN_FLIGHT} in flight", lambda it: _rate(it.approvals_a_second)),
)
NOTES = f"""\
Acknowledgement: p50 / p99 of the HTTP round trip of a signed request, in ms; the presses are of
"Approve", each on a waiting task of its own. One after another: the program is at rest again.
Click to thread: median, with {DELAY * 1000:.0f} ms on every outside call, until the reply stands \
in Slack;
in brackets as a multiple of two such calls, the least there can be. Rates: median of the runs.
Ours records each operation durably before it acknowledges; bare Bolt forgets them in a crash.
bolt acknowledges, then calls in the listener; bolt-pbr calls in a task started after ack().
The sandboxes run in the bench's process, the clicks leave from a second, the program is a third."""


def show(all_measured: Mapping[str, Measured]) -> None:
    console = Console(width=100)
    console.print(_table(all_measured))
    console.print(NOTES, highlight=False)
    console.print("\nCalls of one click, without what is cached:", highlight=False)
    for which, measured in all_measured.items():
        for click, calls in measured.calls.items():
            console.print(f"  {which:9}{click:20}{_calls(calls)}", highlight=False)


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
    return f"{statistics.median(ordered) * 1000:.1f} / {slowest * 1000:.1f} ms"


def _whole(seconds: list[float]) -> str:
    took = statistics.median(seconds)
    return f"{took * 1000:.0f} ms ({took / (2 * DELAY):.2f} x)"


def _rate(rates: list[float]) -> str:
    return f"{statistics.median(rates):.0f}"


def _calls(calls: Mapping[str, float]) -> str:
    return ", ".join(f"{count:g} {name}" for name, count in sorted(calls.items()))

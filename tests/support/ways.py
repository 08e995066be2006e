"""The ways through the rooms: as docs/architecture.md has them, and as they are taken."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(?P<file>[\w/]+\.py)` \| `(?P<function>\w+)` \|", re.MULTILINE)
ROOMS = ("bot/", "handlers/")


class Stop(NamedTuple):
    """A function of ours, by its name and that of its file."""

    file: str
    function: str


def documented_ways() -> dict[str, list[Stop]]:
    """Return the stops in the tables of the document, by the heading above them."""
    ways = {}
    for section in (ROOT / "docs/architecture.md").read_text().split("\n## "):
        heading, _, text = section.partition("\n")
        if stops := [Stop(**row.groupdict()) for row in ROW.finditer(text)]:
            ways[heading] = stops
    return ways


WAYS = documented_ways()


@contextmanager
def traced_calls() -> Iterator[dict[Stop, None]]:
    """Collect the functions of ours that are called, in the order of their first calls.

    In this thread and in those that begin meanwhile. Whoever clears the collection begins anew.
    """
    calls: dict[Stop, None] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        path = frame.f_code.co_filename.removeprefix(f"{ROOT}/")
        if event == "call" and path.startswith(ROOMS):
            calls.setdefault(Stop(path, frame.f_code.co_name))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)

"""The log: a flood of lines of one kind is a few, and their number."""

import logging
from types import TracebackType

import pytest

from bot.logs import Damper, hide

ERROR = (ValueError, ValueError("x"), None)
Error = tuple[type[BaseException], BaseException, TracebackType | None]


class Lines:
    """What a damper lets through, at moments that a test names."""

    def __init__(self) -> None:
        self.now = 0.0
        self.damper = Damper(["flooded"], interval=60, clock=lambda: self.now)

    def write(
        self, message: str = "too slow", name: str = "flooded", error: Error | None = None
    ) -> int | None:
        """Return how many were left out before a line that is written; None where it is not."""
        record = logging.LogRecord(name, logging.WARNING, "", 1, message, (), error)
        written = self.damper.filter(record)
        return int(getattr(record, "suppressed", 0)) if written else None


def test_of_a_flood_a_few_lines_are_written_and_the_rest_are_counted() -> None:
    lines = Lines()
    assert [lines.write() for _ in range(1000)] == [0, 0, 0] + 997 * [None]
    lines.now = 60
    assert [lines.write() for _ in range(5)] == [997, 0, 0, None, None]
    lines.now = 200
    assert lines.write() == 2
    lines.now = 300
    assert lines.write() == 0


def test_lines_of_another_kind_are_written_beside_a_flood() -> None:
    lines = Lines()
    for _ in range(1000):
        lines.write()
    assert lines.write("too many") == 0
    assert lines.write(error=ERROR) == 0
    assert [lines.write(name="bot") for _ in range(10)] == 10 * [0]


def test_what_is_remembered_of_kinds_has_a_limit() -> None:
    lines = Lines()
    assert [lines.write(str(number)) for number in range(10 * Damper.KINDS)] == [0] * (
        10 * Damper.KINDS
    )
    assert [lines.write() for _ in range(1000)].count(None) == 997


@pytest.mark.parametrize(
    "text",
    [
        "http://robot:s3cret@proxy.example:3128",
        "http://robot:%733cret%40s3cret@proxy.example:3128/",
        "http://robot:s3@cret@proxy.example",
        "http://robot:s3/cret@proxy.example:3128",
        "http://:s3cret@proxy.example",
        "http://s3cret@proxy.example",
        "postgresql://bot:s3cret@database/bot",
        "Proxy-Authorization: Basic s3cret",
        "{'Proxy-Authorization': 'Basic s3cretZ0VERg=='}",
        "Authorization: Bearer s3cretZ0VERg",
    ],
)
def test_a_password_is_hidden_wherever_an_address_or_a_header_has_one(text: str) -> None:
    hidden = hide(f"before {text} after")
    assert "s3" not in hidden
    assert "cret" not in hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")


@pytest.mark.parametrize(
    "text",
    [
        "https://secmaster.example:8443/v1/tasks?by=alice@example.com",
        "put it into SLACK_PROXY as http://user:password@host:port",
        "see https://slack.com/ and write to alice@example.com",
    ],
)
def test_what_is_no_password_stays(text: str) -> None:
    assert hide(text) == text

"""The log: what is heard at which level, and a flood of lines of one kind is a few."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import pytest
import structlog

from bot.logs import CHATTY, OURS, Damper, hide, open_log

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


@contextmanager
def opened(level: str) -> Iterator[None]:
    """Open the log in this block, and leave each logger as it was."""
    levels = {name: logging.getLogger(name).level for name in ("", *OURS, *CHATTY)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])  # pytest's own must not be closed
        open_log(level)
        yield
    for name, number in levels.items():
        logging.getLogger(name).setLevel(number)


def heard(level: str, capsys: pytest.CaptureFixture[str]) -> set[tuple[str, str]]:
    """Return which of several loggers is heard on which level, where the log is opened at one."""
    with opened(level):
        for name in ("bot.app", "handlers.traces", "asyncio", "slack_sdk.web"):
            for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
                logging.getLogger(name).log(number, "something")
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    return {(line["logger"].partition(".")[0], line["level"]) for line in lines}


def test_libraries_are_never_heard_below_info(capsys: pytest.CaptureFixture[str]) -> None:
    """There they log headers, bodies and addresses, whatever ours says at that level."""
    lines = heard("debug", capsys)
    assert {("bot", "debug"), ("handlers", "debug"), ("asyncio", "info")} <= lines
    assert {name for name, level in lines if level == "debug"} == {"bot", "handlers"}
    assert ("slack_sdk", "info") not in lines


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        ("info", {"info", "warning", "error"}),
        ("warning", {"warning", "error"}),
        ("error", {"error"}),
    ],
)
def test_a_level_holds_for_all(
    level: str, levels: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = heard(level, capsys)
    assert {each for name, each in lines if name == "bot"} == levels
    assert {each for _, each in lines} == levels


def test_what_is_bound_to_some_work_is_on_each_of_its_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with opened("info"):
        with structlog.contextvars.bound_contextvars(operation="17"):
            logging.getLogger("bot.app").info("inside")
        logging.getLogger("bot.app").info("outside")
    inside, outside = map(json.loads, capsys.readouterr().err.splitlines())
    assert inside["operation"] == "17"
    assert "operation" not in outside


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


@pytest.mark.parametrize(
    "text",
    ["token" + " " * 8000, "://" * 2700, "://a:" + "b" * 8000, "authorization=basic" + " " * 8000],
)
def test_what_a_stranger_has_logged_is_searched_in_no_time(text: str) -> None:
    """It took three seconds, in which no click was answered."""
    began = time.process_time()
    hide(text)
    assert time.process_time() - began < 0.5


def test_secrets_are_hidden_however_deep_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    deep = {"reasons": ["bad xoxb-123-secret"], "error": ValueError("xapp-1-secret"), "count": 3}
    with opened("info"):
        logging.getLogger("bot").warning("refused", extra={"details": deep})
    line = json.loads(capsys.readouterr().err)
    assert line["details"] == {"reasons": ["bad [hidden]"], "error": "[hidden]", "count": 3}

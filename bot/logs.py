"""Log to standard error: readable lines on a terminal, JSON lines otherwise, never a secret."""

import logging
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TextIO

import structlog

# Slack tokens, and whatever a header or URL carries after a telling name. In an address: all before
# the last @ of its host, as a password may have an @ in it, and one that is not encoded a / too.
# What is only explained is no secret. Each repetition in the middle has an end: strangers choose
# what is logged of a broken request, and the search for one of 8,000 spaces took three seconds.
SECRETS = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+"
    r"|(?i:(?:signature|ticket|token|authorization|bearer)['\"]?(?:\s{0,4}[=:]\s{0,4}|\s{1,4})['\"]?)"
    r"(?:(?i:basic|bearer)\s{1,4}[^\s'\"&,]+|[^\s'\"&,]{8,})"
    r"|(?<=://)(?!user:password@)[^/\s'\"]{1,400}(?=@)"
    r"|(?<=://)(?!user:password@)[^/\s'\":@]{0,100}:(?!\d{1,5}/)[^\s'\"]{1,400}(?=@)"
    r"|(?<=://hooks\.slack)[^\s'\"]+"
)
OURS = ("bot", "handlers")
# At INFO each repeats what our own lines say better, and logs addresses with their secrets. The
# last one puts whole calls and answers into words as long as it has no level of its own.
CHATTY = (
    *("httpx", "aiohttp.access", "alembic", "slack_bolt", "slack_sdk", "dbos"),
    "slack_sdk.web.async_base_client",
)

# What anybody who can reach our port can make these say, as often as they like.
FLOODED = ("asyncio", "aiohttp.server", "bot.web.connections", "bot.web.server")


class Damper(logging.Filter):
    """Lets a few lines of one kind through in each interval, and counts the others.

    Lines of one logger that begin alike, with the same kind of error, are of one kind;
    ``loggers`` are those that are damped.
    The first line of the next interval says in ``suppressed`` how many were left out.
    """

    ALLOWED = 3
    KINDS = 200  # remembered at most

    def __init__(
        self,
        loggers: Collection[str],
        interval: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._loggers = frozenset(loggers)
        self._interval = interval
        self._clock = clock
        self._lines: dict[tuple[object, ...], tuple[float, int]] = {}  # since when, and how many

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written."""
        if record.name not in self._loggers:
            return True
        error = record.exc_info[0] if record.exc_info else None
        kind, now = (record.name, str(record.msg)[:40], error), self._clock()
        since, lines = self._lines.get(kind, (now, 0))
        if now - since >= self._interval:
            if lines > self.ALLOWED:
                record.suppressed = lines - self.ALLOWED
            since, lines = now, 0
        if len(self._lines) >= self.KINDS:
            self._lines.clear()
        self._lines[kind] = since, lines + 1
        return lines < self.ALLOWED


def open_log(level: str = "info") -> None:
    """Send the records of every logger to standard error, our own from this level on.

    Libraries are never heard below INFO: there they log headers, bodies and addresses.
    """
    handler = log_handler(sys.stderr)
    handler.addFilter(Damper(FLOODED))
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(number)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def log_handler(stream: TextIO) -> logging.Handler:
    """Return what writes records to a stream, with what is bound to the context of their work."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = stream.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _hide_secrets,
                renderer,
            ],
        )
    )
    return handler


def hide(text: str) -> str:
    """Return the text with "[hidden]" for everything that looks like a secret."""
    return SECRETS.sub("[hidden]", text)


def _hide_secrets(_logger: Any, _method: str, event: Any) -> Any:
    return _hidden(event)


def _hidden(value: Any) -> Any:
    """Return a value of a line with secrets hidden, however deep they stand in it."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return hide(value)
        case Mapping():
            return {key: _hidden(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_hidden(each) for each in value]
        case _:
            return hide(str(value))

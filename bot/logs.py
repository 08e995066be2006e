"""Logs: for eyes on a terminal, JSON lines otherwise; no secret gets through either way."""

import logging
import re
import sys
from typing import Any

import structlog

# Slack tokens, and whatever a header or URL carries after a telling name.
SECRETS = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+"
    r"|(?i:(?:signature|ticket|token|authorization|bearer)['\"]?\s*[=: ]\s*['\"]?)[^\s'\"&,]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?<=://hooks\.slack)[^\s'\"]+"
)
# Each says at INFO what our own lines say better, addresses with their secrets included.
CHATTY = ("httpx", "aiohttp.access", "alembic", "slack_bolt", "slack_sdk", "dbos")


def open_log(level: int = logging.INFO) -> None:
    """Send every logger's lines to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = sys.stderr.isatty()
    last = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _hide,
                last,
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def hide(text: str) -> str:
    """The text without anything that looks like a secret."""
    return SECRETS.sub("[hidden]", text)


def _hide(_logger: Any, _method: str, event: Any) -> Any:
    return {key: hide(value) if isinstance(value, str) else value for key, value in event.items()}

"""Log to standard error: readable lines on a terminal, JSON lines otherwise, never a secret."""

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
# At INFO each repeats what our own lines say better, and logs addresses with their secrets.
CHATTY = ("httpx", "aiohttp.access", "alembic", "slack_bolt", "slack_sdk", "dbos")


def open_log(level: int = logging.INFO) -> None:
    """Send the records of every logger to standard error."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
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
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def hide(text: str) -> str:
    """Return the text with "[hidden]" for everything that looks like a secret."""
    return SECRETS.sub("[hidden]", text)


def _hide_secrets(_logger: Any, _method: str, event: Any) -> Any:
    return {key: hide(value) if isinstance(value, str) else value for key, value in event.items()}

"""The error that Slack answers a refused call with."""

from typing import Any


class SlackError(Exception):
    """A refusal by Slack: its error code, and the other fields of its answer."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra

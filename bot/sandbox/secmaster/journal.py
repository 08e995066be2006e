"""What was asked of the sandbox."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request to SecMaster or IAM.

    ``status`` is what the service answered, whether or not the answer arrived; a request that
    a fault kept from the service has the fault's status, or 0 if it was hung up on.
    ``signed_by`` is ``aksk``, ``token``, ``iam`` or "". ``applied``: it took effect.
    """

    endpoint: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    signed_by: str
    request_id: str
    at: datetime
    applied: bool


class Journal:
    """Every request, in the order in which it was dealt with."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.requests: list[Received] = []
        self._changed = changed

    def add(self, received: Received) -> None:
        self.requests.append(received)
        self._changed()

    def writes(self, endpoint: str, target: str = "") -> list[Received]:
        """The requests to an endpoint that took effect; ``target`` is an id in their path."""
        return [
            one
            for one in self.requests
            if one.endpoint == endpoint
            and one.applied
            and one.method != "GET"
            and (not target or target in one.path.split("/"))
        ]

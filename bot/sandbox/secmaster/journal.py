"""The journal of all requests to SecMaster and IAM."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

MOST_SHOWN = 20_000


@dataclass(frozen=True)
class Received:
    """One request to SecMaster or IAM.

    ``status`` is the service's answer, whether or not it arrived; a request that a fault kept
    from the service has the fault's status, or 0 if its connection was cut. ``signed_by`` is
    ``aksk``, ``token``, ``iam`` or "", ``key`` the AK or the IAM user's name; a token is a
    secret and has none. ``applied`` says whether the request took effect.
    """

    endpoint: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    signed_by: str
    key: str
    request_id: str
    at: datetime
    applied: bool

    @property
    def write(self) -> bool:
        """Whether it was to change something; a search and asking for a token change nothing."""
        return self.method != "GET" and self.endpoint not in ("CreateToken", "SearchPolicyRecord")

    def concerns(self, target: str) -> bool:
        """Whether ``target`` is an id in the path; "" stands for any."""
        return not target or target in self.path.split("/")


def shortened(body: Any) -> Any:
    """Return a body as it is, or the beginning of its JSON and how long that was."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    if len(text) <= MOST_SHOWN:
        return body
    mark = f" [cut: {len(text):,} characters]"
    return text[: MOST_SHOWN - len(mark)] + mark


class Journal:
    """Every request, in the order in which they were answered.

    ``changed`` is called for each one.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.requests: list[Received] = []
        self._changed = changed

    def add(self, received: Received) -> None:
        self.requests.append(received)
        self._changed()

    def find(
        self, target: str = "", *, writes: bool = False, limit: int | None = None
    ) -> list[Received]:
        """Return the newest ``limit`` requests about ``target``, or only the writes of them."""
        newest = (
            request
            for request in reversed(self.requests)
            if request.concerns(target) and (request.write or not writes)
        )
        return list(islice(newest, limit))[::-1]

    def writes(self, endpoint: str, target: str = "") -> list[Received]:
        """Return the writes to an endpoint that took effect; ``target`` is an id in the path."""
        return [
            request
            for request in self.requests
            if request.endpoint == endpoint
            and request.applied
            and request.method != "GET"
            and request.concerns(target)
        ]

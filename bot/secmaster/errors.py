"""What can go wrong when asking SecMaster.

SecMasterError
 ├─ Unreachable      never connected: nothing was sent
 ├─ AnswerLost       sent, perhaps in part; no whole answer came
 ├─ Refused          it said no: any other 4xx, or a 200 that says it failed
 │   ├─ Invalid      400, 422
 │   ├─ NotFound     404
 │   ├─ Forbidden    401, 403
 │   └─ Conflict     409
 ├─ Unavailable      429 and 5xx: not now
 └─ Unreadable       an answer that nobody can read

The question behind the tree is ``error.in_doubt``: may a write that met this have taken
effect? Whoever sends a write again must read first when it is true.
"""

from http import HTTPStatus
from typing import ClassVar


class SecMasterError(Exception):
    """Asking SecMaster, or IAM on the way to it, did not give a usable answer.

    ``message`` is plain text of at most 500 characters, free of credentials; ``request_id``
    is what Huawei support asks for. ``unsent`` tells that the trouble was with IAM: the
    request itself had no effect on SecMaster, whatever became of the call to IAM.
    """

    # Only the message is an argument by position, hence the whole of `args`; pickle calls the
    # class with `args` and then restores the other fields from `__dict__`.

    may_have_happened: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        request_id: str = "",
        unsent: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.unsent = unsent

    @property
    def in_doubt(self) -> bool:
        """Whether a write that met this may have taken effect."""
        return self.may_have_happened and not self.unsent


class Unreachable(SecMasterError):
    """No connection came about, so nothing was sent."""


class AnswerLost(SecMasterError):
    """The request was sent, perhaps in part, and no whole answer came back."""

    may_have_happened = True


class Refused(SecMasterError):
    """SecMaster understood and said no."""


class Invalid(Refused):
    """The request is wrong in itself (400, 422)."""


class NotFound(Refused):
    """No such task, instance or attachment (404)."""


class Forbidden(Refused):
    """The credentials, the clock or the rights are not good enough (401, 403)."""


class Conflict(Refused):
    """Its present state does not allow this (409)."""


class Unavailable(SecMasterError):
    """Throttled (429) or in trouble (5xx); ``retry_after`` is in seconds where it was given."""

    retry_after: float | None = None

    @property
    def in_doubt(self) -> bool:
        # A throttled request was turned away at the gateway; a 5xx says nothing of the kind.
        return self.status != HTTPStatus.TOO_MANY_REQUESTS and not self.unsent


class Unreadable(SecMasterError):
    """An answer came that is not in the promised form: HTML, nothing, another shape."""

    may_have_happened = True

"""What can go wrong when asking SecMaster.

SecMasterError
 ├─ Unreachable      never connected: nothing was sent
 ├─ AnswerLost       sent, perhaps in part; no whole answer came
 ├─ Refused          it said no: any other 4xx, or a 200 that says it failed
 │   ├─ Invalid      400, 422
 │   ├─ NotFound     404 of SecMaster's own
 │   ├─ NotRouted    404 of something before SecMaster: nothing is known of the object
 │   ├─ Forbidden    401, 403
 │   └─ Conflict     409
 ├─ Unavailable      429 and 5xx: not now
 └─ Unreadable       an answer that nobody can read

The question behind the tree is ``error.write_effect``: may a write that met this have taken
effect? Whoever sends a write again must read first where it may.
"""

from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar

# Of a 502 with this code Huawei's table says that the backend could not be reached. The same code
# with another status means something else.
BACKEND_UNAVAILABLE = "APIGW.0201"


class WriteEffect(StrEnum):
    """What the answer to a write, or the lack of one, proves about its effect.

    NONE: it had none. UNREACHED: it had none by the gateway's word, but a connection that was
    reset in the middle of an answer may read the same. POSSIBLE: it may have had one, or may
    still have.
    """

    NONE = "none"
    UNREACHED = "unreached"
    POSSIBLE = "possible"


class SecMasterError(Exception):
    """Asking SecMaster, or IAM on the way to it, did not give a usable answer.

    ``message`` is plain text of at most 500 characters, free of credentials; ``request_id``
    is what Huawei support asks for. ``is_unexplained`` where the answer gave no reason and the
    message is ours. ``unsent`` tells that the trouble was with IAM: the
    request itself had no effect on SecMaster, whatever became of the call to IAM.
    """

    # Only the message is an argument by position, hence the whole of `args`; pickle calls the
    # class with `args` and then restores the other fields from `__dict__`.

    _write_effect: ClassVar[WriteEffect] = WriteEffect.NONE
    is_unexplained: bool = False

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
    def write_effect(self) -> WriteEffect:
        """What this proves about the effect of a write that met it."""
        return WriteEffect.NONE if self.unsent else self._write_effect

    @property
    def in_doubt(self) -> bool:
        """Whether a write that met this may have taken effect."""
        return self.write_effect is not WriteEffect.NONE


class Unreachable(SecMasterError):
    """No connection came about, so nothing was sent; ``cause`` is what the network says of it."""

    cause: str = ""


class AnswerLost(SecMasterError):
    """The request was sent, perhaps in part, and no whole answer came back."""

    _write_effect = WriteEffect.POSSIBLE


class Refused(SecMasterError):
    """SecMaster understood and said no."""


class Invalid(Refused):
    """The request is wrong in itself (400, 422)."""


class NotFound(Refused):
    """No such task, instance or attachment (404, with a code of SecMaster's)."""


class NotRouted(Refused):
    """Turned away before SecMaster was asked (404 of the API gateway, a proxy or a wrong address).

    Says nothing about whether the object exists.
    """


class Forbidden(Refused):
    """The credentials, the clock or the rights are not good enough (401, 403)."""


class Conflict(Refused):
    """Its present state does not allow this (409)."""


class Unavailable(SecMasterError):
    """Throttled (429) or in trouble (5xx); ``retry_after`` is in seconds where it was given."""

    retry_after: float | None = None

    @property
    def write_effect(self) -> WriteEffect:
        if self.unsent or self.status == HTTPStatus.TOO_MANY_REQUESTS:  # turned away at the gateway
            return WriteEffect.NONE
        if (self.status, self.code) == (HTTPStatus.BAD_GATEWAY, BACKEND_UNAVAILABLE):
            return WriteEffect.UNREACHED
        return WriteEffect.POSSIBLE


class Unreadable(SecMasterError):
    """An answer came that is not in the promised form: HTML, nothing, another shape."""

    _write_effect = WriteEffect.POSSIBLE

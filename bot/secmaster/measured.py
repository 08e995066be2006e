"""What is measured of SecMaster's endpoints: how each request ended, and how long it took."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import wraps
from http import HTTPStatus
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from bot.secmaster.errors import (
    AnswerLost,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
)

log = logging.getLogger(__name__)


class Endpoint(StrEnum):
    """SecMaster's endpoints, by its own names."""

    SHOW_TASK = "ShowTask"
    LIST_TASKS = "ListTasks"
    UPDATE_TASK = "UpdateTask"
    SHOW_INSTANCE = "ShowAopWorkflowInstance"
    LIST_INSTANCES = "ListAopWorkflowInstance"
    UPDATE_INSTANCE = "UpdateWorkflowInstance"
    UPLOAD_ATTACHMENT = "UploadAttachment"
    SHOW_ATTACHMENT = "ShowAttachment"
    DOWNLOAD_ATTACHMENT = "DownloadAttachment"
    SHOW_ALERT = "ShowAlert"
    SHOW_INCIDENT = "ShowIncident"
    SHOW_DATAOBJECT = "ShowDataobject"
    SHOW_RESOURCE = "ShowResource"
    SEARCH_POLICY_RECORDS = "SearchPolicyRecord"
    SHOW_WORKFLOW = "ShowAopWorkflow"
    SHOW_WORKFLOW_VERSION = "ShowAopWorkflowVersion"
    SHOW_PLAYBOOK = "ShowPlaybook"
    SHOW_PLAYBOOK_VERSION = "ShowPlaybookVersion"
    SHOW_PLAYBOOK_INSTANCE = "ShowPlaybookInstance"
    LIST_PLAYBOOK_INSTANCES = "ListPlaybookInstances"
    CHANGE_PLAYBOOK_INSTANCE = "ChangePlaybookInstance"
    SHOW_PLAYBOOK_TOPOLOGY = "ShowPlaybookTopology"


class RequestOutcome(StrEnum):
    """How a request ended; ABANDONED: whoever asked did not wait for the answer."""

    OK = "ok"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    LOST = "lost"
    UNREADABLE = "unreadable"
    ABANDONED = "abandoned"


OnRequest = Callable[[Endpoint, RequestOutcome, float], None]


class Measured(Protocol):
    """A client that tells ``on_request`` of each request, and of the seconds that it took."""

    on_request: OnRequest


P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=Measured)
Method = Callable[Concatenate[C, P], Awaitable[R]]


def ignore(_endpoint: Endpoint, _outcome: RequestOutcome, _seconds: float) -> None:
    """Measure nothing."""


def measured(endpoint: Endpoint) -> Callable[[Method[C, P, R]], Method[C, P, R]]:
    """Have a client's method tell how it ended; what is refused before it is sent is no request."""

    def decorate(method: Method[C, P, R]) -> Method[C, P, R]:
        @wraps(method)
        async def ask(client: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
            began = time.monotonic()

            def tell(outcome: RequestOutcome) -> None:
                seconds = time.monotonic() - began
                client.on_request(endpoint, outcome, seconds)
                facts = {"endpoint": endpoint, "outcome": outcome, "ms": round(seconds * 1000)}
                log.debug("SecMaster was asked", extra=facts)

            try:
                answer = await method(client, *args, **kwargs)
            except SecMasterError as error:
                tell(outcome_of(error))
                raise
            except asyncio.CancelledError:
                tell(RequestOutcome.ABANDONED)
                raise
            tell(RequestOutcome.OK)
            return answer

        return ask

    return decorate


def outcome_of(error: SecMasterError) -> RequestOutcome:
    """Return how a request ended that met this error."""
    match error:
        case Unavailable() if error.status == HTTPStatus.TOO_MANY_REQUESTS:
            return RequestOutcome.THROTTLED
        case Unavailable():
            return RequestOutcome.UNAVAILABLE
        case Refused():
            return RequestOutcome.REFUSED
        case Unreachable():
            return RequestOutcome.UNREACHABLE
        case AnswerLost():
            return RequestOutcome.LOST
        case _:
            return RequestOutcome.UNREADABLE

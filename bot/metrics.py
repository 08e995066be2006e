"""What this process counts and times of its own work, as one object that is handed in.

Values of labels are members of enums, so that none is anybody's text and their number has a bound.
What the database holds is no part of it: see `bot.web.metrics`.

https://prometheus.io/docs/practices/naming/
"""

import platform
import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import product
from typing import assert_never

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from bot import __version__
from bot.domain.actions import TABLE, Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.deliveries import DeliveryKind, DeliveryOutcome
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.secmaster import Endpoint, RequestOutcome
from bot.slack.measured import CallOutcome, SlackMethod

PREFIX = "secmaster_bot"
# They would double what is exposed, and process_start_time_seconds says it once.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types

# In seconds. Slack waits for three; ours answers after 2.6 whatever happens.
ACKNOWLEDGEMENT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 2.5, 3)
STAGE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
CALL_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Ending(StrEnum):
    """How an operation ended, as whoever is on call for the bot sees it.

    HALTED: it was not to be done, by a rule, by people, or by the state of its object. FAILED: it
    was to be done, and was certainly not. COUNTED: an approval that waits for others. CHANGED: an
    approval was withdrawn or declined.
    """

    DONE = "done"
    COUNTED = "counted"
    CHANGED = "changed"
    HALTED = "halted"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """A part of an operation's way.

    RECORDED is from its arrival until it is on record, WRITTEN from there until what it did at
    SecMaster is, REPLIED from there until people were told.
    """

    RECORDED = "recorded"
    WRITTEN = "written"
    REPLIED = "replied"


def ending_of(operation: Operation, outcome: Outcome) -> Ending:
    """Return how an operation ended that has this outcome."""
    match outcome.state:
        case OperationState.DONE:
            gives = operation.intent is ApprovalIntent.GIVE
            return Ending.DONE if gives else Ending.CHANGED
        case OperationState.COUNTED:
            return Ending.COUNTED
        case OperationState.UNKNOWN | OperationState.PENDING | OperationState.IN_DOUBT:
            return Ending.UNKNOWN
        case OperationState.FAILED:
            return Ending.HALTED if _is_halt(outcome.reason_code) else Ending.FAILED
        case _:
            assert_never(outcome.state)


def _is_halt(reason: OutcomeReason) -> bool:
    """Return whether a reason is a rule's, people's or the object's, and nobody's fault."""
    match reason:
        case (
            OutcomeReason.NOT_ALLOWED
            # The object is not open to this, or is not what was decided on.
            | OutcomeReason.NOT_NOW
            | OutcomeReason.CHANGED
            | OutcomeReason.LOST
            | OutcomeReason.NOT_FOUND
            | OutcomeReason.CONFLICT
            # Approvals.
            | OutcomeReason.ALREADY_APPROVED
            | OutcomeReason.SAME_AUTHORITY
            | OutcomeReason.NOT_YOUR_TURN
            | OutcomeReason.REQUEST_OVER
            | OutcomeReason.REQUEST_LAPSED
            | OutcomeReason.NO_REQUEST
            | OutcomeReason.ALREADY_SENDING
            # What somebody asked for is not possible there.
            | OutcomeReason.CANNOT_POST
            | OutcomeReason.FILE_TOO_LARGE
        ):
            return True
        case (
            OutcomeReason.NONE
            | OutcomeReason.PERSON_UNKNOWN
            | OutcomeReason.TOO_OLD
            | OutcomeReason.ATTRIBUTION_FAILED
            | OutcomeReason.FILE_UNAVAILABLE
            | OutcomeReason.FILE_DELAYED
            # What reading after a doubt showed.
            | OutcomeReason.READ_BACK
            | OutcomeReason.NOT_VISIBLE
            | OutcomeReason.NOT_READABLE
            | OutcomeReason.RESTARTED
            | OutcomeReason.GIVEN_UP
            # SecMaster's answer, or a fault of ours.
            | OutcomeReason.UNREACHABLE
            | OutcomeReason.LOST_ANSWER
            | OutcomeReason.UNAVAILABLE
            | OutcomeReason.UNREADABLE
            | OutcomeReason.REFUSED
            | OutcomeReason.INVALID
            | OutcomeReason.NOT_ROUTED
            | OutcomeReason.FORBIDDEN
            | OutcomeReason.OWN_FAULT
        ):
            return False
        case _:
            assert_never(reason)


class Metrics:
    """The counters, histograms and gauges of one process, since its start.

    What alerts look at begins at 0: a counter that appears with its first event hides that event.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = self._gauge("build_info", "The version that runs; always 1.", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)
        self._open_deliveries()
        self._open_operations()
        self._open_calls()
        self._open_process()

    # What people do.

    def _open_deliveries(self) -> None:
        text = "What Slack delivered, by what became of it."
        self._deliveries = self._counter("deliveries", text, "kind", "outcome")
        # A batch is delivered as a form; BATCH is the kind of its operations.
        kinds = [kind for kind in DeliveryKind if kind is not DeliveryKind.BATCH]
        _begin_at_zero(self._deliveries, kinds, DeliveryOutcome)
        text = "How long Slack waited for its answer."
        self._acknowledgements = self._histogram(
            "acknowledgement_seconds", text, ACKNOWLEDGEMENT_BUCKETS, "kind"
        )
        text = "What the policy refused, before it was recorded or after."
        self._refusals = self._counter("refusals", text, "reason")
        _begin_at_zero(self._refusals, RefusalReason)

    def acknowledge(self, kind: DeliveryKind, seconds: float) -> None:
        """Note that Slack has its answer."""
        self._acknowledgements.labels(kind).observe(seconds)

    def deliver(self, kind: DeliveryKind, outcome: DeliveryOutcome) -> None:
        """Count a delivery, at the end of all that it started."""
        self._deliveries.labels(kind, outcome).inc()

    def refuse(self, reason: RefusalReason) -> None:
        """Count what the policy refused."""
        self._refusals.labels(reason).inc()

    # Operations.

    def _open_operations(self) -> None:
        names = [action.name for action in TABLE]
        text = "Operations that were recorded."
        self._recorded = self._counter("operations_recorded", text, "action")
        _begin_at_zero(self._recorded, names)
        text = "Operations that ended, and were told."
        self._ended = self._counter("operations_ended", text, "action", "outcome")
        _begin_at_zero(self._ended, names, Ending)
        text = "How long each stage of an operation took."
        self._stages = self._histogram("operation_stage_seconds", text, STAGE_BUCKETS, "stage")
        text = "Steps that were tried again, nothing having been sent."
        self._retries = self._counter("operation_retries", text, "reason")
        text = "Writes of which nobody knew for a while whether they took effect."
        self._doubts = self._counter("operation_doubts", text, "reason")

    def record(self, action: Action, seconds: float | None) -> None:
        """Count an operation that was recorded, so long after it had arrived if that is known."""
        self._recorded.labels(action.name).inc()
        if seconds is not None:
            self._stages.labels(Stage.RECORDED).observe(seconds)

    def end(self, action: Action, ending: Ending, written: float, replied: float) -> None:
        """Count an operation that ended, with the seconds of its last two stages."""
        self._ended.labels(action.name, ending).inc()
        if ending is Ending.DONE:
            self._stages.labels(Stage.WRITTEN).observe(written)
        self._stages.labels(Stage.REPLIED).observe(replied)

    def retry(self, reason: OutcomeReason) -> None:
        """Count a step before which nothing was sent, and that is tried again."""
        self._retries.labels(reason).inc()

    def doubt(self, reason: OutcomeReason) -> None:
        """Count a write, or a look for one, after which nobody knows whether it took effect."""
        self._doubts.labels(reason).inc()

    # Calls to the outside.

    def _open_calls(self) -> None:
        text = "Requests to SecMaster, by how they ended."
        self._requests = self._counter("secmaster_requests", text, "endpoint", "outcome")
        _begin_at_zero(self._requests, Endpoint, RequestOutcome)
        text = "How long SecMaster took to answer."
        self._request_times = self._histogram(
            "secmaster_request_seconds", text, CALL_BUCKETS, "endpoint"
        )
        text = "Calls to Slack, by how they ended."
        self._calls = self._counter("slack_calls", text, "method", "outcome")
        _begin_at_zero(self._calls, SlackMethod, (CallOutcome.OK, CallOutcome.RATELIMITED))
        text = "How long a call to Slack took, with the pauses that Slack asked for."
        self._call_times = self._histogram("slack_call_seconds", text, CALL_BUCKETS, "method")

    def ask_secmaster(self, endpoint: Endpoint, outcome: RequestOutcome, seconds: float) -> None:
        """Count a request to SecMaster."""
        self._requests.labels(endpoint, outcome).inc()
        self._request_times.labels(endpoint).observe(seconds)

    def call_slack(self, method: SlackMethod, outcome: CallOutcome, seconds: float | None) -> None:
        """Count a call to Slack, or only that it was put off."""
        self._calls.labels(method, outcome).inc()
        if seconds is not None:
            self._call_times.labels(method).observe(seconds)

    # The process.

    def _open_process(self) -> None:
        text = "How much later than it was to the event loop went on."
        self._lag = self._histogram("event_loop_lag_seconds", text, LAG_BUCKETS)
        self._gauge("threads", "Threads that run.").set_function(threading.active_count)
        self._sockets = self._gauge("socket_connections", "Connections in Socket Mode.")
        text = "Connections in Socket Mode that were opened: two, and one for each renewal."
        self._sockets_opened = self._counter("socket_connections_opened", text)
        self._http = self._gauge("http_connections", "Connections to the bot's port.")

    def lag(self, seconds: float) -> None:
        """Note how late the event loop was."""
        self._lag.observe(seconds)

    def open_socket(self) -> None:
        """Count a connection in Socket Mode that was opened."""
        self._sockets_opened.inc()

    def watch_sockets(self, count: Callable[[], int]) -> None:
        """Have this tell how many connections in Socket Mode are open."""
        self._sockets.set_function(count)

    def watch_http(self, count: Callable[[], int]) -> None:
        """Have this tell how many connections to the bot's port are open."""
        self._http.set_function(count)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, registry=self.registry, buckets=buckets)


def _begin_at_zero(counter: Counter, *values: Iterable[str]) -> None:
    for labels in product(*values):
        counter.labels(*labels)

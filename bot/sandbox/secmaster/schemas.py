"""The bodies and queries of the sandbox's own endpoints, validated."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.sandbox.secmaster.arrivals import THROTTLED

_YEAR = 365 * 24 * 3600.0
SHORTEST_INTERVAL = 0.001
LARGEST_BURST = 20_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


Severity = Literal["Tips", "Low", "Medium", "High", "Fatal"]


class NewFinding(_Strict):
    """An alert or incident that a new task or instance is about; ``level`` is its asset's.

    ``count_every`` is the seconds in which one more occurrence is counted, 0 for none.
    """

    dataclass: Literal["Alert", "Incident"] = "Alert"
    id: str = ""
    title: str = "Suspicious behaviour"
    description: str = ""
    severity: Severity = "Medium"
    handle_status: Literal["Open", "Block", "Closed"] = "Open"
    asset: str = ""
    level: Literal[0, 1, 2] | None = None
    addresses: list[str] = []
    users: list[str] = []
    count: int = 1
    count_every: float = Field(0, ge=0)


class FindingChange(_Strict):
    """New values for fields of an alert or another object; those left out stay."""

    title: str | None = None
    severity: Severity | None = None
    handle_status: Literal["Open", "Block", "Closed"] | None = None
    verification_state: Literal["Unknown", "True_Positive", "False_Positive"] | None = None
    count: int | None = None


class Reads(_Strict):
    """Which reads around a task the gateway refuses: none, all (404), those of findings (403)."""

    refused: Literal["none", "all", "findings"] = "none"


class NewTask(_Strict):
    """A task to add; ``due_in`` is in seconds from now, negative for one that is overdue."""

    name: str = "Check a suspicious sign-in"
    description: str = ""
    business_type: Literal[
        "WORKFLOWPUBLISH", "WORKFLOWNODEAPPROVE", "PLAYBOOKPUBLISH", "PLAYBOOKNODEAPPROVE"
    ] = "WORKFLOWNODEAPPROVE"
    creator_name: str = "system"
    related_object: str = ""
    action_instance_id: str = ""
    due_date: str | None = None
    due_in: float | None = Field(None, ge=-_YEAR, le=_YEAR)
    due_handle: Literal["", "CONTINUE", "INTERRUPT"] = ""
    notes: str = ""
    view_parameters: str = ""
    handle_parameters: str = ""
    finding: NewFinding | None = None


class _FromConsole(_Strict):
    user_name: str = Field("console-user", min_length=1)


class Decision(_FromConsole):
    action: Literal["CONTINUE", "TERMINATE"]


class Comment(_FromConsole):
    comment: str


class Failure(_Strict):
    error_msg: str = THROTTLED


class NewInstance(_Strict):
    """An instance of one node; ``relapse`` is the error on which a retry fails, if it does."""

    name: str = "Respond to an alert"
    status: Literal["RUNNING", "FAILED", "FINISHED"] = "RUNNING"
    trigger_type: Literal["DEBUG", "TIMER", "EVENT", "MANUAL"] = "EVENT"
    error_msg: str = ""
    relapse: str = ""
    finding: NewFinding | None = None


class Burst(_Strict):
    """How many tasks and failed instances to let arrive at once."""

    tasks: int = Field(0, ge=0, le=LARGEST_BURST)
    failures: int = Field(0, ge=0, le=LARGEST_BURST)


class ConsoleView(_Strict):
    """What the console shows: the id of the open object, and the filter of one list."""

    open: str = ""
    noun: Literal["", "task", "instance"] = ""
    status: str = ""
    text: str = ""


def check_interval(seconds: float) -> float:
    """Refuse intervals that would keep the sandbox busy with nothing else."""
    if seconds and seconds < SHORTEST_INTERVAL:
        raise ValueError(f"must be 0, or at least {SHORTEST_INTERVAL}")
    return seconds


Interval = Annotated[float, AfterValidator(check_interval)]


class Rates(_Strict):
    """Seconds from one arrival to the next; 0 for none."""

    tasks_every: Interval = 0
    failures_every: Interval = 0


class RequestFilter(_Strict):
    """Which requests to show: those about a task or an instance, only writes, the newest few."""

    target: str = ""
    writes: bool = False
    limit: int | None = Field(None, ge=1)

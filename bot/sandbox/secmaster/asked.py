"""What may be asked of the sandbox's own endpoints."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.sandbox.secmaster.arrivals import THROTTLED

_YEAR = 365 * 24 * 3600.0
QUICKEST = 0.001
MOST_AT_ONCE = 20_000


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class NewTask(_Asked):
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


class _InConsole(_Asked):
    user_name: str = Field("console-user", min_length=1)


class Decision(_InConsole):
    action: Literal["CONTINUE", "TERMINATE"]


class Comment(_InConsole):
    comment: str


class Failure(_Asked):
    error_msg: str = THROTTLED


class NewInstance(_Asked):
    """A run of one node; ``relapse`` is what a retry of it breaks on, if anything."""

    name: str = "Respond to an alert"
    status: Literal["RUNNING", "FAILED", "FINISHED"] = "RUNNING"
    trigger_type: Literal["DEBUG", "TIMER", "EVENT", "MANUAL"] = "EVENT"
    error_msg: str = ""
    relapse: str = ""


class Burst(_Asked):
    """How many tasks and failed runs to let arrive at once."""

    tasks: int = Field(0, ge=0, le=MOST_AT_ONCE)
    failures: int = Field(0, ge=0, le=MOST_AT_ONCE)


class Looking(_Asked):
    """What the console looks at: the object that is open, and the filter of one list."""

    open: str = ""
    noun: Literal["", "task", "instance"] = ""
    status: str = ""
    text: str = ""


def _bearable(seconds: float) -> float:
    if seconds and seconds < QUICKEST:
        raise ValueError(f"must be 0, or at least {QUICKEST}")
    return seconds


Every = Annotated[float, AfterValidator(_bearable)]


class Rates(_Asked):
    """Seconds from one arrival to the next; 0 for none."""

    tasks_every: Every = 0
    failures_every: Every = 0


class Wanted(_Asked):
    """Which requests to show: those about a task or an instance, writes alone, the newest few."""

    target: str = ""
    writes: bool = False
    limit: int | None = Field(None, ge=1)

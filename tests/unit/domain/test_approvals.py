"""Which approvals count for an object as it is now, and when a request for them ends."""

from datetime import timedelta

from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.cards import CardState
from bot.domain.slack import Actor
from bot.domain.snapshots import decision_fingerprint
from bot.domain.stages import one_stage
from bot.secmaster import DueHandle
from tests.support.samples import NOW, TASK, WAITING

HOUR = timedelta(hours=1)


def approval(user: str, fingerprint: str) -> Approval:
    return Approval(
        operation_id=user, actor=Actor(id=user), at=NOW, decision_fingerprint=fingerprint
    )


REQUEST = ApprovalRequest(
    id="U0ALICE",
    action="task.approve",
    approvals=(
        approval("U0ALICE", "of an earlier version"),
        approval("U0BOB", decision_fingerprint(WAITING)),
    ),
    stages=one_stage(2),
    expires_at=NOW + HOUR,
)


def test_a_card_state_counts_the_approvals_of_its_snapshot_alone() -> None:
    [counted] = CardState(TASK, WAITING, requests=(REQUEST,)).counted_requests
    assert [each.actor.id for each in counted.approvals] == ["U0BOB"]
    assert counted.missing == 1
    assert CardState(TASK, None, requests=(REQUEST,)).counted_requests == ()


def test_a_request_ends_at_the_due_date_where_that_is_not_later() -> None:
    due = WAITING.model_copy(update={"due_handle": "INTERRUPT"})
    ends = {}
    for minutes in (-1, 30, 60, 90):
        task = due.model_copy(update={"due_date": NOW + timedelta(minutes=minutes)})
        ends[minutes] = REQUEST.deadline(task, NOW)
    half = NOW + HOUR / 2
    assert ends == {
        -1: (NOW + HOUR, None),
        30: (half, DueHandle.INTERRUPT),
        60: (NOW + HOUR, DueHandle.INTERRUPT),
        90: (NOW + HOUR, None),
    }


def test_an_approval_is_found_by_whose_right_it_used() -> None:
    delegated = approval("U0BOB", "").model_copy(update={"delegator": "U0CAROL"})
    request = REQUEST.model_copy(update={"approvals": (delegated,)})
    assert request.approval_by("U0CAROL") == delegated
    assert request.approval_by("U0BOB") is None

"""Every kind of notification survives the way into the outbox and back, as its own kind."""

import json
from datetime import UTC, datetime

import pytest

from bot.domain.approvals import Approval
from bot.domain.mutes import Mute
from bot.domain.notifications import NotificationEnvelope
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.domain.run_results import BlockResult, FailedBlock, RunResult, RunStatus
from bot.domain.shift_digest import DeciderCounts, ShiftSummary
from bot.domain.slack import Actor, Destination, SlackLocation
from bot.domain.tracking import RanOutTask
from bot.domain.troubles import DueTask, DueTasks, Trouble, TroubleKind
from bot.domain.watch_status import FailedAnswer
from bot.notifications import kinds
from bot.notifications.approval_calls import (
    ApprovalCallNotification,
    ApprovalDirectCallNotification,
    ApprovalShortageNotification,
)
from bot.notifications.approvers import CalledRequest
from bot.notifications.assignments import AssignmentEndedNotification, AssignmentNotification
from bot.notifications.card import CardNotification
from bot.notifications.failure_details import FailureDetailsNotification
from bot.notifications.kinds import (
    ApprovalsRevokedNotification,
    BacklogNotification,
    ChannelClosedNotification,
    DelegationNotification,
    DigestNotification,
    EscalationNotification,
    GivenUpNotification,
    MuteNotification,
    PersonalSnoozeEndedNotification,
    PersonalSnoozeNotification,
    RanOutNotification,
    RunResultNotification,
    SnoozeEndedNotification,
    SnoozeNotification,
    SubscriptionNotification,
    SubscriptionUndoneNotification,
    TroubleNotification,
    TroubleOverNotification,
)
from bot.notifications.notification import Notification
from bot.notifications.reminder import ReminderNotification

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REF = Ref(kind="task", id="t1")
REQUESTED = CalledRequest(ref=REF, id="a" * 32)
CLOSED = Destination.parse("C0CLOSED")
ROUTED = {"ref": REF, "mentions": ("U0DAVE",), "route": "soc", "card_group": "w1"}
RESULT = RunResult(
    status=RunStatus.FAILED,
    run=Ref(kind="instance", id="i1"),
    name="Enrich",
    node="Respond",
    error="no route",
    seconds=9,
    at=NOW,
    blocks=(
        BlockResult(target="203.0.113.7", failed=(FailedBlock(defense="VPC", reason="quota"),)),
    ),
)
ESCALATION = ("escalated_from", "escalated_by", "escalation_reason")
MUTE = Mute(
    workspace="main",
    key="enrich",
    name="Enrich",
    actor_id="U0ALICE",
    reason="the API is down",
    at=NOW,
    until=NOW,
)
SUMMARY = ShiftSummary(since=NOW, until=NOW, deciders=(DeciderCounts(name="Bob", decisions={}),))
OPERATION = Operation(
    id="a" * 32,
    action="task.approve",
    ref=REF,
    actor=Actor(id="U0ALICE"),
    location=SlackLocation(channel="C0SOC", card="1.2"),
    accepted_at=NOW,
)
GIVEN_UP = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.GIVEN_UP, code="root")
TROUBLE = Trouble(
    kind=TroubleKind.SECMASTER,
    since=NOW,
    where="main",
    answer=FailedAnswer(reason=OutcomeReason.FORBIDDEN, status=401, code="APIGW.0301"),
)
TASKS = DueTasks(named=(DueTask(ref=REF, name="Isolate", due=NOW),), others=2)
EXAMPLES: tuple[Notification, ...] = (
    ReminderNotification(**ROUTED, before=3600, intended_channel="C0SOC"),
    CardNotification(**ROUTED, escalated_from="first", held_until=NOW),
    SnoozeEndedNotification(**ROUTED, snoozed_by="U0ALICE"),
    RunResultNotification(
        ref=REF, thread_ts="1.2", action="task.approve", actor_id="U0CAROL", result=RESULT
    ),
    AssignmentEndedNotification(**ROUTED, assignee="U0ALICE"),
    SnoozeNotification(ref=REF, thread_ts="1.2", actor_id="U0ALICE", until=NOW),
    AssignmentNotification(
        ref=REF, thread_ts="1.2", actor_id="U0ALICE", until=NOW, previous="U0DAVE"
    ),
    EscalationNotification(
        ref=REF, thread_ts="1.2", actor_id="U0ALICE", targets=("duty",), reason="a bank's"
    ),
    MuteNotification(thread_ts="1.2", actor_id="U0ALICE", name="Enrich", mute=MUTE),
    PersonalSnoozeNotification(ref=REF, name="Isolate", until=NOW),
    PersonalSnoozeEndedNotification(ref=REF),
    DelegationNotification(delegator="U0ALICE", until=NOW),
    ApprovalsRevokedNotification(
        ref=REF,
        action="task.approve",
        name="Isolate",
        revoked=(Approval(operation_id="o", actor=Actor(id="U0DAVE"), at=NOW, delegator="U0BOB"),),
        count=0,
        needed=2,
    ),
    SubscriptionNotification(actor_id="U0ALICE", subscribed=True),
    SubscriptionUndoneNotification(channel="C0SOC", code="is_archived"),
    GivenUpNotification(ref=REF, thread_ts="1.2", operation=OPERATION, outcome=GIVEN_UP),
    FailureDetailsNotification(ref=REF, thread_ts="1.2"),
    BacklogNotification(tasks=3, failed=1, overdue=2, root="/soc", reminds=True),
    DigestNotification(summary=SUMMARY),
    ChannelClosedNotification(channel="C0SOC", code="is_archived"),
    TroubleNotification(trouble=TROUBLE, tasks=TASKS, recurs=True),
    TroubleOverNotification(trouble=TROUBLE, until=NOW),
    ApprovalCallNotification(ref=REF, request_id="a" * 32, thread_ts="1.2", reminds=True),
    ApprovalDirectCallNotification(requests=(REQUESTED,), reminds=True),
    ApprovalShortageNotification(requests=(REQUESTED, REQUESTED), thread_ts="1.2"),
    RanOutNotification(
        ref=REF,
        thread_ts="1.2",
        tasks=(RanOutTask(name="Isolate", is_approved=True, at=NOW),),
    ),
)
each_kind = pytest.mark.parametrize("notification", EXAMPLES, ids=lambda example: example.kind)


def stored_and_read(notification: NotificationEnvelope) -> Notification:
    """Return what becomes of a notification that was written into the outbox."""
    written = json.dumps(notification.model_dump(mode="json"))
    return kinds.read(NotificationEnvelope.model_validate_json(written))


def test_there_is_an_example_of_each_kind_and_no_two_have_one_name() -> None:
    assert tuple(map(type, EXAMPLES)) == kinds.KINDS
    assert len({example.kind for example in EXAMPLES}) == len(kinds.KINDS)


@each_kind
def test_each_kind_survives_the_round_trip_through_json(notification: Notification) -> None:
    assert stored_and_read(notification) == notification


@each_kind
def test_each_kind_is_redirected_while_it_is_stored(notification: Notification) -> None:
    envelope = NotificationEnvelope.model_validate(notification.model_dump(mode="json"))
    redirected = stored_and_read(envelope.redirected_from(CLOSED))
    assert redirected == notification.redirected_from(CLOSED)


def test_a_notification_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'parade' is no kind of notification"):
        kinds.read(NotificationEnvelope(kind="parade"))


def test_a_reminder_without_a_card_brings_one_that_keeps_all_but_the_time() -> None:
    reminder = ReminderNotification(
        **ROUTED, before=3600, held_until=NOW, intended_channel="C0CLOSED", scheduled_at=NOW
    )
    shared = reminder.model_dump(exclude={"kind", "before", "at_once"})
    assert reminder.as_card().model_dump(exclude={"kind", "group_window", *ESCALATION}) == shared
    assert reminder.as_card().escalated_from == ""


def test_objects_of_one_group_are_for_the_same_people_at_the_same_time() -> None:
    card = CardNotification(**ROUTED)
    key = card.group_key
    assert key is not None
    assert CardNotification(**ROUTED | {"route": "other"}).group_key == key
    changes: tuple[dict[str, object], ...] = (
        {"card_group": "w2"},
        {"mentions": ()},
        {"held_until": NOW},
        {"intended_channel": "C0SOC"},
        {"escalated_from": "soc"},
    )
    assert all(card.model_copy(update=change).group_key != key for change in changes)


def test_what_has_no_group_shares_no_card() -> None:
    assert CardNotification(**ROUTED | {"card_group": ""}).group_key is None

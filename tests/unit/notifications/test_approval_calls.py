"""Who is called for an approval: nobody who can't give it, and never more than a few by name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest, CallPreference
from bot.domain.slack import Actor, SlackLocation
from bot.domain.stages import one_stage
from bot.notifications import approval_calls, approvers
from bot.notifications.approval_calls import ApprovalCallNotification, remind_at
from bot.sandbox.secmaster import SecMasterSandbox
from bot.services import Services
from tests.support.clock import FakeClock
from tests.support.operations import ROLES, SAME_WORKFLOW_RUN, TASK, OperationStage, rule
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, RANDOM, SOC
from tests.support.slack_recorder import SlackRecorder

CROWD = tuple(f"U0CROWD{number}" for number in range(5))


@pytest.fixture
def rules() -> str:
    return ROLES


@pytest.fixture
def stage(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox, clock: FakeClock
) -> OperationStage:
    return OperationStage(services, slack, secmaster, clock)


def shared(*roles: str, call: str = "mention", more: str = "") -> str:
    return rule("task.approve", roles=roles, more=f'approvals = 2\ncall = "{call}"\n{more}')


async def callees(
    stage: OperationStage, user: str = ALICE, *, in_channel: bool = True
) -> tuple[list[str], set[str]]:
    """Return who is mentioned and who is called alone, once somebody has approved."""
    await stage.preflight(await stage.pressed("task.approve", user))
    services = stage.services
    [origin] = services.store.claims.open_requests(stage.clock.now())
    call = await approvers.read_call(services, TASK, origin.request.id)
    assert call is not None
    found: approvers.Callees = await approvers.find_callees(services, call, in_channel=in_channel)
    return list(found.mentions), set(found.direct)


def grow(stage: OperationStage, group: str, people: tuple[str, ...]) -> None:
    """Add people to a user group of the local Slack."""
    workspace = stage.slack.workspace
    for user in people:
        if user not in workspace.users:
            workspace.users[user] = workspace.users[DAVE] | {"id": user, "name": user.lower()}
    workspace.groups[group]["users"] += people


async def test_a_group_with_more_than_five_to_call_is_mentioned_though_one_of_it_approved(
    stage: OperationStage,
) -> None:
    stage.set_policy(shared("approver"))
    grow(stage, "S0SOC", CROWD)
    assert await callees(stage) == (["S0SOC"], set())


async def test_a_small_group_of_which_one_approved_is_called_by_name(stage: OperationStage) -> None:
    stage.set_policy(shared("approver"))
    grow(stage, "S0SOC", CROWD[:3])
    assert await callees(stage) == ([BOB, *CROWD[:3]], set())


async def test_of_a_large_group_the_few_who_may_are_named_and_nobody_who_approved(
    stage: OperationStage,
) -> None:
    deny = rule("task.approve", roles=("crowd",), more='effect = "deny"')
    crowd = f"[roles.crowd]\nusers = {list(CROWD)}\n"
    stage.set_policy(crowd, shared("approver"), deny)
    grow(stage, "S0SOC", (*CROWD, DAVE))  # seven to call, of whom five may not
    assert await callees(stage) == ([BOB, DAVE], set())


async def test_more_than_five_people_beside_a_group_are_called_alone(stage: OperationStage) -> None:
    singly = "".join(f'"{user}",' for user in (*CROWD, DAVE))
    stage.set_policy(f"[roles.few]\nusers = [{singly}]\n", shared("approver", "oncall", "few"))
    grow(stage, "S0SOC", CROWD[:1])
    assert await callees(stage) == (["S0ONCALL"], {BOB, DAVE, *CROWD})


async def test_whoever_may_not_approve_is_not_called_and_no_group_is_mentioned_for_them(
    stage: OperationStage,
) -> None:
    stage.record(TASK)["creator_name"] = "bob"
    identities = f'[identities.users]\n{BOB} = "bob"\n{CAROL} = "carol"\n{ALICE} = "alice"\n'
    guests = f'[roles.guests]\nusers = ["{GUEST}", "U0NOBODY"]\n'
    allowed = shared("approver", "oncall", "guests", more="self = false")
    stage.set_policy(identities, guests, allowed)
    assert await callees(stage) == (["S0ONCALL"], set())


async def test_a_deny_spares_those_whom_it_is_about(stage: OperationStage) -> None:
    deny = rule("task.approve", roles=("oncall",), more='effect = "deny"')
    stage.set_policy(shared("approver", "oncall"), deny)
    assert await callees(stage) == ([BOB], set())


async def test_a_persons_choice_counts_beside_the_rule_and_not_where_it_calls_nobody(
    stage: OperationStage,
) -> None:
    stage.set_policy(shared("approver", "oncall"))
    stage.choose_calls(BOB, CallPreference.DIRECT)
    stage.choose_calls(CAROL, CallPreference.OFF)
    assert await callees(stage) == ([], {BOB})
    stage.set_policy(shared("approver", "oncall", call="direct"))
    assert await callees(stage) == ([], {BOB})
    stage.set_policy(shared("approver", "oncall", call="none"))
    assert await callees(stage) == ([], set())


async def test_without_a_channel_that_shows_the_object_everybody_is_called_alone(
    stage: OperationStage,
) -> None:
    stage.set_policy(shared("approver", "oncall"))
    assert await callees(stage, in_channel=False) == ([], {BOB, CAROL})


async def test_a_delegate_is_called_unless_the_right_was_used(stage: OperationStage) -> None:
    stage.set_policy(shared("approver"))
    stage.delegate(BOB, DAVE)
    assert await callees(stage) == ([BOB, DAVE], set())
    request = (await first_call(stage)).request
    by_dave = request.approvals[0].model_copy(update={"actor": Actor(id=DAVE), "delegator": BOB})
    call = await first_call(stage, request.model_copy(update={"approvals": (by_dave,)}))
    found = await approvers.find_callees(stage.services, call, in_channel=True)
    assert list(found.mentions) == [ALICE]


async def first_call(
    stage: OperationStage, request: ApprovalRequest | None = None
) -> approvers.Call:
    [origin] = stage.services.store.claims.open_requests(stage.clock.now())
    call = await approvers.read_call(stage.services, TASK, origin.request.id)
    assert call is not None
    return replace(call, request=request or call.request)


async def test_the_second_person_whom_the_retry_brake_asks_for_is_called_too(
    stage: OperationStage,
) -> None:
    retry = rule("instance.retry", roles=("approver", "oncall"), more='call = "mention"')
    stage.set_policy(retry, '[brake]\nretries = 1\nwithin = "1h"\n')
    await stage.preflight(await stage.pressed("instance.retry", CAROL))
    again = await stage.pressed("instance.retry", CAROL, ref=SAME_WORKFLOW_RUN)
    await stage.preflight(again)
    call = await approvers.read_call(stage.services, SAME_WORKFLOW_RUN, again.id)
    assert call is not None
    found = await approvers.find_callees(stage.services, call, in_channel=True)
    assert list(found.mentions) == ["S0SOC"]


async def test_it_is_over_once_the_object_is_decided_or_changed_elsewhere(
    stage: OperationStage,
) -> None:
    stage.set_policy(shared("approver"))
    await callees(stage)
    request_id = (await first_call(stage)).request.id
    stage.comment("not this host")  # what was approved is not what it is now
    assert await approvers.read_call(stage.services, TASK, request_id) is None


async def test_the_thread_is_that_of_a_card_in_a_channel_the_pressed_one_before_others(
    stage: OperationStage,
) -> None:
    stage.set_policy(shared("approver"))
    services = stage.services
    snapshot = await services.workspaces.read(TASK)
    for channel in (SOC, RANDOM):
        await services.cards.post_new(TASK, snapshot, channel)
    cards = services.store.cards.cards_of(TASK)
    pressed = next(card.ts for card in cards if card.channel == SOC)
    location = SlackLocation(channel=SOC, card=pressed)
    await stage.preflight(await stage.pressed("task.approve", location=location))
    origin = (await first_call(stage)).origin
    destination, thread = approval_calls.place_of(services, origin)
    assert (destination.id, thread) == (SOC, pressed)
    in_chat = replace(origin, location=origin.location.model_copy(update={"channel": "D0ALICE"}))
    destination, thread = approval_calls.place_of(services, in_chat)
    assert destination.id in {SOC, RANDOM}
    assert thread


@pytest.mark.parametrize(("minutes", "before"), [(60, 10), (40, 10), (20, 5), (1, 0.25)])
def test_a_reminder_comes_ten_minutes_before_the_end_or_in_the_last_quarter(
    minutes: float, before: float
) -> None:
    opened = datetime(2026, 3, 2, 12, tzinfo=UTC)
    ends_at = opened + timedelta(minutes=minutes)
    approval = Approval(operation_id="a", actor=Actor(id=ALICE), at=opened)
    request = ApprovalRequest(
        id="a",
        action="task.approve",
        approvals=(approval,),
        stages=one_stage(2),
        expires_at=ends_at,
    )
    assert ends_at - remind_at(request) == timedelta(minutes=before)


@pytest.mark.parametrize(
    ("roles", "more", "possible"),
    [
        (("oncall",), "", 0),
        (("approver", "oncall"), "", None),
        (("approver", "oncall"), "approvals = 4", 2),
    ],
)
async def test_a_shortage_is_what_too_few_can_approve_by_rights_of_their_own_or_delegated(
    stage: OperationStage, roles: tuple[str, ...], more: str, possible: int | None
) -> None:
    approvals = more or "approvals = 2"
    overridden = f'{approvals}\nbreak_glass = ["approver"]\n'
    announced = f'[break_glass]\nchannel = "{RANDOM}"\n'
    stage.set_policy(rule("task.approve", roles=roles, more=overridden), announced)
    stage.delegate(CAROL, DAVE)  # by the same right: it counts once
    stage.choose_calls(BOB, CallPreference.OFF)  # who can approve all the same
    await callees(stage, CAROL)
    shortage = await approvers.find_shortage(stage.services, await first_call(stage))
    assert (shortage and shortage.possible) == possible
    assert shortage is None or (shortage.roles, shortage.override) == (roles, ("approver",))


STAGED = rule(
    "task.approve",
    roles=("approver", "oncall"),
    more='call = "mention"\napprovals = [{ role = "approver", count = 2 }, '
    '{ role = "oncall", count = 1 }]\n',
)


async def test_each_stage_calls_its_own_people_and_lacks_its_own(stage: OperationStage) -> None:
    stage.set_policy(STAGED)
    assert await callees(stage, ALICE) == ([BOB], set())  # and nobody who is on call
    assert await approvers.find_shortage(stage.services, await first_call(stage)) is None
    assert await callees(stage, BOB) == (["S0ONCALL"], set())
    assert await approvers.find_shortage(stage.services, await first_call(stage)) is None
    stage.slack.workspace.groups["S0ONCALL"]["users"].clear()
    stage.clock.forward(minutes=2)  # what Slack says of groups is asked again
    shortage = await approvers.find_shortage(stage.services, await first_call(stage))
    assert shortage is not None
    assert (shortage.possible, shortage.roles) == (0, ("oncall",))


async def test_a_stage_that_is_open_again_calls_its_people_again_once(
    stage: OperationStage,
) -> None:
    stage.set_policy(STAGED)
    services, outbox = stage.services, stage.services.store.outbox

    def planned() -> list[int]:
        """Return the stages that are called now."""
        entries = approval_calls.new_entries(services)
        outbox.add(entries, stage.clock.now())
        notifications = [entry.notification for entry in entries]
        calls = [each for each in notifications if isinstance(each, ApprovalCallNotification)]
        return [call.stage for call in calls if not call.reminds]

    await callees(stage, ALICE)
    assert planned() == [0]
    await callees(stage, BOB)
    assert planned() == [1]
    withdrawal = stage.operation("task.approve", ALICE, intent=ApprovalIntent.WITHDRAW)
    services.store.claims.withdraw(withdrawal, stage.clock.now())
    assert planned() == [0]
    assert planned() == []
    await callees(stage, ALICE)
    assert planned() == [1]

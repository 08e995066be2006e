"""What `why` says of a press: it is accepted exactly if the press itself would be.

Each cell of the matrix asks first, and then presses for real, through the same services.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from bot.domain.actions import BY_NAME
from bot.domain.operations import OperationState
from bot.domain.reasons import OutcomeReason
from bot.operations import authorization, preflight
from bot.operations.authorization import NotAllowed
from bot.operations.forecast import GIVEN, forecast
from bot.operations.step_results import ResultKind
from tests.support.operations import RUN, TASK, OperationStage, requester, rule
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, ONCALL

GLASS = f'[break_glass]\nchannel = "{ONCALL}"\n'
IDENTITIES = '[identities]\nemail_domain = "example.com"\n'
TASK_RULES = {
    "one": rule("task.approve", "task.terminate"),
    "two": GLASS
    + rule("task.approve", "task.terminate", more="approvals = 2\nbreak_glass = ['oncall']"),
    "named": rule("task.approve", "task.terminate", more="when = {name = 'Isolate'}")
    + rule("task.approve", "task.terminate", roles=("oncall",)),
    "not own": IDENTITIES + rule("task.approve", "task.terminate", more="self = false"),
    "strict": rule(
        "task.approve", "task.terminate", more="reason = 'required'\nconfirm = 'type-name'"
    ),
    "denied": rule("task.*")
    + "[[rules]]\neffect = 'deny'\nactions = ['task.terminate']\nroles = ['oncall']\n",
}
PEOPLE = (ALICE, BOB, CAROL, DAVE, GUEST)
DELEGATIONS: tuple[tuple[tuple[str, str], ...], ...] = ((), ((ALICE, DAVE),), ((ALICE, BOB),))


@dataclass(frozen=True)
class Scene:
    """What was there before somebody asks: ``approvals`` and a write that is under way."""

    name: str
    approvals: tuple[tuple[str, str], ...] = ()  # (person, action)
    status: str = "waiting"
    under_way: bool = False
    creator: str = ""


SCENES = (
    Scene("nothing"),
    Scene("alice approved", approvals=((ALICE, "task.approve"),)),
    Scene("dave approved", approvals=((DAVE, "task.approve"),)),
    Scene("bob terminates", approvals=((BOB, "task.terminate"),)),
    Scene("finished", status="finished"),
    Scene("under way", under_way=True),
    Scene("alice's own", creator="alice"),
)


async def set_scene(stage: OperationStage, scene: Scene) -> None:
    stage.record(TASK)["status"] = "waiting"
    stage.record(TASK)["creator_name"] = scene.creator or "Robot"
    for person, action in scene.approvals:
        await accepted(stage, person, action)
    if scene.under_way:
        await accepted(stage, BOB, "task.approve")
    stage.record(TASK)["status"] = scene.status


async def accepted(
    stage: OperationStage, user: str, action: str, *, break_glass: bool = False
) -> bool:
    """Press a button of a fresh card, and give what its form asks for; whether that was taken."""
    ref = TASK if BY_NAME[action].kind == "task" else RUN
    fingerprint = await stage.shown(ref)
    try:
        grant = await authorization.authorize(
            stage.services,
            requester(user),
            BY_NAME[action],
            ref,
            attempt_id=stage.operation(action).id,
            decision_fingerprint=fingerprint,
            break_glass=break_glass,
        )
    except NotAllowed:
        return False
    facts: dict[str, Any] = {
        "decision_fingerprint": fingerprint,
        "rule": grant.allowed.rule,
        "terms": grant.terms,
        "reason": GIVEN,
        "confirmed": True,
        "break_glass": break_glass,
    }
    result = await preflight.run(stage.services, stage.operation(action, user, ref=ref, **facts))
    return result.kind is ResultKind.DONE or result.outcome.state is OperationState.COUNTED


async def forecast_accepted(
    stage: OperationStage, user: str, action: str, *, break_glass: bool = False
) -> bool:
    ref = TASK if BY_NAME[action].kind == "task" else RUN
    snapshot = await stage.services.workspaces.read(ref)
    answer = await forecast(
        stage.services, requester(user), BY_NAME[action], ref, snapshot, break_glass=break_glass
    )
    return answer.accepted


def cells() -> list[tuple[Any, ...]]:
    """Rules, delegations, what was there before, who presses what, and whether alone."""
    every = itertools.product(
        TASK_RULES, DELEGATIONS, SCENES, PEOPLE, ("task.approve", "task.terminate"), (False, True)
    )
    return [cell for cell in every if cell[0] == "two" or not cell[-1]]


def forget(stage: OperationStage) -> None:
    """Undo what was approved, sent and delegated."""
    with stage.services.store.engine.begin() as connection:
        for table in ("approvals", "claims", "delegations"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "step", [31, pytest.param(11, marks=pytest.mark.slow)], ids=["some", "many"]
)
async def test_forecast_is_what_a_press_then_meets(stage: OperationStage, step: int) -> None:
    """``step`` is prime to the length of each side of the matrix, so that all its rows are met."""
    answers = []
    for cell in cells()[::step]:
        rules, delegations, scene, user, action, break_glass = cell
        stage.set_policy(TASK_RULES[rules])
        forget(stage)
        for pair in delegations:
            stage.delegate(*pair)
        await set_scene(stage, scene)
        records = stage.audited()
        foretold = await forecast_accepted(stage, user, action, break_glass=break_glass)
        assert stage.audited() == records  # asking leaves nothing behind
        pressed = await accepted(stage, user, action, break_glass=break_glass)
        assert (cell, foretold) == (cell, pressed)
        answers.append(pressed)
    assert {True, False} == set(answers)


@pytest.mark.parametrize("retries", [0, 2])
async def test_forecast_knows_the_brake(stage: OperationStage, retries: int) -> None:
    stage.set_policy('[brake]\nretries = 2\nwithin = "2h"\n', rule("*", roles=("approver",)))
    for number in range(retries):
        stage.record(RUN)["retry_count"] = number
        assert await accepted(stage, ALICE, "instance.retry")
    stage.record(RUN)["retry_count"] = retries
    snapshot = await stage.services.workspaces.read(RUN)
    retry = BY_NAME["instance.retry"]
    answer = await forecast(stage.services, requester(ALICE), retry, RUN, snapshot)
    request = answer.outcome.approval_request if answer.outcome else None
    assert answer.accepted
    assert bool(request and request.brake_applied) == bool(retries)


async def test_forecast_counts_a_delegated_right_once_and_says_so(stage: OperationStage) -> None:
    stage.set_policy(TASK_RULES["two"])
    stage.delegate(ALICE, DAVE)
    assert await accepted(stage, DAVE, "task.approve")
    snapshot = await stage.services.workspaces.read(TASK)
    approve = BY_NAME["task.approve"]
    answer = await forecast(stage.services, requester(ALICE), approve, TASK, snapshot)
    assert not answer.accepted
    assert answer.outcome is not None
    assert answer.outcome.reason_code is OutcomeReason.SAME_AUTHORITY

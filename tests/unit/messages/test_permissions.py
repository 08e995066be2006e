"""What the policy allows and why, delegations, and a policy that is read again."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.delegations import Delegation
from bot.domain.operations import OperationState, Outcome, PolicyTerms
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.slack import Actor
from bot.domain.stages import one_stage
from bot.messages import permissions
from bot.messages.labels import labels
from bot.messages.permissions import ActionForecast, Explained
from bot.operations.authorization import Right
from bot.policy.config import parse
from bot.policy.decide import Allowed, Decision, Refused
from bot.policy.rules import ReasonRule, Role
from bot.store import PolicySource, RecordedPolicy
from tests.support import strategies
from tests.support.people import ALICE, BOB, DAVE
from tests.support.samples import (
    ENGLISH,
    FAILED,
    NOW,
    RUN,
    TASK,
    WAITING,
    standing_operation,
)
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, SOME, decisions, ids, role_names, roles, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TASK_ACTIONS = [action for action in TABLE if action.kind == "task"]


def forecast_of(action: Action, decision: Decision, **fields: Any) -> ActionForecast:
    accepted = isinstance(decision, Allowed)
    return ActionForecast(action, decision, accepted, PolicyTerms(), **fields)


def explained(*requests: ApprovalRequest, name: str = "Isolate", user: str = ALICE) -> Explained:
    snapshot = WAITING.model_copy(update={"name": name})
    return Explained(TASK, snapshot, requests, user)


def request(*approvals: Approval) -> ApprovalRequest:
    return ApprovalRequest(
        id="o", action="task.approve", approvals=approvals, stages=one_stage(2), expires_at=NOW
    )


def approval(user: str, delegator: str = "") -> Approval:
    return Approval(operation_id="o", actor=Actor(id=user), at=NOW, delegator=delegator)


@SOME
@given(
    words, decisions, st.tuples(*[st.tuples(decisions, st.booleans()) for _ in TASK_ACTIONS]), roles
)
def test_why_can_always_be_told(
    name: str,
    read: Decision,
    answers: tuple[tuple[Decision, bool], ...],
    roles_by_name: dict[str, Role],
) -> None:
    forecasts = [
        forecast_of(action, decision, may_override=may_override)
        for action, (decision, may_override) in zip(TASK_ACTIONS, answers, strict=True)
    ]
    assert_slack_takes(
        permissions.why(ENGLISH, explained(name=name), read, forecasts, roles_by_name)
    )


def test_why_is_told_to_its_end_in_a_workspace_of_many_roles() -> None:
    roles_by_name = {
        f"role {n}": Role(users=("U0ALICE",) * 9, usergroups=("S0SOC",) * 9) for n in range(9)
    }
    refused = Refused(RefusalReason.RULE, "rule 1", tuple(roles_by_name))
    forecasts = [forecast_of(action, refused, may_override=True) for action in TASK_ACTIONS]
    message = permissions.why(ENGLISH, explained(), refused, forecasts, roles_by_name)
    assert_slack_takes(message)
    assert f"*{labels(TASK_ACTIONS[-1]).button}*" in json.dumps(message.payload["blocks"])


SAME_AUTHORITY = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.SAME_AUTHORITY)
VOTED = Outcome(
    state=OperationState.FAILED,
    reason_code=OutcomeReason.ALREADY_APPROVED,
    approval_request=request(approval(ALICE)),
)
NOT_NOW = Outcome(
    state=OperationState.FAILED, reason_code=OutcomeReason.NOT_NOW, blocking_status="finished"
)


@pytest.mark.parametrize(
    ("approved", "delegator", "outcome", "sentence"),
    [
        (
            approval(DAVE, ALICE),
            "",
            SAME_AUTHORITY,
            "<@U0DAVE> already approved on your behalf, so your approval would count twice.",
        ),
        (
            approval(BOB),
            BOB,
            SAME_AUTHORITY,
            "<@U0BOB> already approved this, and you would approve on their behalf, so your",
        ),
        (
            approval(DAVE, BOB),
            BOB,
            SAME_AUTHORITY,
            "<@U0DAVE> already approved on behalf of <@U0BOB>, as you would, so your approval",
        ),
        (approval(ALICE), "", VOTED, "You already approved this. Waiting for 1 more."),
        (approval(BOB), "", NOT_NOW, "Not possible while its status is `finished`."),
    ],
)
def test_why_says_what_stands_in_the_way_of_a_press_that_the_policy_allows(
    approved: Approval, delegator: str, outcome: Outcome, sentence: str
) -> None:
    forecast = ActionForecast(
        BY_NAME["task.approve"],
        Allowed("rule 1"),
        accepted=False,
        terms=PolicyTerms(delegator=delegator),
        outcome=outcome,
    )
    read = Allowed("rule 2")
    text = permissions.why(ENGLISH, explained(request(approved)), read, [forecast], {}).text
    assert f"▫️ *Approve*\n{sentence}" in text


def test_why_names_another_run_whose_retry_stands_in_the_way() -> None:
    holder = standing_operation("playbook.retry", user=BOB)
    retry = BY_NAME["instance.retry"]
    forecast = ActionForecast(
        retry, Allowed("rule 1"), accepted=False, terms=PolicyTerms(), holder=holder
    )
    about = Explained(RUN, FAILED, (), ALICE)
    text = permissions.why(ENGLISH, about, Allowed("rule 2"), [forecast], {}).text
    assert f"<@{BOB}> retried the playbook run `p-1`, " in text
    assert "and this run belongs to it" in text


def test_why_counts_the_approvals_that_there_are_and_says_who_may_and_what_is_asked() -> None:
    allowed = Allowed(
        "rule 1 (accounts)", ReasonRule.REQUIRED, stages=one_stage(2), roles=("lead",)
    )
    forecast = forecast_of(BY_NAME["task.approve"], allowed, may_override=True)
    others = Refused(RefusalReason.RULE, "rule 4", ("oncall",))
    terminate = forecast_of(BY_NAME["task.terminate"], others)
    roles_by_name = {"lead": Role(users=(BOB,)), "oncall": Role(usergroups=("S0ONCALL",))}
    message = permissions.why(
        ENGLISH,
        explained(request(approval(DAVE))),
        Allowed("rule 2", roles=("lead",)),
        [forecast, terminate],
        roles_by_name,
    )
    assert message.text.splitlines() == [
        "What you can do with *Isolate*",
        "`t-1`",
        "✅ *Read tasks*",
        "Allowed by rule 2: *lead* (<@U0BOB>).",
        "✅ *Approve*",
        (
            "Allowed by rule 1 “accounts”: *lead* (<@U0BOB>). Needs 2 approvals within 1 hr. A "
            "reason is required. Approvals to approve: 1 of 2 (<@U0DAVE>). You can use the "
            "emergency override: you approve alone."
        ),
        "▫️ *Terminate*",
        "Only *oncall* (<!subteam^S0ONCALL>) can do this (rule 4).",
    ]


def test_why_counts_no_approval_of_an_earlier_version() -> None:
    allowed = Allowed("rule 1", stages=one_stage(2))
    earlier = approval(BOB).model_copy(update={"decision_fingerprint": "of another version"})
    for requests, tally in (
        ((request(earlier, approval(DAVE)),), "Approvals to approve: 1 of 2 (<@U0DAVE>)."),
        ((request(earlier),), ""),
    ):
        forecast = forecast_of(BY_NAME["task.approve"], allowed)
        text = permissions.why(
            ENGLISH, explained(*requests), Allowed("rule 2"), [forecast], {}
        ).text
        assert tally in text
        assert BOB not in text


@FEW
@given(
    strategies.delegations,
    st.lists(strategies.delegations, max_size=60),
    st.lists(role_names, max_size=60),
    roles,
)
def test_what_is_lent_can_be_told(
    delegation: Delegation,
    many_delegations: list[Delegation],
    names: list[str],
    roles_by_name: dict[str, Role],
) -> None:
    assert_slack_takes(permissions.delegation_created(ENGLISH, delegation, names, "/secmaster"))
    assert_slack_takes(
        permissions.delegation_received(ENGLISH, delegation.delegator, delegation.until)
    )
    assert_slack_takes(permissions.delegations(ENGLISH, many_delegations, many_delegations))
    assert_slack_takes(permissions.no_right(ENGLISH, "delegate", names, roles_by_name))
    for render in (
        permissions.delegation_revoked,
        permissions.delegation_withdrawn,
        permissions.no_delegation,
    ):
        assert_slack_takes(render(ENGLISH, "U0BOB"))
    assert_slack_takes(permissions.cannot_delegate_to(ENGLISH, "U0BOB"))
    assert_slack_takes(permissions.delegation_too_long(ENGLISH, timedelta(days=30)))


@FEW
@given(words, ids)
def test_a_policy_that_cannot_be_used_and_an_empty_story_can_be_told(
    problems: str, id_: str
) -> None:
    assert_slack_takes(permissions.not_reloaded(ENGLISH, problems))
    assert_slack_takes(permissions.no_history(ENGLISH, id_))
    assert_slack_takes(permissions.reloaded(ENGLISH, parse(""), parse("")))


def test_every_refusal_and_right_has_its_sentence() -> None:
    assert set(permissions.REFUSAL_TEXTS) == set(RefusalReason)
    assert set(permissions.RIGHT_SENTENCES) == {right.value for right in Right}


def test_the_policy_in_force_is_told_with_who_put_it_in_force_and_whether_this_replica_has_it() -> (
    None
):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    by_alice = RecordedPolicy(2, PolicySource("", "97d7b2a97015", now, "U0ALICE", "bot-1"))
    line = permissions.policy_in_force(ENGLISH, "97d7b2a97015", by_alice)
    assert "`97d7b2a97015`, in force for all replicas since" in line
    assert "reloaded by <@U0ALICE> on bot-1." in line
    assert "⚠️" not in line
    line = permissions.policy_in_force(
        ENGLISH, "97d7b2a97015", by_alice, unused_file="0123456789ab"
    )
    assert (
        "⚠️ The policy file that this replica started with, `0123456789ab`, is not in force." in line
    )
    by_operator = RecordedPolicy(2, PolicySource("", "97d7b2a97015", now, "operator", "bot-1"))
    line = permissions.policy_in_force(ENGLISH, "0123456789ab", by_operator)
    assert "loaded by the operator on bot-1." in line
    assert "⚠️ This replica still has `0123456789ab`" in line
    assert permissions.policy_in_force(ENGLISH, "0123456789ab", None) == "Policy: `0123456789ab`."


def test_why_says_to_a_person_that_they_created_the_task_and_to_an_operator_that_somebody_did() -> (
    None
):
    refused = Refused(RefusalReason.SELF, "rule 2", ("lead",))
    unmapped = Refused(RefusalReason.UNMAPPED, "rule 2")
    forecasts = [
        forecast_of(BY_NAME["task.approve"], refused),
        forecast_of(BY_NAME["task.terminate"], unmapped),
    ]
    roles_by_name = {"lead": Role(users=(BOB,))}
    text = permissions.why(ENGLISH, explained(), Allowed("rule 1"), forecasts, roles_by_name).text
    assert (
        "You created this task, so another approver must decide it: *lead* (<@U0BOB>) (rule 2)."
        in text
    )
    assert "the policy does not say who you are in SecMaster (rule 2)." in text
    assert "Whoever created the task can't decide it; another approver must: lead (rule 2)." in (
        permissions.explain_decision(ENGLISH, refused)
    )

"""What the policy allows and why, delegations, and a policy that is read again."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import TABLE, Action
from bot.domain.delegations import Delegation
from bot.domain.objects import Ref
from bot.domain.reasons import RefusalReason
from bot.messages import permissions
from bot.policy.config import parse
from bot.policy.decide import Decision, Refused
from bot.policy.rules import Role
from bot.store import PolicySource, RecordedPolicy
from tests.support import strategies
from tests.support.samples import ENGLISH, TASK
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, SOME, decisions, ids, role_names, roles, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TASK_ACTIONS = [action for action in TABLE if action.kind == "task"]


@SOME
@given(
    ids,
    st.tuples(*[st.tuples(st.just(action), decisions, st.booleans()) for action in TASK_ACTIONS]),
    roles,
)
def test_why_can_always_be_told(
    id_: str, answers: tuple[tuple[Action, Decision, bool], ...], roles_by_name: dict[str, Role]
) -> None:
    assert_slack_takes(permissions.why(ENGLISH, Ref(kind="task", id=id_), answers, roles_by_name))


def test_why_is_told_to_its_end_in_a_workspace_of_many_roles() -> None:
    roles_by_name = {
        f"role {n}": Role(users=("U0ALICE",) * 9, usergroups=("S0SOC",) * 9) for n in range(9)
    }
    answers = [
        (action, Refused(RefusalReason.RULE, "rule 1", tuple(roles_by_name)), True)
        for action in TASK_ACTIONS
    ]
    message = permissions.why(ENGLISH, TASK, answers, roles_by_name)
    assert_slack_takes(message)
    assert TASK_ACTIONS[-1].name in json.dumps(message.payload["blocks"])


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
    assert_slack_takes(permissions.delegation_created(ENGLISH, delegation, names))
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


def test_every_refusal_has_a_text() -> None:
    assert set(permissions.REFUSAL_TEXTS) == set(RefusalReason)


def test_the_policy_in_force_is_told_with_who_put_it_in_force_and_whether_this_replica_has_it() -> (
    None
):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    by_alice = RecordedPolicy(2, PolicySource("", "97d7b2a97015", now, "U0ALICE", "bot-1"))
    line = permissions.policy_in_force(ENGLISH, "97d7b2a97015", by_alice)
    assert "`97d7b2a97015` for all replicas since" in line
    assert "by <@U0ALICE> on bot-1." in line
    assert "⚠️" not in line
    line = permissions.policy_in_force(
        ENGLISH, "97d7b2a97015", by_alice, unused_file="0123456789ab"
    )
    assert "⚠️ The policy file that this replica started with, `0123456789ab`, is not in" in line
    by_operator = RecordedPolicy(2, PolicySource("", "97d7b2a97015", now, "operator", "bot-1"))
    line = permissions.policy_in_force(ENGLISH, "0123456789ab", by_operator)
    assert "by its operator on bot-1." in line
    assert "⚠️ This replica still has `0123456789ab`" in line
    assert permissions.policy_in_force(ENGLISH, "0123456789ab", None) == "Policy: `0123456789ab`."

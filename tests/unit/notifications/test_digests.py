"""What is counted for a shift's report: each decision under its own name."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.objects import Ref
from bot.domain.shift_digest import DeciderCounts, ShiftSummary
from bot.domain.slack import Actor
from bot.messages.digest import digest
from bot.messages.labels import LABELS, labels
from bot.notifications.digests import count_deciders
from bot.store.history import AuditedAction
from tests.support.samples import ENGLISH

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APPROVE, TERMINATE = BY_NAME["task.approve"], BY_NAME["task.terminate"]
DEFER = replace(APPROVE, name="task.defer", aliases=())


def audited(action: Action, user: str) -> AuditedAction:
    ref = Ref(kind=action.kind, id="object-1")
    return AuditedAction(actor=Actor(id=user, name=user.title()), action=action, ref=ref, at=NOW)


def test_another_kind_of_decision_is_counted_and_named_as_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        LABELS, DEFER.name, replace(labels(APPROVE), past="{actor} deferred {object}.")
    )
    actions = [
        audited(action, user)
        for action, user in (
            (DEFER, "bob"),
            (APPROVE, "alice"),
            (DEFER, "alice"),
            (TERMINATE, "alice"),
            (DEFER, "alice"),
        )
    ]
    deciders = count_deciders(actions)
    assert deciders == (
        DeciderCounts(
            name="Alice", decisions={"task.approve": 1, "task.terminate": 1, "task.defer": 2}
        ),
        DeciderCounts(name="Bob", decisions={"task.defer": 1}),
    )
    text = digest(ENGLISH, ShiftSummary(since=NOW, until=NOW, deciders=deciders)).text
    sentence = (
        "5 tasks were decided in Slack. Alice approved 1 task. Alice terminated 1 task. Alice "
        "deferred 2 tasks. Bob deferred 1 task."
    )
    assert sentence in text


@pytest.mark.parametrize("action", TABLE, ids=lambda action: action.name)
def test_of_the_table_each_decision_is_named_by_its_own_word_and_nothing_else_is_counted(
    action: Action,
) -> None:
    deciders = count_deciders([audited(action, "alice")])
    assert [decider.decisions for decider in deciders] == [{action.name: 1}] * action.is_decision
    text = digest(ENGLISH, ShiftSummary(since=NOW, until=NOW, deciders=deciders)).text
    sentence = labels(action).past.format(actor="Alice", object="1 task")
    assert (sentence in text) is action.is_decision


def test_who_decided_most_comes_first() -> None:
    actions = [audited(TERMINATE, user) for user in ("bob", "alice", "alice")]
    assert [decider.name for decider in count_deciders(actions)] == ["Alice", "Bob"]

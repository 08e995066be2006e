"""What the brake counts: every retry that was sent, or may have been."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.claims import WaitingFor
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import StoredSnapshot
from bot.store import Store, close, connect, migrate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEEN = StoredSnapshot(fingerprint="d" * 32, snapshot="{}")
WITHIN = 3600


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (OperationState.DONE, [False, False, True]),
        (OperationState.UNKNOWN, [False, False, True]),
        (OperationState.FAILED, [False, False, False]),
    ],
)
def test_what_was_sent_or_may_have_been_counts(
    database_url: str, state: OperationState, expected: list[bool]
) -> None:
    engine = connect(database_url)
    migrate(engine)
    store, brakes = Store(engine), []
    for number in range(3):
        at = NOW + timedelta(minutes=2 * number)
        retry = operation(number, at)
        claimed = store.claim(retry, f"{retry.ref}:retry:0", at, SEEN)
        brakes.append(isinstance(claimed, WaitingFor) and claimed.request.brake_applied)
        store.conclude(retry, Outcome(state=state), at)
    close(engine)
    assert brakes == expected


def operation(number: int, at: datetime) -> Operation:
    return Operation(
        id=f"{number:032x}",
        action="instance.retry",
        ref=Ref(kind="instance", id=f"run-{number}"),
        actor=Actor(id="U0CAROL"),
        location=SlackLocation(channel="C0ONCALL", card="1"),
        terms=PolicyTerms(failure_group="workflow", brake_retries=2, brake_within=WITHIN),
        accepted_at=at,
    )

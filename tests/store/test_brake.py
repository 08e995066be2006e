"""What the brake counts: every retry that was sent, or may have been."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.models import Actor, Operation, Outcome, Place, Ref, Seen, State, Terms
from bot.store import Store, close, connect, migrate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEEN = Seen(digest="d" * 32, snapshot="{}")
WITHIN = 3600


@pytest.mark.parametrize(
    ("state", "braked"),
    [
        (State.DONE, [False, False, True]),
        (State.UNKNOWN, [False, False, True]),
        (State.FAILED, [False, False, False]),
    ],
)
def test_what_was_sent_or_may_have_been_counts(database_url: str, state: State, braked: list[bool]):
    engine = connect(database_url)
    migrate(engine)
    store, found = Store(engine), []
    for number in range(3):
        at = NOW + timedelta(minutes=2 * number)
        retry = operation(number, at)
        claimed = store.claim(retry, f"{retry.ref}:retry:0", at, SEEN)
        found.append(bool(claimed.poll.ballot and claimed.poll.ballot.braked))
        store.conclude(claimed.operation, Outcome(state=state), at)
    close(engine)
    assert found == braked


def operation(number: int, at: datetime) -> Operation:
    return Operation(
        id=f"{number:032x}",
        action="instance.retry",
        ref=Ref(noun="instance", id=f"run-{number}"),
        actor=Actor(id="U0CAROL"),
        place=Place(channel="C0ONCALL", card="1"),
        terms=Terms(gathers="workflow", brake=2, brake_within=WITHIN),
        accepted_at=at,
    )

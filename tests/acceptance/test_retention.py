"""A card outlives its record: whatever is pressed on it is answered, and it is followed again."""

import asyncio
from datetime import timedelta

from bot.domain.objects import Ref
from bot.sandbox.secmaster.wire import stamp
from bot.watch.retention import Retention
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, SOC

TASK = Ref(kind="task", id="3e4c170e-7cc9-11f0-9216-fa163e2aaaaa")
DAYS = 90


async def forgotten_card(environment: BotEnvironment) -> str:
    """Return a card whose record is gone, as it looks where its last drawing never came."""
    cards = environment.app.services.store.cards
    due_date = stamp(environment.clock.now() + timedelta(days=2 * DAYS))
    environment.secmaster.world.add_task(id=TASK.id, name="Isolate host", due_date=due_date)
    ts = await environment.card("task", TASK.id)
    while not cards.cards_of(TASK):  # noqa: ASYNC110 - a database tells nobody
        await asyncio.sleep(0.02)
    cards.mark_rendered(cards.cards_of(TASK), open_=False)
    environment.clock.forward(days=DAYS + 1)
    await Retention(environment.app.services, DAYS).purge()
    assert cards.cards_of(TASK) == []
    return ts


def recorded(environment: BotEnvironment) -> list[str]:
    return [card.ts for card in environment.app.services.store.cards.cards_of(TASK)]


@postgres_in_full
async def test_a_decision_on_it_is_sent_and_drawn(environment: BotEnvironment) -> None:
    ts = await forgotten_card(environment)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert recorded(environment) == [ts]


async def test_where_its_object_changed_the_person_is_asked_again(
    environment: BotEnvironment,
) -> None:
    ts = await forgotten_card(environment)
    environment.secmaster.world.task(TASK.id)["name"] = "Isolate host db-01"
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, "Changed since you looked")
    assert [one for one in environment.secmaster.requests if one.method == "PUT"] == []
    assert recorded(environment) == [ts]


async def test_refresh_draws_it(environment: BotEnvironment) -> None:
    ts = await forgotten_card(environment)
    environment.secmaster.world.task(TASK.id)["name"] = "Isolate host db-01"
    value = f"refresh|1:task:main:{TASK.id}"
    delivered = await environment.slack.press(BOB, SOC, ts, "more", value=value)
    assert (delivered.status, delivered.error) == (200, "")
    await environment.slack.until(lambda: "db-01" in str(environment.message(ts)))
    assert recorded(environment) == [ts]

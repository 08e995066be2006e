"""Cards follow what is done elsewhere, without anybody pressing anything."""

import json

import pytest

from bot.demo import POLICY
from bot.models import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, Received, seed
from tests.town import CAROL, ONCALL, SOC, Town, both_databases

ISOLATE = Ref(noun="task", id=seed.TASK_ISOLATE)
EVERA = Person("console-evera", "Evera")


@pytest.fixture
def rules() -> str:
    return POLICY + "[watch]\nevery = 0.02\n"


@both_databases
async def test_a_decision_in_the_console_is_on_every_card(town: Town):
    first = await town.card("task", seed.TASK_ISOLATE)
    second = await town.card("task", seed.TASK_ISOLATE, channel=ONCALL, user=CAROL)
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "TERMINATE"}, EVERA)
    await town.slack.until(lambda: not town.buttons(first))
    await town.slack.until(lambda: not town.buttons(second, channel=ONCALL))
    assert "Decided outside Slack by Evera" in json.dumps(town.message(first))
    async with town.app.desk.drawing(ISOLATE):  # the round is through
        assert watched(town) == []


async def test_a_comment_in_the_console_is_on_the_card_and_the_buttons_stay(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    said = {"action": "ADD_COMMENT", "comment": "host is drained"}
    town.secmaster.world.update_task(seed.TASK_ISOLATE, said, EVERA)
    await town.slack.until(lambda: "host is drained" in json.dumps(town.message(ts)))
    assert town.buttons(ts)


async def test_a_run_that_is_retried_is_followed_to_its_end(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await town.slack.press(CAROL, SOC, ts, "instance.retry")
    await town.slack.until(lambda: "Finished" in town.message(ts)["text"])


async def test_a_card_of_what_has_not_changed_is_not_drawn_again(town: Town):
    await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.until(lambda: len(looks(town, 200)) > 5)
    assert [one for one in town.slack.calls if one.method == "chat.update"] == []


async def test_the_cards_follow_again_once_secmaster_can_be_asked(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="ShowTask", status=503))
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, EVERA)
    await town.secmaster.until(lambda: len(looks(town, 503)) > 2)
    assert town.buttons(ts)
    await town.secmaster.faults.clear()
    await town.slack.until(lambda: not town.buttons(ts))


async def test_one_that_can_not_be_read_does_not_stand_before_the_others(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    store, at = town.app.desk.store, town.app.desk.clock()
    store.watch(Ref(noun="task", workspace="gone", id="x"), "", at)
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, EVERA)
    await town.slack.until(lambda: not town.buttons(ts))


def looks(town: Town, status: int) -> list[Received]:
    asked = [one for one in town.secmaster.requests if one.endpoint == "ShowTask"]
    return [one for one in asked if one.status == status]


def watched(town: Town) -> list[tuple[Ref, str]]:
    store = town.app.desk.store
    return store.watched(10, town.app.desk.clock().replace(year=2000))

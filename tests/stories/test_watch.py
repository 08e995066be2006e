"""Cards follow what is done elsewhere, without anybody pressing anything."""

import asyncio
import json
from datetime import timedelta

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, Received, seed
from bot.watch.reconcile import check_unlisted
from tests.town import (
    ALICE,
    CAROL,
    ONCALL,
    SOC,
    Town,
    both_databases,
)

ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)
# A round is made where the story says so.
BY_HAND = pytest.mark.parametrize("rules", [POLICY], ids=["by-hand"])
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
    async with town.app.services.cards.render_lock(ISOLATE):  # the round is through
        assert unsettled(town) == []


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
    gone = Card(ref=Ref(kind="task", workspace="gone", id="x"), channel=SOC, ts="1.000100")
    town.app.services.store.add_card(gone, town.app.services.clock.now() - timedelta(minutes=1))
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, EVERA)
    await town.slack.until(lambda: not town.buttons(ts))


@BY_HAND
async def test_a_newer_card_elsewhere_leaves_no_older_one_behind(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "TERMINATE"}, EVERA)
    await town.card("task", seed.TASK_ISOLATE, channel=ONCALL, user=CAROL)
    async with town.app.services.cards.card_lock(ISOLATE, ONCALL):
        await check_unlisted(town.app.services)
    assert not town.buttons(ts)
    assert unsettled(town) == []


@BY_HAND
async def test_what_a_gateway_lost_for_a_moment_comes_back(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="ShowTask", html=True, status=404, times=1))
    async with town.app.services.cards.card_lock(ISOLATE, SOC):
        await check_unlisted(town.app.services)
    assert "no longer exists" in town.message(ts)["text"]
    await check_unlisted(town.app.services)
    assert town.buttons(ts)


@BY_HAND
async def test_a_card_that_slack_refuses_for_good_does_not_have_the_others_drawn_for_ever(
    town: Town,
):
    await town.card("task", seed.TASK_ISOLATE)
    await town.card("task", seed.TASK_ISOLATE, channel=ONCALL, user=CAROL)
    said = {"action": "ADD_COMMENT", "comment": "host is drained"}
    town.secmaster.world.update_task(seed.TASK_ISOLATE, said, EVERA)
    no = Fault(on="chat.update", status=200, code="edit_window_closed", times=1)
    await town.slack.faults.set(no)
    async with town.app.services.cards.card_lock(ISOLATE, ONCALL):
        for _ in range(3):
            await check_unlisted(town.app.services)
    assert len([one for one in town.slack.calls if one.method == "chat.update"]) == 2


@BY_HAND
async def test_a_decision_does_not_wait_until_slack_lets_cards_be_drawn(town: Town):
    await town.card("task", seed.TASK_ISOLATE)
    said = {"action": "ADD_COMMENT", "comment": "host is drained"}
    town.secmaster.world.update_task(seed.TASK_ISOLATE, said, EVERA)
    await town.slack.faults.set(Fault(on="chat.update", hold=True))
    async with town.app.services.cards.card_lock(ISOLATE, SOC):
        round_ = asyncio.create_task(check_unlisted(town.app.services))
    await town.slack.faults.until_held("chat.update")
    await town.slack.command(ALICE, ONCALL, f"/task approve {seed.TASK_ISOLATE}")
    await town.secmaster.until(lambda: town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE))
    await town.slack.faults.clear()
    await round_


def looks(town: Town, status: int) -> list[Received]:
    asked = [one for one in town.secmaster.requests if one.endpoint == "ShowTask"]
    return [one for one in asked if one.status == status]


def unsettled(town: Town) -> list[Ref]:
    store = town.app.services.store
    return store.cards_to_check(10, town.app.services.clock.now().replace(year=2000))

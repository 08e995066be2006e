"""Cards follow what is done elsewhere, without anybody pressing anything."""

import asyncio
import json
from datetime import timedelta

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Received, seed
from bot.watch.reconcile import check_unlisted
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, ONCALL, SOC
from tests.support.watch import EVERA

ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)
# A round is made where the story says so.
BY_HAND = pytest.mark.parametrize("rules", [POLICY], ids=["by-hand"])


@pytest.fixture
def rules() -> str:
    return POLICY + "[watch]\nevery = 0.02\n"


@postgres_in_full
async def test_a_decision_in_the_console_is_on_every_card(environment: BotEnvironment) -> None:
    first = await environment.card("task", seed.TASK_ISOLATE)
    second = await environment.card("task", seed.TASK_ISOLATE, channel=ONCALL, user=CAROL)
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "TERMINATE"}, EVERA)
    await environment.slack.until(lambda: not environment.buttons(first))
    await environment.slack.until(lambda: not environment.buttons(second, channel=ONCALL))
    assert "Decided outside Slack by Evera" in json.dumps(environment.message(first))
    async with environment.app.services.cards.render_lock(ISOLATE):  # the round is through
        assert unsettled(environment) == []


async def test_a_comment_in_the_console_is_on_the_card_and_the_buttons_stay(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    comment = {"action": "ADD_COMMENT", "comment": "host is drained"}
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, comment, EVERA)
    await environment.slack.until(lambda: "host is drained" in json.dumps(environment.message(ts)))
    assert environment.buttons(ts)


async def test_a_run_that_is_retried_is_followed_to_its_end(environment: BotEnvironment) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await environment.slack.press(CAROL, SOC, ts, "instance.retry")
    await environment.slack.until(lambda: "Finished" in environment.message(ts)["text"])
    assert "*Retry started by" in (await environment.replies(ts))[0]


async def test_a_card_of_what_has_not_changed_is_not_drawn_again(
    environment: BotEnvironment,
) -> None:
    await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.until(lambda: len(looks(environment, 200)) > 5)
    assert [one for one in environment.slack.calls if one.method == "chat.update"] == []


@pytest.mark.slow
async def test_the_cards_follow_again_once_secmaster_can_be_asked(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, EVERA)
    await environment.secmaster.until(lambda: len(looks(environment, 503)) > 2)
    assert environment.buttons(ts)
    await environment.secmaster.faults.clear()
    await environment.slack.until(lambda: not environment.buttons(ts))


async def test_one_that_can_not_be_read_does_not_stand_before_the_others(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    gone = Card(ref=Ref(kind="task", workspace="gone", id="x"), channel=SOC, ts="1.000100")
    environment.app.services.store.cards.add_card(
        gone, environment.app.services.clock.now() - timedelta(minutes=1)
    )
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, EVERA)
    await environment.slack.until(lambda: not environment.buttons(ts))


@BY_HAND
async def test_a_newer_card_elsewhere_leaves_no_older_one_behind(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "TERMINATE"}, EVERA)
    await environment.card("task", seed.TASK_ISOLATE, channel=ONCALL, user=CAROL)
    async with environment.app.services.cards.card_lock(ISOLATE, ONCALL):
        await check_unlisted(environment.app.services)
    assert not environment.buttons(ts)
    assert unsettled(environment) == []


@BY_HAND
async def test_what_secmaster_lost_for_a_moment_comes_back(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    lost = Fault(on="ShowTask", status=404, code="SecMaster.20010004", times=1)
    await environment.secmaster.faults.set(lost)
    async with environment.app.services.cards.card_lock(ISOLATE, SOC):
        await check_unlisted(environment.app.services)
    assert "no longer exists" in environment.message(ts)["text"]
    await check_unlisted(environment.app.services)
    assert environment.buttons(ts)


@BY_HAND
@pytest.mark.parametrize(
    "answer",
    [Fault(on="ShowTask", status=404), Fault(on="ShowTask", html=True, status=404)],
    ids=["gateway", "proxy"],
)
async def test_a_404_that_is_not_secmasters_leaves_cards_as_they_are(
    environment: BotEnvironment, answer: Fault
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    before = environment.message(ts)["text"]
    await environment.secmaster.faults.set(answer)
    await check_unlisted(environment.app.services)
    assert [each for each in environment.secmaster.requests if each.endpoint == "ShowTask"]
    assert environment.message(ts)["text"] == before
    assert environment.buttons(ts)


@BY_HAND
async def test_a_card_that_slack_refuses_for_good_does_not_have_the_others_drawn_for_ever(
    environment: BotEnvironment,
) -> None:
    await environment.card("task", seed.TASK_ISOLATE)
    await environment.card("task", seed.TASK_ISOLATE, channel=ONCALL, user=CAROL)
    comment = {"action": "ADD_COMMENT", "comment": "host is drained"}
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, comment, EVERA)
    no = Fault(on="chat.update", status=200, code="edit_window_closed", times=1)
    await environment.slack.faults.set(no)
    async with environment.app.services.cards.card_lock(ISOLATE, ONCALL):
        for _ in range(3):
            await check_unlisted(environment.app.services)
    assert len([one for one in environment.slack.calls if one.method == "chat.update"]) == 2


@BY_HAND
async def test_a_decision_does_not_wait_until_slack_lets_cards_be_drawn(
    environment: BotEnvironment,
) -> None:
    await environment.card("task", seed.TASK_ISOLATE)
    comment = {"action": "ADD_COMMENT", "comment": "host is drained"}
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, comment, EVERA)
    await environment.slack.faults.set(Fault(on="chat.update", hold=True))
    async with environment.app.services.cards.card_lock(ISOLATE, SOC):
        round_ = asyncio.create_task(check_unlisted(environment.app.services))
    await environment.slack.faults.until_held("chat.update")
    await environment.slack.command(ALICE, ONCALL, f"/task approve {seed.TASK_ISOLATE}")
    await environment.secmaster.until(
        lambda: environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    )
    await environment.slack.faults.clear()
    await round_
    ts = await environment.slack.until(lambda: environment.new_card(ONCALL, set()))
    assert "*Approved by" in (await environment.replies(ts, channel=ONCALL))[0]


def looks(environment: BotEnvironment, status: int) -> list[Received]:
    requests = [one for one in environment.secmaster.requests if one.endpoint == "ShowTask"]
    return [one for one in requests if one.status == status]


def unsettled(environment: BotEnvironment) -> list[Ref]:
    store = environment.app.services.store
    return store.cards.cards_to_check(10, environment.app.services.clock.now().replace(year=2000))

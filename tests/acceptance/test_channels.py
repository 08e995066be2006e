"""Cards and answers are posted only where the policy says; elsewhere people are told alone."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.secmaster import seed
from tests.support.batch import choose, open_view
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, buttons, on_card
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL, PARTNERS, RANDOM, SOC
from tests.support.watch import card_of, first_poll_finished, posting_finished, snooze

DM, TASK, OTHER = "D0ALICE", seed.TASK_ISOLATE, seed.TASK_BLOCK_IP
NAMED = POLICY + f'\n[rights]\nwatch = ["approver"]\n[channels]\nallow = ["{SOC}", "{PARTNERS}"]\n'
FOLLOWING = f"""
[watch]
every = 0.02
fallback = "{ONCALL}"
admins = ["{DAVE}"]

[[routes]]
channel = "{PARTNERS}"
tasks = true
group = "none"
"""


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", NAMED))


async def test_elsewhere_a_card_and_what_follows_from_it_are_for_one_person_alone(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(DAVE, RANDOM, f"/task show {TASK}")
    text = await environment.ephemeral(DAVE, "Isolate host")
    [card] = environment.slack.ephemerals(DAVE, RANDOM)
    assert "Isolate host" in text
    assert buttons(card) == [*on_card("task", "waiting"), "more"]
    assert "the policy allows no cards in this channel" in json.dumps(card)
    await environment.slack.command(ALICE, RANDOM, f"/task show {TASK}")
    await environment.ephemeral(ALICE, "Isolate host")
    # Its menu and its buttons work, and show nothing to the others either.
    [card] = environment.slack.ephemerals(ALICE, RANDOM)
    environment.secmaster.world.tasks[TASK]["name"] = "Isolate host, renamed"
    await environment.slack.press(
        ALICE, RANDOM, card["ts"], "more", value=f"refresh|1:task:main:{TASK}"
    )
    await environment.ephemeral(ALICE, "Isolate host, renamed")
    await environment.slack.press(ALICE, RANDOM, card["ts"], "task.approve")
    ts = await environment.slack.until(lambda: environment.new_card(DM, set()))
    assert "*Approved by <@U0ALICE>" in (await environment.replies(ts, channel=DM))[0]
    await environment.slack.until(lambda: not environment.buttons(ts, channel=DM))
    assert environment.slack.messages(RANDOM) == []


async def test_commands_typed_elsewhere_are_answered_in_direct_messages(
    environment: BotEnvironment,
) -> None:
    answer = await environment.slack.command(ALICE, RANDOM, f"/task approve {TASK} a decoy")
    assert (
        "in your direct messages with this bot: the policy allows no cards in this channel"
        in str(answer.body)
    )
    ts = await environment.slack.until(lambda: environment.new_card(DM, set()))
    [reply] = await environment.replies(ts, channel=DM)
    assert "*Approved by <@U0ALICE>" in reply
    assert "> a decoy" in reply
    await environment.slack.until(lambda: not environment.buttons(ts, channel=DM))
    # What comes too late is told where it was asked, and to them alone.
    await environment.slack.command(BOB, RANDOM, f"/task terminate {TASK}")
    await environment.ephemeral(BOB, "Finished")
    assert {one["channel"] for one in environment.slack.ephemerals(BOB)} == {RANDOM}
    # A mention has no response of its own: also what only it is told comes by direct message.
    environment.slack.add_bot(RANDOM)
    message = await environment.slack.say(CAROL, RANDOM, "what is this?")
    mention = f"@secmaster task comment {OTHER} seen before"
    await environment.slack.say(CAROL, RANDOM, mention, message["ts"])
    ts = await environment.slack.until(lambda: environment.new_card("D0CAROL", set()))
    [reply] = await environment.replies(ts, channel="D0CAROL")
    assert "> seen before" in reply
    assert [one["user"] for one in environment.slack.messages(RANDOM)] == [CAROL]
    assert len(environment.slack.thread(RANDOM, message["ts"])) == 2
    locations = [
        entry["location"]["channel"]
        for entry in environment.app.services.store.audit.entries(Ref(kind="task", id=TASK))
    ]
    assert set(locations) <= {DM, "D0BOB"}


async def test_a_channel_that_another_organisation_shares_is_like_one_that_is_not_named(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, PARTNERS, f"/task show {TASK}")
    await environment.ephemeral(ALICE, "Isolate host")
    [card] = environment.slack.ephemerals(ALICE, PARTNERS)
    assert "another organisation shares this channel" in json.dumps(card)
    await environment.slack.command(ALICE, PARTNERS, "/secmaster watch")
    await environment.ephemeral(ALICE, "Another organisation shares this channel", "not subscribed")
    await environment.slack.command(ALICE, PARTNERS, "/task several Isolate")
    view = await open_view(environment, ALICE, "choosing")
    view = await choose(environment, ALICE, view, "task.approve", [TASK])
    await environment.slack.submit(ALICE, view["id"], {})
    await environment.posted(DM, "approved 1 of 1")
    environment.ignore_messages("Isolate host", channel=DM)  # the reply under it
    assert environment.slack.messages(PARTNERS) == []


@postgres_in_full
@pytest.mark.parametrize("rules", [NAMED + FOLLOWING], indirect=True, ids=["route"])
async def test_a_route_into_a_shared_channel_goes_to_the_fallback_until_the_policy_says_shared(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="Isolate a")
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate a"))
    assert "Meant for <#C0PARTNERS>" in json.dumps(environment.message(ts, channel=ONCALL))
    await environment.posted("D0DAVE", "Another organisation shares <#C0PARTNERS>")
    environment.secmaster.world.add_task(name="Isolate b")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate b"))
    # It is not tried again in an hour, but as soon as the policy allows it.
    set_channels(environment, shared=True)
    environment.secmaster.world.add_task(name="Isolate c")
    await environment.slack.until(lambda: card_of(environment, PARTNERS, "Isolate c"))
    closed = environment.app.services.store.closed_channels
    await environment.secmaster.until(lambda: not closed.all())


@pytest.mark.parametrize("rules", [NAMED + FOLLOWING], indirect=True, ids=["route"])
async def test_subscriptions_stay_within_the_channels_of_the_policy(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.ignore_messages("Isolate", channel=ONCALL)  # the fallback of the route's
    environment.ignore_messages("Another organisation shares")
    await environment.slack.command(ALICE, RANDOM, "/secmaster watch")
    await environment.ephemeral(ALICE, "does not name this channel", "`[channels] allow`")
    assert environment.app.services.store.subscriptions.channels() == []
    set_channels(environment, allow=(SOC, RANDOM))
    await environment.slack.command(ALICE, RANDOM, "/secmaster watch")
    await environment.ephemeral(ALICE, "Subscribed this channel")
    await environment.posted(RANDOM, "subscribed this channel")
    environment.secmaster.world.add_task(name="Isolate a")
    await environment.slack.until(lambda: card_of(environment, RANDOM, "Isolate a"))
    await posting_finished(environment)  # which opens a channel
    set_channels(environment, allow=(SOC,))
    for name in ("Isolate b", "Isolate c"):
        environment.secmaster.world.add_task(name=name)
        await environment.slack.until(lambda name=name: card_of(environment, ONCALL, name))
    await environment.posted("D0DAVE", "The policy does not name <#C0RANDOM>")
    assert not card_of(environment, RANDOM, "Isolate b")
    # The card that is there already still works, and what is done on it is told alone.
    ts = card_of(environment, RANDOM, "Isolate a")
    await snooze(environment, ALICE, ts, channel=RANDOM)
    await environment.posted(DM, "snoozed this for everyone until")
    assert len(environment.slack.thread(RANDOM, ts)) == 1
    text = await environment.answer(ALICE, "/secmaster routes", channel=RANDOM)
    assert "is subscribed" not in text
    await environment.slack.command(ALICE, RANDOM, "/secmaster unwatch")
    await environment.ephemeral(ALICE, "Unsubscribed this channel.")
    assert environment.app.services.store.subscriptions.channels() == []


async def test_a_card_stays_where_the_policy_names_its_channel_no_longer(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    set_channels(environment, allow=())
    await environment.slack.press(ALICE, SOC, ts, "more", value=f"snooze.xh|1:task:main:{TASK}")
    await environment.ephemeral(ALICE, "Nothing to snooze")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    private = await environment.slack.until(lambda: environment.new_card(DM, set()))
    assert "*Approved by" in (await environment.replies(private, channel=DM))[0]
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(environment.slack.thread(SOC, ts)) == 1


def set_channels(environment: BotEnvironment, **fields: Any) -> None:
    """Let the policy have other channels from now on, as a reload would."""
    policy = environment.app.policy
    channels = policy.current.channels.model_copy(update=fields)
    policy.current = policy.current.model_copy(update={"channels": channels})

"""Socket Mode: two connections that come and go while people go on working."""

import asyncio
import logging

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.messages.slack_delivery import CONNECTED_AGAIN, NOTHING_IS_HEARD
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.arrivals import new_task
from tests.support.clock import FakeClock
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, BOB, DAVE, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import ROUTES, card_of, first_poll_finished

over_sockets = pytest.mark.parametrize("mode", ["socket"], indirect=True)


@over_sockets
async def test_every_envelope_is_acked_whatever_came_of_it(environment: BotEnvironment) -> None:
    assert len(environment.slack.socket_mode.connections) == 2
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.command(ALICE, SOC, "/secmaster help")
    assert "How to use /secmaster" in environment.slack.ephemerals(ALICE)[-1]["text"]
    await environment.slack.command(ALICE, SOC, "/secmaster nonsense")
    assert "I don't know “nonsense”" in environment.slack.ephemerals(ALICE)[-1]["text"]
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "can do this (rule 1)")
    await environment.slack.press(ALICE, SOC, ts, "task.comment")
    [view] = environment.slack.views(ALICE)
    await environment.slack.submit(ALICE, view["id"], {"comment": " "})
    assert environment.slack.views(ALICE)[0]["errors"] == {"comment": "This can't be empty."}
    await environment.slack.submit(ALICE, view["id"], {"comment": "fine"})
    assert environment.slack.views(ALICE) == []
    await environment.slack.say(ALICE, SOC, "@secmaster what?", ts)
    await environment.slack.say(ALICE, "D0ALICE", "help")
    await environment.slack.close(ALICE, await open_form(environment, ts))
    await environment.slack.open_home(ALICE)
    await environment.replies(ts, 2)
    await environment.ephemeral(ALICE, "I don't know “what?”")
    await environment.posted("D0ALICE", "How to use /secmaster")
    kinds = [one.kind for one in environment.slack.sent]
    assert set(kinds) == {"slash_commands", "interactive", "events_api"}
    for one in environment.slack.sent:
        assert one.delivered is not None
        assert (one.delivered.status, one.delivered.error) == (200, ""), one.kind
    assert len(environment.secmaster.writes("UpdateTask")) == 1


@over_sockets
async def test_while_one_connection_is_renewed_the_other_takes_the_clicks(
    environment: BotEnvironment,
) -> None:
    sockets = environment.slack.socket_mode
    first, _second = sockets.connections
    await sockets.disconnect("refresh_requested", first.number)
    ts = await environment.card("task", seed.TASK_ISOLATE)
    delivered = await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert (delivered.status, delivered.error) == (200, "")
    assert "*Approved by <@U0ALICE>" in (await environment.replies(ts))[0]
    await environment.slack.until(lambda: len(sockets.connections) == 2)
    assert first not in sockets.connections
    parts = await environment.app.readiness.parts()
    assert parts == {"database": "ok", "slack": "ok", "troubles": []}


@over_sockets
async def test_nothing_is_lost_while_connections_are_renewed_one_after_the_other(
    environment: BotEnvironment,
) -> None:
    sockets = environment.slack.socket_mode
    lost = 0
    for reason in ("refresh_requested", "warning") * 3:
        oldest = sockets.connections[0]
        await sockets.disconnect(reason, oldest.number)
        for _ in range(3):
            # Interactions and commands are never redelivered: the person sees a timeout.
            delivered = await environment.slack.command(BOB, SOC, "/secmaster help")
            lost += delivered.error != ""
            await environment.ephemeral(BOB, "How to use /secmaster")
        await environment.slack.until(lambda: len(sockets.connections) == 2)
        assert oldest not in sockets.connections
    assert lost == 0


@over_sockets
async def test_a_connection_that_breaks_without_a_word_is_replaced(
    environment: BotEnvironment,
) -> None:
    sockets = environment.slack.socket_mode
    first, second = sockets.connections
    await first.socket.close()
    await environment.slack.until(lambda: first not in sockets.connections)
    await environment.slack.command(ALICE, SOC, f"/task comment {seed.TASK_ISOLATE} still here")
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    await environment.replies(ts)
    await environment.slack.until(lambda: len(sockets.connections) == 2)
    assert second in sockets.connections
    # Both carry: the sandbox gives each envelope to the next connection.
    for _ in range(2):
        delivered = await environment.slack.command(ALICE, SOC, "/secmaster help")
        assert (delivered.status, delivered.error) == (200, "")
        await environment.ephemeral(ALICE, "How to use /secmaster")


@over_sockets
async def test_when_all_connections_go_at_once_they_come_back(environment: BotEnvironment) -> None:
    sockets = environment.slack.socket_mode
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.faults.set(Fault(on="apps.connections.open", status=500, times=1))
    assert await sockets.disconnect("refresh_requested") == 2
    await environment.slack.until(lambda: len(sockets.connections) == 2)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    clicks = [environment.slack.press(ALICE, SOC, ts, "task.approve") for _ in range(4)]
    assert {each.error for each in await asyncio.gather(*clicks)} == {""}
    await environment.slack.until(lambda: len(environment.slack.ephemerals(ALICE)) == 3)
    await environment.secmaster.faults.clear()
    await environment.replies(ts)
    for _ in range(3):
        await environment.ephemeral(ALICE, "Your second press was not sent.")
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1


@over_sockets
async def test_an_event_delivered_again_over_a_socket_is_done_once(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.say(ALICE, SOC, "@secmaster comment only once", ts)
    await environment.replies(ts, 2)
    for _ in range(2):
        await environment.slack.redeliver(list(environment.slack.delivery.events)[-1])
    await environment.slack.say(ALICE, SOC, "@secmaster approve", ts)
    await environment.replies(ts, 4)
    writes = environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert [one.body["action"] for one in writes] == ["ADD_COMMENT", "CONTINUE"]


@over_sockets
async def test_nobody_can_post_clicks_over_http_beside_the_socket(
    environment: BotEnvironment,
) -> None:
    environment.slack.request_url = f"{environment.app.url}/slack/events"
    delivered = await environment.slack.deliver_raw("command=/secmaster&text=help")
    assert delivered.status == 404


async def test_a_start_without_connections_watches_and_posts_until_they_come(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "bot.web.socket_mode")
    await slack.faults.set(Fault(on="socket", status=503))
    settings = settings_for(slack.url, secmaster.url, database_url, socket=True)
    async with App(settings, policy(POLICY + ROUTES), QUICK_TIMEOUTS, clock) as app:
        environment = BotEnvironment(slack, secmaster, app, clock)
        await first_poll_finished(environment)
        task = new_task(secmaster.world, 0)
        ts = await slack.until(lambda: card_of(environment, SOC, task["name"]))
        assert slack.socket_mode.connections == []
        state = (await app.readiness.parts())["slack"]
        assert state == "no open connection: the websocket's handshake was refused with 503"
        await slack.faults.clear()
        await slack.until(lambda: len(slack.socket_mode.connections) == 2)
        await slack.press(ALICE, SOC, ts, "task.approve")
        assert "*Approved by" in (await environment.replies(ts))[0]
    lines = [r.getMessage() for r in caplog.records if r.name == "bot.web.socket_mode"]
    assert lines == [NOTHING_IS_HEARD, CONNECTED_AGAIN]


async def open_form(environment: BotEnvironment, ts: str) -> str:
    """Open a form, and return its id."""
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    return str(environment.slack.views(ALICE)[-1]["id"])

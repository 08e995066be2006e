"""Socket Mode: two connections that come and go while people go on working."""

import asyncio

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.town import ALICE, BOB, DAVE, SOC, Town

pytestmark = pytest.mark.parametrize("mode", ["socket"], indirect=True)


async def test_every_envelope_is_acked_whatever_came_of_it(town: Town):
    assert len(town.slack.socket_mode.connections) == 2
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.command(ALICE, SOC, "/secmaster help")
    assert "How to use /secmaster" in town.slack.ephemerals(ALICE)[-1]["text"]
    await town.slack.command(ALICE, SOC, "/secmaster nonsense")
    assert "I don't know “nonsense”" in town.slack.ephemerals(ALICE)[-1]["text"]
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "rule 1 leaves it to")
    await town.slack.press(ALICE, SOC, ts, "task.comment")
    [view] = town.slack.views(ALICE)
    await town.slack.submit(ALICE, view["id"], {"comment": " "})
    assert town.slack.views(ALICE)[0]["errors"] == {"comment": "The text is missing."}
    await town.slack.submit(ALICE, view["id"], {"comment": "fine"})
    assert town.slack.views(ALICE) == []
    await town.slack.say(ALICE, SOC, "@secmaster what?", ts)
    await town.slack.say(ALICE, "D0ALICE", "help")
    await town.slack.close(ALICE, await opened(town, ts))
    await town.slack.open_home(ALICE)
    await town.replies(ts, 2)
    kinds = [one.kind for one in town.slack.sent]
    assert set(kinds) == {"slash_commands", "interactive", "events_api"}
    for one in town.slack.sent:
        assert one.delivered is not None
        assert (one.delivered.status, one.delivered.error) == (200, ""), one.kind
    assert len(town.secmaster.writes("UpdateTask")) == 1


async def test_while_one_connection_is_renewed_the_other_takes_the_clicks(town: Town):
    sockets = town.slack.socket_mode
    first, _second = sockets.connections
    await sockets.disconnect("refresh_requested", first.number)
    ts = await town.card("task", seed.TASK_ISOLATE)
    delivered = await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert (delivered.status, delivered.error) == (200, "")
    assert "*Approved* by <@U0ALICE>" in (await town.replies(ts))[0]
    await town.slack.until(lambda: len(sockets.connections) == 2)
    assert first not in sockets.connections
    assert await town.app.readiness.parts() == {"database": "ok", "slack": "ok"}


async def test_nothing_is_lost_while_connections_are_renewed_one_after_the_other(town: Town):
    sockets = town.slack.socket_mode
    lost = 0
    for reason in ("refresh_requested", "warning") * 3:
        oldest = sockets.connections[0]
        await sockets.disconnect(reason, oldest.number)
        for _ in range(3):
            # Interactions and commands are never redelivered: the person sees a timeout.
            delivered = await town.slack.command(BOB, SOC, "/secmaster help")
            lost += delivered.error != ""
        await town.slack.until(lambda: len(sockets.connections) == 2)
        assert oldest not in sockets.connections
    assert lost == 0


async def test_a_connection_that_breaks_without_a_word_is_replaced(town: Town):
    sockets = town.slack.socket_mode
    first, second = sockets.connections
    await first.socket.close()
    await town.slack.until(lambda: first not in sockets.connections)
    await town.slack.command(ALICE, SOC, f"/task comment {seed.TASK_ISOLATE} still here")
    ts = await town.slack.until(lambda: town.new_card(SOC, set()))
    await town.replies(ts)
    await town.slack.until(lambda: len(sockets.connections) == 2)
    assert second in sockets.connections
    # Both carry: the sandbox gives each envelope to the next connection.
    for _ in range(2):
        delivered = await town.slack.command(ALICE, SOC, "/secmaster help")
        assert (delivered.status, delivered.error) == (200, "")


async def test_when_all_connections_go_at_once_they_come_back(town: Town):
    sockets = town.slack.socket_mode
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.faults.set(Fault(on="apps.connections.open", status=500, times=1))
    assert await sockets.disconnect("refresh_requested") == 2
    await town.slack.until(lambda: len(sockets.connections) == 2)
    clicks = [town.slack.press(ALICE, SOC, ts, "task.approve") for _ in range(4)]
    assert {each.error for each in await asyncio.gather(*clicks)} == {""}
    await town.replies(ts)
    await town.slack.until(lambda: not town.buttons(ts))
    assert len(town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1


async def test_an_event_delivered_again_over_a_socket_is_done_once(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.say(ALICE, SOC, "@secmaster comment only once", ts)
    await town.replies(ts, 2)
    for _ in range(2):
        await town.slack.redeliver(list(town.slack.delivery.events)[-1])
    await town.slack.say(ALICE, SOC, "@secmaster approve", ts)
    await town.replies(ts, 4)
    writes = town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert [one.body["action"] for one in writes] == ["ADD_COMMENT", "CONTINUE"]


async def test_nobody_can_post_clicks_over_http_beside_the_socket(town: Town):
    town.slack.request_url = f"{town.app.url}/slack/events"
    delivered = await town.slack.deliver_raw("command=/secmaster&text=help")
    assert delivered.status == 404


async def opened(town: Town, ts: str) -> str:
    """Open a form, and return its id."""
    await town.slack.press(ALICE, SOC, ts, "task.terminate")
    return str(town.slack.views(ALICE)[-1]["id"])

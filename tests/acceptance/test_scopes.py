"""What the bot does with the scopes alone that nobody may leave out, and what the others cost."""

from datetime import timedelta

import pytest

from bot.cli.demo_story import POLICY
from bot.messages import text_message
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.arrivals import TRACEBACK
from bot.slack.scopes import scopes as scopes_of
from tests.support.environment import BotEnvironment, policy
from tests.support.people import ALICE, BOT, CAROL, RANDOM, SOC
from tests.support.watch import add_failure, card_of, first_poll_finished

REQUIRED = frozenset(scope.name for scope in scopes_of(policy()) if not scope.optional)
only_required = pytest.mark.parametrize("scopes", [REQUIRED], ids=["required"])
ROUTES = f"""
[watch]
every = 0.02
[[routes]]
channel = "{RANDOM}"
tasks = true
[[routes]]
channel = "{SOC}"
instances = ["FAILED"]
"""


@only_required
async def test_with_the_required_scopes_cards_commands_and_writes_work(
    environment: BotEnvironment,
) -> None:
    slack = environment.slack
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    await slack.until(lambda: "task.approve" not in environment.buttons(ts))
    run = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await slack.command(CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED}")
    await environment.replies(run)
    assert len(environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1
    await slack.open_home(ALICE)
    await slack.until(lambda: slack.modals.homes.get(ALICE))


@pytest.mark.parametrize(
    ("scopes", "missing"),
    [(REQUIRED, []), (REQUIRED - {"channels:read"}, ["channels:read"])],
    ids=["required", "less"],
)
@pytest.mark.usefixtures("environment")
async def test_a_start_warns_of_what_is_lost_without_a_required_scope(
    caplog: pytest.LogCaptureFixture, missing: list[str]
) -> None:
    records = [record for record in caplog.get_records("setup") if "scopes" in record.getMessage()]
    lost = [str(vars(record)["lost"]).split()[1] for record in records]
    assert lost == missing


@only_required
async def test_without_the_optional_ones_what_their_table_says_is_lost(
    environment: BotEnvironment,
) -> None:
    slack = environment.slack
    ts = await environment.card("task", seed.TASK_ISOLATE)
    payloads = len(slack.sent)
    await slack.say(ALICE, SOC, f"<@{BOT}> help")
    await slack.say(ALICE, slack.chat_with(ALICE), "help")
    assert len(slack.sent) == payloads
    file = slack.files.upload(CAROL, "a.txt", b"x")
    message = await slack.say(CAROL, SOC, "evidence", thread_ts=ts, files=[file.id])
    await slack.shortcut(CAROL, "task.attach", SOC, message["ts"])
    [view] = await slack.until(lambda: slack.views(CAROL))
    await slack.submit(CAROL, view["id"], {})
    [_evidence, reply] = await environment.replies(ts, 2)
    assert "The file was not attached: Slack did not provide it (`missing_scope`)." in reply
    gateway, since = environment.app.services.slack, environment.clock.now() - timedelta(hours=1)
    metadata = {"part": "a", "operation": "b"}
    assert await gateway.post(SOC, text_message("Once"), metadata)
    assert await gateway.find_posted(SOC, "", metadata, since) == ""
    assert await environment.posted(SOC, "Once")


@only_required
@pytest.mark.parametrize("rules", [POLICY + ROUTES], ids=["routes"])
async def test_without_the_optional_ones_cards_come_where_the_bot_was_invited(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="Isolate a")
    await add_failure(environment, error=TRACEBACK)
    await environment.slack.until(lambda: card_of(environment, SOC, "Run 0"))
    closed = environment.app.services.store.closed_channels
    assert await environment.slack.until(closed.all) == [(RANDOM, "not_in_channel")]
    files = "files.getUploadURLExternal"
    [error] = await environment.slack.until(
        lambda: [call.error for call in environment.slack.calls if call.method == files]
    )
    assert error == "missing_scope"

"""Slack, SecMaster or the database is slow: every door is answered in time, and with the truth.

The local Slack waits for three seconds, as the real one, and shows a timeout then.
"""

import asyncio
import json
from dataclasses import dataclass, replace

import pytest

from bot.cli.demo_story import POLICY
from bot.runtime.timeouts import Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.slack.delivery import Delivered
from bot.sandbox.slack.permits import PATIENCE
from tests.support.batch import choose, open_from_list, open_view
from tests.support.database_faults import Fault as DatabaseFault
from tests.support.database_faults import broken, each_lock
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, SOC
from tests.support.timeouts import QUICK_TIMEOUTS

pytestmark = pytest.mark.deadline

CHAT = "D0ALICE"
# Commands have to read the task, while a button's card names the snapshot that it showed.
RULES = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = {{ name = "Nothing is called so" }}
{POLICY}
[watch]
every = 0.05
"""
RECORDING = ("command", "mention", "direct message", "button", "form", "batch")
GIVEN_UP = "not recorded and not done"


@pytest.fixture
def rules() -> str:
    return RULES


@pytest.fixture
def timeouts(request: pytest.FixtureRequest) -> Timeouts:
    return getattr(request, "param", Timeouts())


@dataclass
class Doors:
    """Everything that a person can do, each about a task of its own."""

    environment: BotEnvironment
    ids: list[str]
    card: str = ""
    form: str = ""
    question: str = ""
    written: str = ""

    async def say(self, channel: str, text: str) -> Delivered:
        """Write a message; returns how it was answered."""
        slack = self.environment.slack
        message = await slack.say(ALICE, channel, text)
        [delivered] = [
            sent.delivered
            for sent in slack.sent
            if sent.delivered and sent.payload.get("event", {}).get("ts") == message["ts"]
        ]
        return delivered

    async def all(self) -> dict[str, Delivered]:
        """Come in by every door at once; returns how each was answered.

        The first five are about a task each, and the batch about the twenty others.
        """
        slack, ids = self.environment.slack, self.ids
        attempts = {
            "command": slack.command(ALICE, SOC, f"/secmaster task approve {ids[0]}"),
            "mention": self.say(SOC, f"@secmaster task approve {ids[1]}"),
            "direct message": self.say(CHAT, f"task approve {ids[2]}"),
            "button": slack.press(ALICE, SOC, self.card, "task.approve"),
            "form": slack.submit(ALICE, self.form, {"reason": "a decoy"}),
            "batch": slack.submit(BOB, self.question, {}),
            "mistyped": self.say(SOC, "@secmaster aprove"),
            "list": slack.command(ALICE, SOC, "/secmaster task list"),
            "opens a form": slack.command(CAROL, SOC, "/secmaster task several"),
            "message shortcut": slack.shortcut(CAROL, "task.comment", SOC, self.written),
            "global shortcut": slack.shortcut(CAROL, "waiting"),
            "Home": slack.open_home(ALICE),
        }
        answers = await asyncio.gather(*attempts.values())
        return dict(zip(attempts, answers, strict=True))

    def messages(self) -> str:
        """All that the three were told, outside of modals."""
        slack = self.environment.slack
        messages = []
        for user in (ALICE, BOB, CAROL):
            messages += [*slack.ephemerals(user), *slack.messages(slack.chat_with(user))]
        return "\n".join(message["text"] for message in messages)

    def decided_by(self) -> set[str]:
        """The doors by which something was sent to SecMaster."""
        requests = self.environment.secmaster.requests
        ids = {request.path.rpartition("/")[2] for request in requests if request.method == "PUT"}
        doors = dict(zip(self.ids, RECORDING, strict=False))
        return {doors.get(id_, "batch") for id_ in ids}


@pytest.fixture
async def doors(environment: BotEnvironment) -> Doors:
    """Doors that are open: a card, a form and a batch of twenty that wait for their buttons."""
    slack = environment.slack
    world = environment.secmaster.world
    ids = [str(world.add_task(name=f"Door {number:02}")["id"]) for number in range(25)]
    await environment.polls(1)
    doors = Doors(environment, ids, card=await environment.card("task", ids[3]))
    second = await environment.card("task", ids[4])
    doors.written = (await slack.say(BOB, SOC, "it is a decoy", second))["ts"]
    await slack.press(ALICE, SOC, second, "task.terminate")
    doors.form = (await open_view(environment, ALICE, "form"))["id"]
    view = await open_from_list(environment, BOB, "task")
    doors.question = (await choose(environment, BOB, view, "task.approve", ids[5:]))["id"]
    await environment.app.services.background.drain()
    slack.workspace.permits.patience = slack.delivery.patience = PATIENCE
    slack.ignore_messages()
    return doors


def forget_people(doors: Doors) -> None:
    """Let what the bot knows of people be too old to go by."""
    doors.environment.clock.forward(minutes=11)


@pytest.mark.parametrize(
    "method", ["users.info", pytest.param("usergroups.list", marks=pytest.mark.slow)]
)
async def test_while_slack_does_not_say_who_asks_every_door_is_answered_and_nothing_is_done(
    doors: Doors, method: str
) -> None:
    forget_people(doors)
    await doors.environment.slack.faults.set(Fault(on=method, delay=4))
    answers = await doors.all()
    assert {door: answer.error for door, answer in answers.items() if answer.error} == {}
    await doors.environment.slack.faults.clear()
    await doors.environment.app.services.background.drain()
    assert "who you are" in json.dumps(answers["batch"].body)
    assert doors.messages().count("who you are") >= 4
    assert "I don't know “aprove”" in doors.messages()
    assert doors.decided_by() == set()


@pytest.mark.slow
async def test_what_is_slow_and_what_was_recorded_share_the_three_seconds(doors: Doors) -> None:
    slack, secmaster = doors.environment.slack, doors.environment.secmaster
    forget_people(doors)
    calls = len(slack.calls)
    for method, delay in {
        "users.info": 0.5,
        "usergroups.list": 0.5,
        "views.open": 1,
    }.items():
        await slack.faults.set(Fault(on=method, delay=delay))
    # What is asked for is on record, or it could not be decided without a look at SecMaster.
    await secmaster.faults.set(Fault(on="ShowTask", hold=True))
    batch, shortcut = await asyncio.gather(
        slack.submit(BOB, doors.question, {}), slack.shortcut(ALICE, "waiting")
    )
    assert (batch.error, batch.body) == ("", {"response_action": "clear"})
    assert shortcut.error == ""
    assert slack.views(ALICE)[-1]["title"]["text"] == "What's waiting"
    asked = [call.args for call in slack.calls[calls:] if call.method == "users.info"]
    assert sorted(each["user"] for each in asked) == [ALICE, BOB]
    await secmaster.faults.clear()
    await secmaster.until(lambda: len(secmaster.writes("UpdateTask")) == 20)
    # A form that Slack does not open in time is given up, and the person is told.
    await slack.faults.clear()
    await slack.faults.set(Fault(on="views.open", delay=4))
    command = await slack.command(ALICE, SOC, "/secmaster task several")
    assert command.error == ""
    assert GIVEN_UP in json.dumps(command.body)


@pytest.mark.parametrize("timeouts", [replace(QUICK_TIMEOUTS, answer=0.5)], indirect=True, ids=[""])
@each_lock
async def test_what_a_locked_database_was_told_to_record_is_done_if_that_was_said(
    doors: Doors, fault: DatabaseFault
) -> None:
    environment = doors.environment
    async with broken(fault, environment.app.engine):
        answers = await doors.all()
        assert {answer.status for answer in answers.values()} == {200}
        assert doors.decided_by() == set()
    await environment.app.services.background.drain()
    # Every door that records something has one of two answers; a slash command's is a message.
    views = json.dumps([answers[door].body for door in ("form", "batch")])
    told = doors.messages() + views
    pending, given_up = told.count("not recorded yet"), told.count(GIVEN_UP)
    assert pending + given_up >= len(RECORDING)
    end = "Your request is recorded now."
    await environment.slack.until(lambda: doors.messages().count(end) == pending)
    await environment.secmaster.until(lambda: len(doors.decided_by()) >= pending)
    assert len(doors.decided_by()) == pending

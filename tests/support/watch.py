"""What stories of the watch share: its routes, what comes in SecMaster, and the cards of it."""

import re
from typing import Any

from bot.sandbox.secmaster import Person
from bot.sandbox.secmaster.arrivals import THROTTLED, WORKFLOWS
from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.wire import node_record, stamp
from tests.support.environment import BotEnvironment
from tests.support.people import SOC

EVERA = Person("console-evera", "Evera")  # decides in the console, and is nobody in Slack
ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
mention = ["S0SOC"]
group = "none"

[[routes]]
name = "oncall"
channel = "C0ONCALL"
instances = ["FAILED"]
"""


async def first_poll_finished(environment: BotEnvironment) -> None:
    """Wait until the first poll is through, and all that it had to say is posted.

    What is there by then is summed up in one message for each channel; that it is one, and what
    it says, is a story of its own.
    """
    await first_poll_recorded(environment)
    await posting_finished(environment)


async def posting_finished(environment: BotEnvironment) -> None:
    """Wait until all that is due by now is posted, and on record as posted.

    A card stands in Slack a moment before: until then what its threads are to be told passes it
    over.
    """
    store = environment.app.services.store

    def is_posted() -> bool:
        closed = {channel for channel, _ in store.closed_channels.all()}
        ready = store.outbox.ready_destinations(environment.clock.now())
        return all(destination.id in closed for destination in ready)

    await environment.secmaster.until(is_posted)


async def first_poll_recorded(environment: BotEnvironment) -> None:
    """Wait until all that comes now is news."""
    environment.ignore_messages("👋 Now watching SecMaster.")
    statuses = environment.app.services.store.poll_statuses
    await environment.secmaster.until(
        lambda: bool((status := statuses.get("main")) and status.last_success_at)
    )


def ignore_seeded_tasks(environment: BotEnvironment) -> None:
    """Let the tasks that are there from the start come due while a story sets the clock forward."""
    for task in environment.secmaster.world.tasks.values():
        environment.ignore_messages(f"{task['name']}: ")


def card_of(environment: BotEnvironment, channel: str, name: str) -> str:
    """Return the ts of the newest message that begins with an object's name, or nothing.

    How severe its alert is may come before the name.
    """
    messages = environment.slack.messages(channel)
    beginning = re.compile(rf"(?:\S+ \w+ · )?{re.escape(name)}")
    cards = [m["ts"] for m in messages if beginning.match(dict.__getitem__(m, "text"))]
    if not cards:
        return ""
    environment.slack.mark_read(cards[-1])
    return str(cards[-1])


async def snooze(environment: BotEnvironment, user: str, ts: str, *, channel: str = SOC) -> None:
    """Snooze a task for an hour and for everyone, by the form that its card's menu opens."""
    ref = f"1:task:main:{task_id_of(environment, ts, channel=channel)}"
    await environment.slack.press(user, channel, ts, "more", value=f"snooze.xh|{ref}")
    views = await environment.slack.until(lambda: environment.slack.views(user))
    await environment.slack.submit(user, views[-1]["id"], {"length": "1h"})


def task_id_of(environment: BotEnvironment, ts: str, *, channel: str = SOC) -> str:
    """Return the id of the task that a card is of."""
    message = environment.message(ts, channel=channel)
    return str(message["metadata"]["event_payload"]["ref"].rpartition(":")[2])


async def add_failure(
    environment: BotEnvironment,
    *,
    number: int = 0,
    workflow: int | None = 0,
    error: str = THROTTLED,
    relapse: str = "",
    node_input: str = "[]",
    node_output: str = "",
) -> dict[str, Any]:
    """Let a run of a workflow fail, after the first poll so that it is news; returns the run."""
    await first_poll_recorded(environment)
    now = stamp(environment.secmaster.world.clock())
    node = node_record(
        f"node-{number}",
        "Respond",
        status="FAILED",
        error_msg=error,
        start_time=now,
        end_time=now,
        input=node_input,
        output=node_output,
    )
    fields = {} if workflow is None else {"workflow": dict(WORKFLOWS[workflow])}
    return environment.secmaster.world.add_instance(
        Script(relapse=relapse),
        name=f"Run {number} of {workflow}",
        status="FAILED",
        end_time=now,
        topology={"audit_logs": [node]},
        **fields,
    )

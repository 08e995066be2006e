"""Both sandboxes, the cards in them, and the clicks on those cards, signed and ready to be sent."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot import messages
from bot.domain.cards import ButtonValue
from bot.domain.objects import Ref
from bot.domain.slack import SlackLocation
from bot.messages import RenderContext, modals
from bot.policy.rules import ReasonRule
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.findings import ALERT, resource_ref
from bot.sandbox.slack import SlackSandbox, payloads
from bot.sandbox.slack.chat import from_bot
from bot.sandbox.slack.delivery import encode_form
from bot.sandbox.slack.element_state import find_element
from bot.secmaster import Task
from tests.bench.clicker import Ack, Click, Clicker
from tests.support.people import ALICE, SOC
from tests.support.samples import ENGLISH

AT_MOST = 60  # seconds for anything that is waited for; longer means that it will not come
QUIET = 0.015  # seconds without a call that pass for "nothing is under way"
SHOWING = 20  # cards asked for at once

numbers = itertools.count(1)


@dataclass(frozen=True)
class Card:
    """One task's message in the channel."""

    ref: Ref
    message: dict[str, Any]

    @property
    def ts(self) -> str:
        return str(self.message["ts"])


class Scene:
    """What surrounds one program under test.

    ``arrivals`` are the moments, in seconds of the wall clock, at which a message of the bot
    came to stand in Slack: after whatever delay the sandbox puts on the call.
    """

    def __init__(self, slack: SlackSandbox, secmaster: SecMasterSandbox, clicker: Clicker) -> None:
        self.slack = slack
        self.secmaster = secmaster
        self.arrivals: list[float] = []
        self.url = ""
        self._clicker = clicker
        self._post = slack.workspace.post
        setattr(slack.workspace, "post", self._noted)  # noqa: B010 - replaced for the time of a bench

    def _noted(self, *message: Any) -> dict[str, Any]:
        posted = self._post(*message)
        self.arrivals.append(time.time())
        self.slack.changes.happened()
        return posted

    def listen_at(self, url: str) -> None:
        self.url = self.slack.request_url = f"{url}/slack/events"

    # Cards.

    async def cards(self, count: int, *, by_command: bool) -> list[Card]:
        """New waiting tasks with a card each, posted by the bot itself or else by us."""
        tasks = [self.secmaster.world.add_task(name=f"Task {next(numbers)}") for _ in range(count)]
        refs = [Ref(kind="task", id=task["id"]) for task in tasks]
        if by_command:
            for some in range(0, count, SHOWING):
                await self.show(refs[some : some + SHOWING])
        else:
            for task in tasks:
                self._draw(task)
        return self._posted(refs)

    def tasks_about_alerts(self, count: int, *, same_alert: bool) -> list[Ref]:
        """New waiting tasks about alerts on one asset: each its own, or all the same alert."""
        world, refs = self.secmaster.world, []
        asset = world.findings.add_resource("resource-bench", "ecs-bench", level=1)
        resources = [resource_ref(asset["id"], asset["name"])]
        alert = world.add_finding(ALERT, title="Alert", resource_list=resources)
        for _ in range(count):
            if not same_alert:
                alert = world.add_finding(ALERT, title="Alert", resource_list=resources)
            task = world.add_task(alert, name=f"Task {next(numbers)}")
            refs.append(Ref(kind="task", id=task["id"]))
        return refs

    async def show(self, refs: list[Ref]) -> None:
        """Have the bot post a card of each of these."""
        count = len(self.arrivals)
        show = "/secmaster task show "
        await asyncio.gather(*(self.slack.command(ALICE, SOC, show + ref.id) for ref in refs))
        await self.until_arrived(count + len(refs))

    def _draw(self, task: dict[str, Any]) -> None:
        frame = RenderContext(
            ref=Ref(kind="task", id=task["id"]),
            now=datetime.now(UTC),
            catalogue=ENGLISH,
            console_url="",
        )
        drawn = messages.card(frame, Task.model_validate(task), None)
        self.slack.workspace.post(SOC, from_bot(self.slack.workspace, drawn.payload))

    def _posted(self, refs: list[Ref]) -> list[Card]:
        posted: dict[str, dict[str, Any]] = {}
        for message in self.slack.messages(SOC):
            try:
                _block, button = find_element(message.get("blocks", []), "task.approve")
            except ValueError:
                continue
            button_value = ButtonValue.parse(button["value"])
            posted[str(button_value.ref if button_value else "")] = message
        return [Card(ref, posted[str(ref)]) for ref in refs]

    # Clicks.

    def approve(self, card: Card) -> Click:
        """The button on the card."""
        workspace = self.slack.workspace
        block, button = find_element(card.message["blocks"], "task.approve")
        value = {"value": button["value"]}
        payload = {
            **payloads.interaction(workspace, "block_actions", ALICE),
            **payloads.in_message(workspace.channels[SOC], card.message, self._hook(card.ts)),
            "trigger_id": workspace.permits.new_trigger(ALICE),
            "state": {"values": {}},
            "actions": [payloads.action(block, button, value, workspace.ts())],
        }
        return self._click("interactive", payload)

    def comment(self, card: Card) -> Click:
        """The form that the card's comment button opens, filled in and sent."""
        workspace = self.slack.workspace
        place = SlackLocation(channel=SOC, card=card.ts)
        state = modals.FormState(action="task.comment", ref=card.ref, location=place)
        typed = {"type": "plain_text_input", "value": _text()}
        content = modals.FormContent("A task", "demo-workspace")
        view = modals.form(ENGLISH, state, content, ReasonRule.OPTIONAL) | {
            "id": workspace.new_id("V"),
            "state": {"values": {"comment": {"comment": typed}}},
        }
        payload = {
            **payloads.interaction(workspace, "view_submission", ALICE),
            "trigger_id": workspace.permits.new_trigger(ALICE),
            "view": view,
            "response_urls": [],
        }
        return self._click("interactive", payload)

    def command(self, card: Card) -> Click:
        """``/secmaster task comment <id> <text>``."""
        workspace = self.slack.workspace
        words = f"/secmaster task comment {card.ref.id} {_text()}"
        fields = payloads.command(workspace, ALICE, workspace.channels[SOC], words, self._hook())
        return self._click("slash_commands", fields)

    def _hook(self, original: str = "") -> str:
        hook = self.slack.workspace.permits.new_hook(ALICE, SOC, original)
        return f"{self.slack.url}/_hooks/{hook}"

    def _click(self, kind: str, payload: dict[str, Any]) -> Click:
        body, content_type = encode_form(kind, payload)
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": self.slack.delivery.sign(stamp, body),
        }
        return Click(headers, body.decode())

    # What happens.

    async def send(self, *clicks: Click) -> list[Ack]:
        """Send clicks at once; one that is not acknowledged ends the bench."""
        acks = await self._clicker.volley(self.url, list(clicks))
        if wrong := Counter(ack.status for ack in acks if ack.status != 200):
            raise RuntimeError(f"clicks answered {dict(wrong)}")
        return acks

    async def keep_in_flight(self, clicks: list[Click], most: int) -> list[Ack]:
        """Send clicks while fewer than ``most`` await their reply; returns at the last reply."""
        count = len(self.arrivals)
        async with asyncio.TaskGroup() as tasks:
            sending = []
            for number, click in enumerate(clicks, 1):
                await self.until_arrived(count + number - most)
                sending.append(tasks.create_task(self.send(click)))
        await self.until_arrived(count + len(clicks))
        return [ack for sent in sending for ack in sent.result()]

    def calls(self) -> Counter[str]:
        """How often each endpoint of either service has been called so far."""
        requests = Counter(f"SecMaster {one.endpoint}" for one in self.secmaster.requests)
        return requests + Counter(f"Slack {call.method}" for call in self.slack.calls)

    async def until_arrived(self, count: int) -> None:
        """Wait until so many messages have come to stand since the scene started_at."""
        async with asyncio.timeout(AT_MOST):
            await self.slack.until(lambda: len(self.arrivals) >= count)

    async def quiet(self, moment: float = QUIET) -> None:
        """Wait until every call is answered and none has come for a moment, in seconds."""
        async with asyncio.timeout(AT_MOST):
            before: tuple[object, ...] = ()
            while (now := self._busy()) != before:
                before = now
                await asyncio.sleep(moment)

    def _busy(self) -> tuple[object, ...]:
        recent = self.slack.calls[-100:]
        open_calls = sum(call.error == "unanswered" for call in recent)
        # A moment's count, or for a call under way one that never repeats.
        moving = time.monotonic() if open_calls else 0
        return len(self.slack.calls), len(self.secmaster.requests), moving

    @asynccontextmanager
    async def delayed(self, seconds: float) -> AsyncIterator[None]:
        """Put ``seconds`` on every call of both services."""
        sandboxes = (self.slack, self.secmaster)
        for sandbox in sandboxes:
            await sandbox.faults.set(Fault(on="*", delay=seconds))
        yield
        for sandbox in sandboxes:
            await sandbox.faults.clear("*")

    def check_written_once(self, cards: list[Card], clicks: int, action: str) -> None:
        """Every click on these cards is one such write, and no comment is there twice."""
        ids = {card.ref.id for card in cards}
        writes = self.secmaster.writes("UpdateTask")
        written = [one for one in writes if one.path[-36:] in ids and one.body["action"] == action]
        if len(written) != clicks:
            raise RuntimeError(f"{clicks} clicks caused {len(written)} writes")
        comments = Counter(comment["message"] for id_ in ids for comment in self._comments(id_))
        if twice := [text for text, count in comments.items() if count > 1]:
            raise RuntimeError(f"written twice: {twice}")

    def check_posted(self, count: int) -> None:
        """Nothing but the cards and a reply to each click was posted."""
        if len(self.arrivals) != count:
            raise RuntimeError(f"{len(self.arrivals)} messages instead of {count}")

    def _comments(self, task: str) -> list[dict[str, Any]]:
        return self.secmaster.world.tasks[task].get("comments") or []


def _text() -> str:
    return f"Checked, number {next(numbers)}"


@asynccontextmanager
async def scene(clicker: Clicker) -> AsyncIterator[Scene]:
    """Fresh sandboxes, in this process."""
    slack, secmaster = SlackSandbox(), SecMasterSandbox(pace=0)
    await slack.start()
    await secmaster.start()
    try:
        yield Scene(slack, secmaster, clicker)
    finally:
        await slack.stop()
        await secmaster.stop()

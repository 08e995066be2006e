"""A whole environment for a test: a local SecMaster, a local Slack, and the bot between them.

Everything is real and on loopback: HTTP or websockets on both sides, and a database. A test
plays people through ``slack`` and looks at what they would see.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.domain.actions import OPEN_STATUSES, TABLE
from bot.domain.objects import OBJECT_KINDS, Ref
from bot.domain.slack import SlackLocation
from bot.messages.assignments import TAKE
from bot.messages.blocks import Viewer
from bot.policy.config import Attribution, ChannelsConfig, Config, WatchConfig, parse
from bot.policy.rules import READS, CallRule, Role, Rule
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.journal import Received
from bot.settings import Settings
from tests.support.clock import FakeClock
from tests.support.people import ALICE, BOB, CAROL, CHANNELS, DAVE, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

# A story about what happens when somebody does not answer in time has to wait for that.
waits_two_seconds = pytest.mark.parametrize(
    "timeouts", [replace(QUICK_TIMEOUTS, before_ack=2)], indirect=True, ids=["2 s"]
)


def settings_for(
    slack_url: str, secmaster_url: str, database_url: str, *, socket: bool = False, **more: Any
) -> Settings:
    """Return the settings of a bot that lives between these two services, and ``more`` of them."""
    fields: dict[str, Any] = {
        "slack_bot_token": "xoxb-demo",
        "slack_api_url": f"{slack_url}/api/",
        "secmaster_endpoint": secmaster_url,
        "SECMASTER_PROJECT_ID": "demo-project",
        "secmaster_workspace_id": "demo-workspace",
        "HUAWEICLOUD_SDK_AK": "demo-ak",
        "HUAWEICLOUD_SDK_SK": "demo-sk",
        "database_url": database_url,
        "bot_port": 0,
    }
    if socket:
        fields["slack_app_token"] = "xapp-demo"
    else:
        fields["slack_signing_secret"] = "demo-signing-secret"
    return Settings(_env_file=None, **fields, **more)


@dataclass
class BotEnvironment:
    """A running bot and the two services that it stands between."""

    slack: SlackRecorder
    secmaster: SecMasterSandbox
    running_app: App | None
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def app(self) -> App:
        """The running bot, for what nothing outside it shows."""
        assert self.running_app is not None, "this bot runs in a process of its own"
        return self.running_app

    async def card(
        self, noun: str, object_id: str, *, user: str = ALICE, channel: str = SOC
    ) -> str:
        """Have somebody post an object's card, and wait until it is on record; returns its ts.

        It stands in Slack a moment before: until then a press reads its object, and a drawing
        passes it over.
        """
        before = {message["ts"] for message in self.slack.messages(channel)}
        await self.slack.command(user, channel, f"/secmaster {noun} show {object_id}")
        ts = await self.slack.until(lambda: self.new_card(channel, before))
        if self.running_app:
            await self.running_app.services.background.drain()
        return ts

    async def private_card(self, user: str, ref: Ref, viewer: Viewer) -> str:
        """Show somebody an object's card that they alone see; returns its ts."""
        services = self.app.services
        snapshot = await services.workspaces.read(ref)
        message = await services.cards.private_message(ref, snapshot, viewer)
        await services.slack.send_private(SlackLocation(channel=SOC), user, message)
        await self.ephemeral(user, snapshot.name)
        return str(self.slack.ephemerals(user)[-1]["ts"])

    def new_card(self, channel: str, before: set[str]) -> str:
        """Return the ts of the newest message that was not there before, or nothing."""
        posted = [m["ts"] for m in self.slack.messages(channel) if m["ts"] not in before]
        if not posted:
            return ""
        self.slack.mark_read(posted[-1])
        return str(posted[-1])

    async def replies(self, ts: str, count: int = 1, *, channel: str = SOC) -> list[str]:
        """Wait for so many replies under a card, and return the texts of these."""

        def texts() -> list[str]:
            messages = self.slack.thread(channel, ts)[1 : count + 1]
            return [message["text"] for message in messages] if len(messages) == count else []

        return await self.slack.until(texts)

    async def decline(self, user: str, ts: str, reason: str = "not now") -> None:
        """Have somebody decline the request on a card, for a reason."""
        await self.slack.press(user, SOC, ts, "refuse")
        view = self.slack.views(user)[-1]
        await self.slack.submit(user, view["id"], {"reason": reason})

    async def ephemeral(self, user: str, *containing: str) -> str:
        """Wait for a message that only this person sees and that was not read; return its text."""
        return await self.slack.until(
            lambda: self.slack.read_first(self.slack.ephemerals(user), containing)
        )

    async def posted(self, channel: str, *containing: str) -> str:
        """Wait for a message in a channel or a chat that was not read; return its text."""
        return await self.slack.until(
            lambda: self.slack.read_first(self.slack.messages(channel), containing)
        )

    async def answer(self, user: str, command: str, *, channel: str = SOC) -> str:
        """Type a command, and return what is answered to this person alone."""
        before = len(self.slack.ephemerals(user))
        await self.slack.command(user, channel, command)
        messages = await self.slack.until(lambda: self.slack.ephemerals(user)[before:])
        return str(messages[-1]["text"])

    def ignore_messages(self, containing: str = "", *, channel: str = "", user: str = "") -> None:
        """Let the bot post messages that the story is not about."""
        self.slack.ignore_messages(containing, channel=channel, user=user)

    async def polls(self, count: int = 4) -> None:
        """Wait until the watch has polled so many more times from the beginning."""
        enough = len(self.list_requests()) + count + 1
        await self.secmaster.until(lambda: len(self.list_requests()) > enough)

    def list_requests(self) -> list[Received]:
        """The watch's requests for the list of what waits, one for each poll."""
        return [request for request in self.secmaster.requests if request.endpoint == "ListTasks"]

    def message(self, ts: str, *, channel: str = SOC) -> dict[str, Any]:
        return next(m for m in self.slack.messages(channel) if m["ts"] == ts)

    def buttons(self, ts: str, *, channel: str = SOC) -> list[str]:
        """The action ids of the buttons that a card has now."""
        return buttons(self.message(ts, channel=channel))


@asynccontextmanager
async def restarted(
    environment: BotEnvironment, database_url: str, rules: str
) -> AsyncIterator[BotEnvironment]:
    """The same environment after the bot was stopped, if it was not yet, and started anew."""
    await environment.app.__aexit__()
    slack, secmaster, clock = environment.slack, environment.secmaster, environment.clock
    settings = settings_for(slack.url, secmaster.url, database_url)
    async with App(settings, policy(rules), QUICK_TIMEOUTS, clock) as app:
        slack.request_url = f"{app.url}/slack/events"
        yield BotEnvironment(slack, secmaster, app, clock)


def buttons(message: dict[str, Any]) -> list[str]:
    """The action ids of a message's buttons."""
    return [
        element["action_id"]
        for block in message.get("blocks", [])
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def on_card(noun: str, status: str) -> list[str]:
    """The buttons of an object's card in this status: of the table, and to claim what is open."""
    names = [
        action.name for action in TABLE if action.kind == noun and status in action.button_statuses
    ]
    return [*names, TAKE] if status in OPEN_STATUSES else names


def policy(text: str = POLICY) -> Config:
    """The policy file's meaning.

    Cards follow only where a story says so, and a decision without a reason leaves a comment
    only where it says that, and its run is not followed. Nobody is called for an approval unless it
    says how. Where it says nothing of reading, every member may read; cards may be posted in every
    channel, unless it says where.
    """
    defaults = {
        "watch": WatchConfig(every=0),
        "attribution": Attribution(comment="reason"),
        "channels": ChannelsConfig(allow=CHANNELS),
    }
    missing: dict[str, Any] = {
        key: value for key, value in defaults.items() if f"[{key}]" not in text
    }
    config = parse(text)
    if "call = " not in text:
        quiet_rules = [rule.model_copy(update={"call": CallRule.NONE}) for rule in config.rules]
        config = config.model_copy(update={"rules": tuple(quiet_rules)})
    if config.unreadable_kinds == OBJECT_KINDS:
        reading = Rule(actions=[read.name for read in READS], roles=["reader"])
        missing["rules"] = (*config.rules, reading)
        missing["roles"] = config.roles | {"reader": Role(users=(ALICE, BOB, CAROL, DAVE))}
    if "results = " not in text:
        watch = missing.get("watch", config.watch)
        missing["watch"] = watch.model_copy(update={"results": False})
    return config.model_copy(update=missing)

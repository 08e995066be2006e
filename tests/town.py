"""A whole town for a test: a local SecMaster, a local Slack, and the bot between them.

Everything is real and on loopback: HTTP or websockets on both sides, and a database. A test
plays people through ``slack`` and looks at what they would see.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.domain.actions import TABLE
from bot.policy.config import Attribution, Config, WatchConfig, parse
from bot.runtime.clock import Clock
from bot.runtime.timeouts import Timeouts
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.journal import Received
from bot.sandbox.slack import SlackSandbox
from bot.settings import Settings

ALICE, BOB, CAROL, DAVE = "U0ALICE", "U0BOB", "U0CAROL", "U0DAVE"
GUEST, SOLO, OUTSIDER = "U0GUEST", "U0SOLO", "U0OUTSIDER"
BOT = "U0BOT"
SOC, ONCALL, RANDOM, PRIVATE = "C0SOC", "C0ONCALL", "C0RANDOM", "C0PRIVATE"

both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


class Hands(Clock):
    """The time as it is, and as far ahead as a test sets it; whoever waits for it then goes on."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def forward(self, **by: float) -> None:
        """Set it forward, by so many hours or minutes."""
        self._ahead += timedelta(**by)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead.total_seconds()

    async def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        while (left := (until - self.now()).total_seconds()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._moved.wait()


PATIENCE = 20  # seconds, where a machine that has other things to do may be slow
# Long enough for a test's trouble to pass, short enough to be waited for.
QUICK = Timeouts(
    pauses=(0.05,) * 40,
    settle=0.14,
    render_interval=0.05,
    post_interval=0.01,
    takeover=0,
    before_ack=PATIENCE,
    optional=PATIENCE,
)

# A story about what happens when somebody does not answer in time has to wait for that.
in_time = pytest.mark.parametrize(
    "patience", [replace(QUICK, before_ack=2)], indirect=True, ids=["2 s"]
)


def settings_for(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, *, socket: bool = False
) -> Settings:
    """The settings of a bot that lives between these two."""
    given: dict[str, Any] = {
        "slack_bot_token": "xoxb-demo",
        "slack_api_url": f"{slack.url}/api/",
        "secmaster_endpoint": secmaster.url,
        "SECMASTER_PROJECT_ID": "demo-project",
        "secmaster_workspace_id": "demo-workspace",
        "HUAWEICLOUD_SDK_AK": "demo-ak",
        "HUAWEICLOUD_SDK_SK": "demo-sk",
        "database_url": database_url,
        "bot_port": 0,
    }
    way_in = (
        {"slack_app_token": "xapp-demo"}
        if socket
        else {"slack_signing_secret": "demo-signing-secret"}
    )
    return Settings(_env_file=None, **given, **way_in)


@dataclass
class Town:
    slack: SlackSandbox
    secmaster: SecMasterSandbox
    app: App
    hands: Hands = field(default_factory=Hands)

    async def card(
        self, noun: str, object_id: str, *, user: str = ALICE, channel: str = SOC
    ) -> str:
        """Have somebody post an object's card; returns its ts."""
        before = {message["ts"] for message in self.slack.messages(channel)}
        await self.slack.command(user, channel, f"/secmaster {noun} show {object_id}")
        return await self.slack.until(lambda: self.new_card(channel, before))

    def new_card(self, channel: str, before: set[str]) -> str:
        posted = [m["ts"] for m in self.slack.messages(channel) if m["ts"] not in before]
        return str(posted[-1]) if posted else ""

    async def replies(self, ts: str, count: int = 1, *, channel: str = SOC) -> list[str]:
        """Wait for so many replies under a card, and return what they say."""
        return await self.slack.until(lambda: self._replies(channel, ts, count))

    def _replies(self, channel: str, ts: str, count: int) -> list[str]:
        said = [message["text"] for message in self.slack.thread(channel, ts)[1:]]
        return said if len(said) >= count else []

    async def whispered(self, user: str, *containing: str) -> str:
        """Wait for a message that only this person sees, and return what it says."""
        return await self.slack.until(lambda: self._whispered(user, containing))

    def _whispered(self, user: str, containing: tuple[str, ...]) -> str:
        for message in reversed(self.slack.ephemerals(user)):
            if all(part in message["text"] for part in containing):
                return str(message["text"])
        return ""

    async def rounds(self, count: int = 4) -> None:
        """Wait until the watch has made so many more rounds from their beginning."""
        asked = len(self.lists()) + count + 1
        await self.secmaster.until(lambda: len(self.lists()) > asked)

    def lists(self) -> list[Received]:
        """The watch's requests for the list of what waits, one for each round."""
        return [one for one in self.secmaster.requests if one.endpoint == "ListTasks"]

    def message(self, ts: str, *, channel: str = SOC) -> dict[str, Any]:
        return next(m for m in self.slack.messages(channel) if m["ts"] == ts)

    def buttons(self, ts: str, *, channel: str = SOC) -> list[str]:
        """The action ids of the buttons that a card has now."""
        return buttons(self.message(ts, channel=channel))


def buttons(message: dict[str, Any]) -> list[str]:
    return [
        element["action_id"]
        for block in message.get("blocks", [])
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def on_card(noun: str, status: str) -> list[str]:
    """The buttons that the table puts on an object's card in this status, without its menu."""
    return [each.name for each in TABLE if each.kind == noun and status in each.button_statuses]


def policy(text: str = POLICY) -> Config:
    """The policy file's meaning.

    Cards follow only where a story says so, and a decision without a reason leaves a comment
    only where it says that.
    """
    quiet = {"watch": WatchConfig(every=0), "attribution": Attribution(comment="reason")}
    left = {key: value for key, value in quiet.items() if f"[{key}]" not in text}
    return parse(text).model_copy(update=left)

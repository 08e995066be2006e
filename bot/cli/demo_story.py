"""One story on local stand-ins of both services: no account, no network.

Everything between the two is the real bot over real HTTP; only the ends are local.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from bot.app import App, StartError
from bot.domain.objects import ObjectKind, Ref
from bot.policy import config
from bot.policy.config import Config
from bot.runtime.timeouts import Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from bot.settings import Settings
from bot.slack.manifest import manifest

ALICE, BOB, CAROL, BOT = "U0ALICE", "U0BOB", "U0CAROL", "U0BOT"
SOC, ONCALL = "C0SOC", "C0ONCALL"
WITHIN = 30  # seconds a scene may take on a slow machine
UNHURRIED = Timeouts(before_ack=2)  # and it may be slower than a server with each answer, too

POLICY = """
[roles.approver]
usergroups = ["S0SOC"]        # Alice and Bob

[roles.oncall]
usergroups = ["S0ONCALL"]     # Carol

[[rules]]
actions = ["task.approve", "task.terminate"]
roles = ["approver"]

[[rules]]
actions = ["task.*"]
roles = ["approver", "oncall"]

[[rules]]
actions = ["instance.*"]
roles = ["oncall"]
"""

# What the first rule that fits decides comes first: accounts take two people.
GRAVE = """
[[rules]]
name = "accounts"
actions = ["task.approve"]
roles = ["approver"]
when = { name = "(?i)disable" }
approvals = 2
expires = "30m"
break_glass = ["oncall"]
"""

BESIDES = """
[break_glass]
channel = "C0ONCALL"

[rights]
audit = ["approver"]
delegate = ["approver", "oncall"]
watch = ["approver", "oncall"]

[watch]
every = 3                     # seconds: what is done in the console shows on the cards soon
fallback = "C0GENERAL"
admins = ["U0DAVE"]
oncall = ["S0ONCALL"]

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
remind = ["1h", "15m"]

[[routes]]
name = "oncall"
channel = "C0ONCALL"
instances = ["FAILED"]
mention = ["S0ONCALL"]

[brake]
retries = 3
within = "15m"
"""

OPEN = """\
[bold]Open them side by side[/bold], and you see both ends of every click:

  [cyan]{slack}[/cyan]   the local Slack, where you are Alice, who may approve
  [cyan]{secmaster}[/cyan]   the local SecMaster's console

In #soc two cards wait for a decision. "Block …" takes one person: press Approve, or Terminate
with a reason. "Disable …" takes two: Alice and Bob, or Carol, who may break the glass. In #oncall
a run has failed: as Carol, who is on call, press Retry. Under "Acting as" you are somebody else:
Dave may look, and there are guests and somebody from another organisation.
Ask /secmaster why with an id who may do what, and /secmaster audit what was done.
Type / for the commands; the app's Home and its shortcuts are there too. In the console, decide a
task, let a run fail, let more arrive, or switch a fault on, and watch the cards: what arrives is
brought to Slack within three seconds.

Ctrl-C stops it."""


async def play(
    slack_port: int, secmaster_port: int, then: Callable[[], Awaitable[None]] | None
) -> None:
    """Start everything, play the story, print its threads, and stay for ``then``."""
    console = Console(soft_wrap=True, highlight=False)
    async with stage(slack_port, secmaster_port) as (slack, secmaster):
        story = Story(slack, secmaster, console)
        await story.play()
        if then:
            await story.leave_open()
            console.print(OPEN.format(slack=slack.url, secmaster=secmaster.url))
            await then()


@asynccontextmanager
async def stage(
    slack_port: int = 0, secmaster_port: int = 0
) -> AsyncIterator[tuple[SlackSandbox, SecMasterSandbox]]:
    """Both stand-ins with the bot between them."""
    slack, secmaster = SlackSandbox(manifest=manifest(Config())), SecMasterSandbox()
    try:
        await _open(secmaster, secmaster_port, "--secmaster-port")
        await _open(slack, slack_port, "--slack-port")
        with tempfile.TemporaryDirectory(prefix="secmaster-bot-") as folder:
            settings = _settings(slack, secmaster, Path(folder))
            policy = config.parse(GRAVE + POLICY + BESIDES)
            async with App(settings, policy, UNHURRIED) as app:
                slack.request_url = f"{app.url}/slack/events"
                slack.links = [("SecMaster console", secmaster.url)]
                yield slack, secmaster
    finally:
        await slack.stop()
        await secmaster.stop()


async def _open(service: SlackSandbox | SecMasterSandbox, port: int, option: str) -> None:
    try:
        await service.start(port=port)
    except OSError as wrong:
        raise StartError(
            f"Port {port} is taken. Is another demo running? Otherwise choose one with {option}."
        ) from wrong


def _settings(slack: SlackSandbox, secmaster: SecMasterSandbox, folder: Path) -> Settings:
    given: dict[str, Any] = {
        "slack_bot_token": "xoxb-demo",
        "slack_signing_secret": "demo-signing-secret",
        "slack_app_token": "",
        "slack_api_url": f"{slack.url}/api/",
        "secmaster_endpoint": secmaster.url,
        "SECMASTER_PROJECT_ID": "demo-project",
        "secmaster_workspace_id": "demo-workspace",
        "HUAWEICLOUD_SDK_AK": "demo-ak",
        "HUAWEICLOUD_SDK_SK": "demo-sk",
        "SECMASTER_CONSOLE_URL": secmaster.url,
        "database_url": f"sqlite:///{folder / 'demo.db'}",
        "bot_port": 0,
    }
    return Settings(_env_file=None, **given)


class Story:
    """What the people do, scene by scene."""

    def __init__(self, slack: SlackSandbox, secmaster: SecMasterSandbox, console: Console) -> None:
        self.slack = slack
        self.secmaster = secmaster
        self.console = console

    async def play(self) -> None:
        async with asyncio.timeout(4 * WITHIN):
            task = await self._card(ALICE, SOC, "task", seed.TASK_ISOLATE)
            await self._decide(task)
            await self._comment(task)
            self._print("A task in #soc", SOC, task)
            run = await self._card(CAROL, ONCALL, "instance", seed.INSTANCE_FAILED)
            await self._retry(run)
            self._print("A failed workflow in #oncall", ONCALL, run)

    async def leave_open(self) -> None:
        """A few cards for whoever opens the page."""
        await self._card(ALICE, SOC, "task", seed.TASK_DISABLE_USER)
        await self._card(ALICE, SOC, "task", seed.TASK_BLOCK_IP)
        await self._card(CAROL, ONCALL, "instance", seed.INSTANCE_FAILED_AGAIN)

    async def _card(self, user: str, channel: str, noun: ObjectKind, object_id: str) -> str:
        """Somebody asks for a card; returns its ts. Others come by themselves meanwhile."""
        ref = str(Ref(kind=noun, id=object_id))
        before = self._cards(channel, ref)
        await self.slack.command(user, channel, f"/secmaster {noun} show {object_id}")
        posted = await self.slack.until(lambda: self._cards(channel, ref)[len(before) :])
        return posted[0]

    def _cards(self, channel: str, ref: str) -> list[str]:
        """The ts of each of an object's cards in a channel."""
        told = ((m["ts"], m.get("metadata", {})) for m in self.slack.messages(channel))
        return [ts for ts, mark in told if mark.get("event_payload", {}).get("ref") == ref]

    async def _decide(self, card: str) -> None:
        """Alice approves, and while SecMaster works on it Bob sends his termination."""
        await self.slack.press(BOB, SOC, card, "task.terminate")
        view = self.slack.views(BOB)[-1]
        await self.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        await self.slack.press(ALICE, SOC, card, "task.approve")
        await self.secmaster.faults.until_held("UpdateTask")
        await self.slack.submit(BOB, view["id"], {"reason": "Looks like a false positive"})
        told = await self.slack.until(lambda: self.slack.ephemerals(BOB))
        await self.secmaster.faults.clear()
        await self.slack.until(lambda: len(self.slack.thread(SOC, card)) > 1)
        self.console.print(f"[dim]Only Bob sees:[/dim] {self._plain(told[-1]['text'])}\n")

    async def _comment(self, card: str) -> None:
        """Carol writes in the card's thread, where no id is needed."""
        before = len(self.slack.thread(SOC, card))
        text = f"<@{BOT}> comment Host is out of the load balancer since 03:10"
        await self.slack.say(CAROL, SOC, text, card)
        await self.slack.until(lambda: len(self.slack.thread(SOC, card)) > before + 1)
        await self.slack.until(lambda: "03:10" in str(self.slack.thread(SOC, card)[0]))

    async def _retry(self, card: str) -> None:
        """Carol retries, and is told how it ended."""
        await self.slack.press(CAROL, ONCALL, card, "instance.retry")
        world = self.secmaster.world
        await self.secmaster.until(
            lambda: world.instance(seed.INSTANCE_FAILED)["status"] == "FINISHED"
        )
        await self.slack.until(lambda: "finished" in self.slack.thread(ONCALL, card)[-1]["text"])
        await self.slack.until(lambda: "Finished" in self.slack.thread(ONCALL, card)[0]["text"])

    def _print(self, title: str, channel: str, card: str) -> None:
        self.console.rule(f"[bold]{title}[/bold]", align="left")
        top, *replies = self.slack.thread(channel, card)
        for line in _lines(top):
            self.console.print(escape(self._plain(line)))
        for reply in replies:
            who = self._plain(f"<@{reply['user']}>")
            for number, line in enumerate(reply["text"].splitlines()):
                said = self._plain(line)
                self.console.print(escape(f"    {who}: {said}" if not number else f"      {said}"))
        self.console.print()

    def _plain(self, text: str) -> str:
        """What Slack would show for mrkdwn, near enough for a terminal."""
        text = re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", text)
        text = re.sub(r"<@(\w+)>", lambda found: f"@{self._name(found[1])}", text)
        text = re.sub(r"<[^|>]*\|([^>]*)>", r"\1", text).replace("```", "")
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    def _name(self, user: str) -> str:
        return str(self.slack.workspace.users.get(user, {}).get("real_name", user))


def _lines(message: dict[str, Any]) -> list[str]:
    """The texts of a message's blocks, and its buttons in one line."""
    lines: list[str] = []
    for block in message["blocks"]:
        parts = [block.get("text"), *block.get("fields", [])]
        if block["type"] == "context":
            parts = block["elements"]
        lines += [part["text"].replace("\n", " ") for part in parts if part]
        if block["type"] == "actions":
            names = [each.get("text", {}).get("text", "⋯") for each in block["elements"]]
            lines.append("  ".join(f"[{name}]" for name in names))
    return lines

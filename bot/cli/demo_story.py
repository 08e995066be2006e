"""Play one story on local stand-ins of both services: no account, no network.

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
SCENE_TIMEOUT = 30  # seconds, on a slow machine
TIMEOUTS = Timeouts(before_ack=2)  # such a machine may be slower than a server with each answer

POLICY = """
[roles.approver]
usergroups = ["S0SOC"]        # Alice and Bob

[roles.oncall]
usergroups = ["S0ONCALL"]     # Carol

[roles.reader]
users = ["U0DAVE"]

[[rules]]
actions = ["task.approve", "task.terminate"]
roles = ["approver"]

[[rules]]
actions = ["task.*"]
roles = ["approver", "oncall"]

[[rules]]
actions = ["instance.*", "playbook.*"]
roles = ["oncall"]

[[rules]]
actions = ["task.read", "instance.read", "playbook.read"]
roles = ["approver", "oncall", "reader"]
"""

# Stands before the other rules, since the first one that fits decides.
ACCOUNTS_RULE = """
[[rules]]
name = "accounts"
actions = ["task.approve"]
roles = ["approver"]
when = { name = "(?i)disable" }
approvals = 2
expires = "30m"
break_glass = ["oncall"]
"""

OTHER_SECTIONS = """
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
playbooks = ["FAILED"]
mention = ["S0ONCALL"]

[brake]
retries = 3
within = "15m"
"""

INSTRUCTIONS = """\
[bold]Open them side by side[/bold], and you see both ends of every click:

  [cyan]{slack}[/cyan]   the local Slack, where you are Alice, who may approve
  [cyan]{secmaster}[/cyan]   the local SecMaster's console

In #soc two cards wait for a decision. "Block …" takes one person: press Approve, or Terminate
with a reason. "Disable …" takes two: Alice and Bob, or Carol, in an emergency. In #oncall
a run has failed: as Carol, who is on call, press Retry. Under "Acting as" you are somebody else:
Dave may read and decide nothing; guests, and somebody from another organisation, may not even read.
Ask /secmaster why with an id who may do what, and /secmaster audit what was done.
Type / for the commands; the app's Home and its shortcuts are there too. In the console, decide a
task, let a run fail, let more arrive, or switch a fault on, and watch the cards: what arrives is
brought to Slack within three seconds.

Ctrl-C stops it."""


async def play(
    slack_port: int, secmaster_port: int, stay: Callable[[], Awaitable[None]] | None
) -> None:
    """Start everything, play the story and print its threads; then stay up until ``stay`` ends.

    Raises StartError for a port that is taken.
    """
    console = Console(soft_wrap=True, highlight=False)
    async with stage(slack_port, secmaster_port) as (slack, secmaster):
        story = Story(slack, secmaster, console)
        await story.play()
        if stay:
            await story.leave_open()
            console.print(INSTRUCTIONS.format(slack=slack.url, secmaster=secmaster.url))
            await stay()


@asynccontextmanager
async def stage(
    slack_port: int = 0, secmaster_port: int = 0
) -> AsyncIterator[tuple[SlackSandbox, SecMasterSandbox]]:
    """Run both stand-ins with the bot between them; port 0 takes any free one."""
    slack, secmaster = SlackSandbox(manifest=manifest(Config())), SecMasterSandbox()
    try:
        await start_on(secmaster, secmaster_port, "--secmaster-port")
        await start_on(slack, slack_port, "--slack-port")
        with tempfile.TemporaryDirectory(prefix="secmaster-bot-") as folder:
            settings = demo_settings(slack, secmaster, Path(folder))
            policy = config.parse(ACCOUNTS_RULE + POLICY + OTHER_SECTIONS)
            async with App(settings, policy, TIMEOUTS) as app:
                slack.request_url = f"{app.url}/slack/events"
                slack.links = [("SecMaster console", secmaster.url)]
                yield slack, secmaster
    finally:
        await slack.stop()
        await secmaster.stop()


async def start_on(service: SlackSandbox | SecMasterSandbox, port: int, option: str) -> None:
    """Start a stand-in on a port that ``option`` chose; raises StartError if it is taken."""
    try:
        await service.start(port=port)
    except OSError as error:
        raise StartError(
            f"Port {port} is taken. Is another demo running? Otherwise choose one with {option}."
        ) from error


def demo_settings(slack: SlackSandbox, secmaster: SecMasterSandbox, folder: Path) -> Settings:
    """Return settings for a bot between the two, with its database in a folder."""
    values: dict[str, Any] = {
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
    return Settings(_env_file=None, **values)


class Story:
    """The scenes that people play in Slack, printed as their threads."""

    def __init__(self, slack: SlackSandbox, secmaster: SecMasterSandbox, console: Console) -> None:
        self.slack = slack
        self.secmaster = secmaster
        self.console = console

    async def play(self) -> None:
        """Play all scenes; raises TimeoutError if the bot does not answer in one."""
        async with asyncio.timeout(4 * SCENE_TIMEOUT):
            task_card = await self.show_card(ALICE, SOC, "task", seed.TASK_ISOLATE)
            await self.approve_and_terminate(task_card)
            await self.comment(task_card)
            self.print_thread("A task in #soc", SOC, task_card)
            run_card = await self.show_card(CAROL, ONCALL, "instance", seed.INSTANCE_FAILED)
            await self.retry(run_card)
            self.print_thread("A failed workflow in #oncall", ONCALL, run_card)

    async def leave_open(self) -> None:
        """Show a few more cards, for whoever opens the page."""
        await self.show_card(ALICE, SOC, "task", seed.TASK_DISABLE_USER)
        await self.show_card(ALICE, SOC, "task", seed.TASK_BLOCK_IP)
        await self.show_card(CAROL, ONCALL, "instance", seed.INSTANCE_FAILED_AGAIN)

    async def show_card(self, user: str, channel: str, kind: ObjectKind, object_id: str) -> str:
        """Let somebody ask for an object's card, and return the card's ts.

        Cards of the same object may have come by themselves before.
        """
        ref = str(Ref(kind=kind, id=object_id))

        def cards() -> list[str]:
            return [
                message["ts"]
                for message in self.slack.messages(channel)
                if message.get("metadata", {}).get("event_payload", {}).get("ref") == ref
            ]

        earlier = len(cards())
        await self.slack.command(user, channel, f"/secmaster {kind} show {object_id}")
        new_cards = await self.slack.until(lambda: cards()[earlier:])
        return new_cards[0]

    async def approve_and_terminate(self, card: str) -> None:
        """Alice approves, and while SecMaster works on it Bob sends his termination."""
        await self.slack.press(BOB, SOC, card, "task.terminate")
        view = self.slack.views(BOB)[-1]
        await self.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        await self.slack.press(ALICE, SOC, card, "task.approve")
        await self.secmaster.faults.until_held("UpdateTask")
        await self.slack.submit(BOB, view["id"], {"reason": "Looks like a false positive"})
        messages = await self.slack.until(lambda: self.slack.ephemerals(BOB))
        await self.secmaster.faults.clear()
        await self.slack.until(lambda: len(self.slack.thread(SOC, card)) > 1)
        text = self.plain_text(messages[-1]["text"])
        self.console.print(f"[dim]Only Bob sees:[/dim] {text}\n")

    async def comment(self, card: str) -> None:
        """Carol writes in the card's thread, where no id is needed."""
        length = len(self.slack.thread(SOC, card))
        text = f"<@{BOT}> comment Host is out of the load balancer since 03:10"
        await self.slack.say(CAROL, SOC, text, card)
        await self.slack.until(lambda: len(self.slack.thread(SOC, card)) > length + 1)
        await self.slack.until(lambda: "03:10" in str(self.slack.thread(SOC, card)[0]))

    async def retry(self, card: str) -> None:
        """Carol retries, and the thread and the card say how it ended."""
        await self.slack.press(CAROL, ONCALL, card, "instance.retry")
        world = self.secmaster.world
        await self.secmaster.until(
            lambda: world.instance(seed.INSTANCE_FAILED)["status"] == "FINISHED"
        )
        await self.slack.until(lambda: "finished" in self.slack.thread(ONCALL, card)[-1]["text"])
        await self.slack.until(lambda: "Finished" in self.slack.thread(ONCALL, card)[0]["text"])

    def print_thread(self, title: str, channel: str, card: str) -> None:
        """Print a card and the replies in its thread."""
        self.console.rule(f"[bold]{title}[/bold]", align="left")
        top, *replies = self.slack.thread(channel, card)
        for line in block_lines(top["blocks"]):
            self.console.print(escape(self.plain_text(line)))
        for reply in replies:
            author = self.plain_text(f"<@{reply['user']}>")
            for number, line in enumerate(reply["text"].splitlines()):
                text = self.plain_text(line)
                self.console.print(escape(f"      {text}" if number else f"    {author}: {text}"))
        self.console.print()

    def plain_text(self, mrkdwn: str) -> str:
        """Return what Slack would show for mrkdwn, near enough for a terminal."""
        users = self.slack.workspace.users
        text = re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", mrkdwn)
        text = re.sub(
            r"<@(\w+)>",
            lambda mention: f"@{users.get(mention[1], {}).get('real_name', mention[1])}",
            text,
        )
        text = re.sub(r"<[^|>]*\|([^>]*)>", r"\1", text).replace("```", "")
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def block_lines(blocks: list[dict[str, Any]]) -> list[str]:
    """Return the texts of a message's blocks, and its buttons in one line."""
    lines: list[str] = []
    for block in blocks:
        parts = [block.get("text"), *block.get("fields", [])]
        if block["type"] == "context":
            parts = block["elements"]
        lines += [line for part in parts if part for line in part["text"].splitlines()]
        if block["type"] == "actions":
            labels = [element.get("text", {}).get("text", "⋯") for element in block["elements"]]
            lines.append("  ".join(f"[{label}]" for label in labels))
    return lines

"""Who reads: a table of all doors and all kinds of people, and what each is shown or told."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from bot.domain.actions import MESSAGE_ACTIONS
from bot.domain.approvals import ApprovalIntent
from bot.domain.audit import AuditQuery
from bot.domain.delegations import Delegation
from bot.domain.objects import Ref
from bot.messages import audit_history, modals, private_cards
from bot.messages.private_cards import AskedCommand
from bot.operations.reading import MAX_ROWS
from bot.policy.rules import ReasonRule
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import stamp
from bot.sandbox.slack import payloads
from bot.store import RequestedChange, RequestedChanges
from handlers import buttons, command_table
from tests.support.environment import BotEnvironment
from tests.support.people import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    GUEST,
    OUTSIDER,
    SOC,
    SOLO,
)
from tests.support.samples import ENGLISH
from tests.support.watch import first_poll_finished

ROOT = Path(__file__).parents[2]
TASK, RUN = seed.TASK_ISOLATE, seed.INSTANCE_FAILED
PLAYBOOK_RUN = seed.PLAYBOOK_INSTANCE_FAILED
TASK_NAME = "Isolate host ecs-web-07"
REF, RUN_REF = Ref(kind="task", id=TASK), Ref(kind="instance", id=RUN)

# Strangers have every role, which helps them nothing.
STRANGERS = json.dumps([GUEST, SOLO, OUTSIDER])
RULES = f"""
[roles.reader]
users = ["{ALICE}"]
[roles.admin]
users = ["{CAROL}"]
[roles.stranger]
users = {STRANGERS}
[roles.nobody]

[[rules]]
name = "desk"
actions = ["task.read", "instance.read", "playbook.read"]
roles = ["reader", "stranger"]

[[rules]]
actions = ["*"]
roles = ["nobody", "stranger"]

[rights]
audit = ["reader", "admin", "stranger"]
reload = ["nobody"]
delegate = ["nobody"]
watch = ["nobody"]

[watch]
every = 0.05
"""
SOME_RULES = f"""
[roles.lead]
users = ["{ALICE}"]
[roles.some]
users = ["{DAVE}"]
[roles.writer]
users = ["{BOB}"]

[[rules]]
actions = ["task.read"]
roles = ["some", "lead"]
when = {{ name = "[^I]" }}

[[rules]]
actions = ["task.read"]
roles = ["lead"]

[[rules]]
actions = ["instance.read"]
roles = ["some", "lead"]

[[rules]]
actions = ["*"]
roles = ["writer"]

[watch]
every = 0.05
"""
PEOPLE = {
    "reader": ALICE,
    "delegate": BOB,  # of the reader
    "member": DAVE,
    "admin": CAROL,
    "guest": GUEST,
    "single": SOLO,
    "outsider": OUTSIDER,
    "unknown": ALICE,  # while Slack does not say who she is
}
LEFT_TO_THE_READER = f"Only .*reader.* \\(<@{ALICE}>\\).* can read (tasks|runs|playbook runs)"
REFUSALS = {
    "member": LEFT_TO_THE_READER,
    "admin": LEFT_TO_THE_READER,
    "guest": "Guests can't read",
    "single": "Guests can't read",
    "outsider": "People from other organisations or workspaces can't read",
    "unknown": "Slack could not confirm who you are",
}
# sees: the door opens. no: it is refused as reading. right, write, call: it asks for another right,
# and is refused as that. open: an answer that has nothing of SecMaster.
TABLE = """
                      reader  delegate  member  admin  guest  single  outsider  unknown
task list             sees    sees      no      no     no     no      no        no
instance list         sees    sees      no      no     no     no      no        no
playbook list         sees    sees      no      no     no     no      no        no
task show             sees    sees      no      no     no     no      no        no
instance show         sees    sees      no      no     no     no      no        no
playbook show         sees    sees      no      no     no     no      no        no
task several          sees    sees      no      no     no     no      no        no
instance several      sees    sees      no      no     no     no      no        no
playbook several      sees    sees      no      no     no     no      no        no
why                   sees    sees      no      no     no     no      no        no
audit                 sees    right     right   no     right  right   right     no
oncall                sees    sees      no      no     no     no      no        no
digest                sees    sees      no      no     no     no      no        no
status                sees    sees      no      no     no     no      no        no
routes                sees    sees      no      no     no     no      no        no
routes test           sees    sees      no      no     no     no      no        no
task approve          write   write     write   write  write  write   write     write
task terminate        write   write     write   write  write  write   write     write
task comment          write   write     write   write  write  write   write     write
task uncomment        write   write     write   write  write  write   write     write
task attach           write   write     write   write  write  write   write     write
task detach           write   write     write   write  write  write   write     write
instance retry        write   write     write   write  write  write   write     write
playbook retry        write   write     write   write  write  write   write     write
instance terminate    write   write     write   write  write  write   write     write
playbook terminate    write   write     write   write  write  write   write     write
instance debug        write   write     write   write  write  write   write     write
break-glass           write   write     write   write  write  write   write     write
task withdraw         open    open      open    open   open   open    open      open
task decline          open    open      open    open   open   open    open      open
instance withdraw     open    open      open    open   open   open    open      open
playbook withdraw     open    open      open    open   open   open    open      open
instance decline      open    open      open    open   open   open    open      open
playbook decline      open    open      open    open   open   open    open      open
delegate              right   right     right   right  right  right   right     right
watch                 right   right     right   right  right  right   right     right
claim                 open    open      open    open   open   open    open      open
unclaim               open    open      open    open   open   open    open      open
escalate              open    open      open    open   open   open    open      open
mute                  right   right     right   right  right  right   right     right
unmute                right   right     right   right  right  right   right     right
snooze                open    open      open    open   open   open    open      open
unsnooze              open    open      open    open   open   open    open      open
unwatch               right   right     right   right  right  right   right     right
reload                right   right     right   right  right  right   right     right
revoke                open    open      open    open   open   open    open      open
delegations           open    open      open    open   open   open    open      open
calls                 open    open      open    open   open   open    open      no
whoami                open    open      open    open   open   open    open      open
help                  open    open      open    open   open   open    open      open
mention: list         sees    sees      no      no     no     no      no        no
mention: show         sees    sees      no      no     no     no      no        no
mention: id           sees    sees      no      no     no     no      no        no
mention: search       sees    sees      no      no     no     no      no        no
mention: terminate    write   write     write   write  write  write   write     write
mention: hello        open    open      open    open   open   open    open      open
thread: show          sees    sees      no      no     no     no      no        no
thread: why           sees    sees      no      no     no     no      no        no
thread: audit         sees    right     right   no     right  right   right     no
thread: approve       write   write     write   write  write  write   write     write
chat: list            sees    sees      no      no     no     no      no        no
chat: status          sees    sees      no      no     no     no      no        no
page                  sees    sees      no      no     no     no      no        no
older                 sees    right     right   no     right  right   right     no
show                  sees    sees      no      no     no     no      no        no
details               sees    sees      no      no     no     no      no        no
refresh               sees    sees      no      no     no     no      no        no
refresh, alone        sees    sees      no      no     no     no      no        no
start                 sees    sees      no      no     no     no      no        no
answer                write   write     write   write  write  write   write     write
try again             write   write     write   write  write  write   write     write
fill                  write   write     write   write  write  write   write     write
nodes                 open    open      open    open   open   open    open      open
several               sees    sees      no      no     no     no      no        no
home                  sees    sees      no      no     no     no      no        no
calls menu            sees    sees      no      no     no     no      no        no
actions               write   write     write   write  write  write   write     write
break-glass button    write   write     write   write  write  write   write     write
refuse                write   write     write   write  write  write   write     write
withdraw              open    open      open    open   open   open    open      open
snooze                call    call      call    call   call   call    call      call
claim button          call    call      call    call   call   call    call      call
release button        call    call      call    call   call   call    call      call
escalate button       call    call      call    call   call   call    call      call
mute button           right   right     right   right  right  right   right     right
app_home_opened       sees    sees      no      no     no     no      no        no
waiting               sees    sees      no      no     no     no      no        no
message shortcuts     write   write     write   write  write  write   write     write
form                  write   write     write   write  write  write   write     write
post                  sees    sees      no      no     no     no      no        no
"""
# What is shown through each door to whoever may read: a pattern of some of it.
SEEN = {
    "task list": "Waiting tasks · 1–8 of 12",
    "instance list": "Open runs: failed first, then running · 1–8 of [0-9]+",
    "task show": TASK_NAME,
    "instance show": "Failed at",
    "playbook list": "Open playbook runs: failed first, then running · [0-9]+",
    "playbook show": "Alert response 1",
    "task several": "12 tasks are waiting for a decision",
    "instance several": "3 runs have failed",
    "playbook several": "2 playbook runs have failed",
    "why": "What you can do with",
    "audit": "Audit records of",
    "oncall": r"waiting · .* failed run",
    "digest": "(tasks are|task is) waiting",
    "status": "12 tasks are waiting",
    "routes": "No routes",
    "routes test": "No card is posted for it",
    "mention: list": "Waiting tasks · 1–8 of 12",
    "mention: show": TASK_NAME,
    "mention: id": TASK_NAME,
    "mention: search": "Waiting tasks · 1",
    "thread: show": TASK_NAME,
    "thread: why": "What you can do with",
    "thread: audit": "Audit records of",
    "chat: list": "Waiting tasks · 1–8 of 12",
    "chat: status": "12 tasks are waiting",
    "page": "9–12 of 12",
    "older": "Audit records of",
    "start": "Waiting tasks · 1–8 of 12",
    "show": TASK_NAME,
    "details": TASK_NAME,
    "refresh": "a card was drawn",
    "refresh, alone": TASK_NAME,
    "post": TASK_NAME,
    "several": "12 tasks are waiting for a decision",
    "home": "Your tasks",
    "calls menu": "Your tasks",
    "app_home_opened": "Your tasks",
    "waiting": "Waiting for a decision: 12",
}
BUTTONS_MODULE, LISTENERS_MODULE = ROOT / "handlers/buttons.py", ROOT / "handlers/__init__.py"
# The listeners beside those of commands and buttons, and the doors that they stand behind. What is
# selected and confirmed was listed by "several", and each object asks for the right to write.
LISTENERS: dict[str, set[str]] = {
    '"app_mention"': {"mention: list", "thread: show", "chat: list"},
    '"app_home_opened"': {"app_home_opened"},
    "payloads.WAITING_SHORTCUT": {"waiting"},
    "callback_id": {"message shortcuts"},
    "modals.FORM": {"form"},
    "watch_messages.SNOOZE_FORM": {"form"},
    "escalation_messages.ESCALATE": {"form"},
    "mute_messages.MUTE": {"form"},
    "batch_forms.CHOOSING": {"several"},
    "batch_forms.CONFIRMING": {"several"},
}
# What gets tasks and runs from SecMaster or from what is tracked of it.
READS = re.compile(
    r"workspaces\.(read|client)|read_object\((app\.)?services|read_and_track|tracked\.(open_\w+|get)|open_tasks"
    r"|digests\.collect|watch_status\(app"
)
READ_FOR_A_FORM = {
    "batch.py:check_object",
    "forms.py:choose_node",
    "forms.py:suggest_nodes",
    "questions.py:_show_question",
    "watch.py:require_tracked",
    "assignments.py:require_open",
    "escalations.py:require_steps",
}
READ_AND_FILTERED = {
    "either_kind.py:kind_of",
    "home.py:_load_source",
    "home.py:_open_requests",
    "home.py:personal_home",
    "mutes.py:find_workflow",
    "oncall.py:waiting",
    "oncall.py:hand_over",
    "watch.py:status",
}
HOME_DOORS = ("home", "calls menu", "app_home_opened")
# What those read who are refused for another reason than reading.
OTHER_REFUSALS = {
    "right": "🚫 Only ",
    "write": "was not sent",
    "call": "You can't (claim|release|escalate|snooze) |(Nothing|No claim) was (claimed|released|"
    "escalated|snoozed)",
}
COMMANDS = {
    "task list": "",
    "instance list": "",
    "playbook list": "",
    "task show": TASK,
    "instance show": RUN,
    "playbook show": PLAYBOOK_RUN,
    "task several": "",
    "instance several": "",
    "playbook several": "",
    "why": TASK,
    "audit": TASK,
    "routes test": TASK,
    "task approve": TASK,
    "task terminate": f"{TASK} why",
    "task comment": f"{TASK} hello",
    "task uncomment": f"{seed.TASK_DISABLE_USER} {seed.COMMENT_FIRST}",
    "task attach": f"{TASK} {seed.ATTACHMENT_REPORT}",
    "task detach": f"{seed.TASK_DISABLE_USER} {seed.ATTACHMENT_REPORT}",
    "instance retry": RUN,
    "instance terminate": RUN,
    "playbook retry": PLAYBOOK_RUN,
    "playbook terminate": PLAYBOOK_RUN,
    "instance debug": f"{RUN} node [1]",
    "break-glass": f"task approve {TASK} why",
    "task withdraw": TASK,
    "task refuse": TASK,
    "instance withdraw": RUN,
    "instance refuse": RUN,
    "playbook withdraw": PLAYBOOK_RUN,
    "playbook refuse": PLAYBOOK_RUN,
    "mute": "Some workflow 2h noisy",
    "unmute": "Some workflow",
    "delegate": "@dave for 1h",
    "revoke": "@dave",
}
BUTTONS = {
    "page": ("page.next", "1|task||8|"),
    "older": (
        audit_history.OLDER,
        AuditQuery(object=TASK, target=str(REF)).model_dump_json(exclude_defaults=True),
    ),
    "show": ("show", str(REF)),
    "details": ("details", str(REF)),
    "refresh": ("refresh", str(REF)),
    "refresh, alone": ("refresh", str(REF)),
    "post": (private_cards.POST, str(REF)),
    "start": ("start.waiting", ""),
    "answer": (private_cards.ANSWER, str(AskedCommand(action="task.approve", button=str(REF)))),
    "try again": (
        private_cards.TRY_AGAIN,
        str(AskedCommand(action="task.approve", button=str(REF))),
    ),
    "fill": (f"{modals.FILL}.task.approve", str(REF)),
    "nodes": (modals.NODES, "node"),
    "several": ("several", "1|task|main||"),
    "home": ("home.next", "{}"),
    "calls menu": ("calls", "rule"),
    "actions": ("task.approve", str(REF)),
    "break-glass button": ("break-glass", f"task.approve|{REF}"),
    "refuse": ("refuse", f"task.approve|{REF}"),
    "withdraw": ("withdraw", f"task.approve|{REF}"),
    "snooze": ("snooze.1h", str(REF)),
    "claim button": ("assign.take", str(REF)),
    "release button": ("assign.release", str(REF)),
    "escalate button": ("escalate", str(REF)),
    "mute button": ("mute", str(REF)),
}
MESSAGES = {
    "mention: list": "<@U0BOT> task list",
    "mention: show": f"<@U0BOT> task show {TASK}",
    "mention: id": f"<@U0BOT> <https://console.example/task/{TASK}>",
    "mention: search": "<@U0BOT> show Isolate host",
    "mention: terminate": f"<@U0BOT> terminate {TASK}",
    "mention: hello": "<@U0BOT> hello",
    "thread: show": "<@U0BOT> show",
    "thread: why": "<@U0BOT> why",
    "thread: audit": "<@U0BOT> audit",
    "thread: approve": "<@U0BOT> approve",
    "chat: list": "task list",
    "chat: status": "status",
}


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the doors of the table, each with its cells by the people's kinds."""
    head, *lines = TABLE.strip("\n").splitlines()
    kinds = head.split()
    for line in lines:
        door, *cells = re.split(r"  +", line)
        yield door, dict(zip(kinds, cells, strict=True))


@dataclass
class Visit:
    """One person at all doors, and what they are shown there."""

    environment: BotEnvironment
    user: str
    card: str
    _before: dict[str, int] = field(default_factory=dict)

    async def through(self, door: str) -> str:
        """Go through a door, and return all that the person sees of it then."""
        slack = self.environment.slack
        slack.modals.clear(self.user)
        slack.modals.homes.pop(self.user, None)
        self._before = {name: len(messages) for name, messages in self._places().items()}
        drawings = self._drawings()
        await self._open(door)

        def seen() -> str:
            if door == "refresh" and self._drawings() > drawings:
                return "a card was drawn"
            news = [
                message
                for name, messages in self._places().items()
                for message in messages[self._before[name] :]
                if message.get("user") != self.user
            ]
            # Whoever opened Home has it drawn again meanwhile, whatever door they are at.
            home = slack.home(self.user) if door in HOME_DOORS else None
            views = [home, *slack.views(self.user)]
            text = json.dumps([*map(dict, news), *filter(None, views)], ensure_ascii=False)
            if door == "post" and TASK_NAME in text and "The card is posted here" not in text:
                return ""  # that comes after the card
            return "" if text == "[]" or "Asking SecMaster" in text else text

        return await slack.until(seen)

    def _places(self) -> dict[str, list[dict[str, Any]]]:
        """Return the messages of all places where an answer may stand."""
        slack = self.environment.slack
        channels = [channel.id for channel in slack.workspace.channels.values()]
        channels = [id_ for id_ in channels if self.user in slack.workspace.channels[id_].members]
        return {id_: slack.messages(id_) for id_ in channels} | {
            "alone": slack.ephemerals(self.user)
        }

    def _drawings(self) -> int:
        calls = self.environment.slack.calls
        return sum(call.method == "chat.update" for call in calls)

    async def _open(self, door: str) -> None:
        slack, user = self.environment.slack, self.user
        if door in BUTTONS:
            await self._press(*BUTTONS[door], alone=door != "refresh")
        elif door in MESSAGES:
            place, _, _ = door.partition(":")
            channel = slack.chat_with(user) if place == "chat" else SOC
            await slack.say(user, channel, MESSAGES[door], self.card if place == "thread" else None)
        elif door == "app_home_opened":
            await slack.open_home(user)
        elif door == "waiting":
            await slack.shortcut(user, "waiting")
        elif door == "message shortcuts":
            await slack.shortcut(user, MESSAGE_ACTIONS[0].name, SOC, self.card)
        elif door == "form":
            await self._submit_form()
        else:
            await slack.command(user, SOC, f"/secmaster {door} {COMMANDS.get(door, '')}")

    async def _press(self, action_id: str, value: str, *, alone: bool) -> None:
        """Press a button of the card, or of a message that only this person sees, an older one."""
        workspace = self.environment.slack.workspace
        hook = workspace.permits.new_hook(self.user, SOC, "")
        location = {"channel_id": SOC, "message_ts": self.card, "is_ephemeral": alone}
        payload = payloads.interaction(workspace, "block_actions", self.user) | {
            "container": {"type": "message", **location},
            "channel": {"id": SOC, "name": "soc"},
            "response_url": f"{self.environment.slack.url}/_hooks/{hook}",
            "trigger_id": workspace.permits.new_trigger(self.user),
            "actions": [{"type": "button", "action_id": action_id, "value": value}],
        }
        await self.environment.slack.delivery.interaction(payload)

    async def _submit_form(self) -> None:
        """Submit a form that was opened while the person had the right."""
        slack, location = self.environment.slack, {"channel": SOC}
        state = modals.FormState.model_validate(
            {"action": "task.comment", "ref": REF, "location": location}
        )
        content = modals.FormContent("a task", "main")
        form = modals.form(ENGLISH, state, content, ReasonRule.NONE)
        view = slack.modals.open(slack.workspace.permits.new_trigger(self.user), form)
        await slack.submit(self.user, view["id"], {"comment": "hello"})


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", RULES))


@pytest.mark.longest(180)
async def test_everybody_is_shown_at_every_door_what_the_table_says(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    card = await environment.card("task", TASK)
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK}")  # for the audit
    await environment.ephemeral(ALICE, "was not sent")
    lend(environment, ALICE, BOB)
    secrets = names_in_secmaster(environment)
    differences = []
    for kind, user in PEOPLE.items():
        if kind == "unknown":
            environment.clock.forward(minutes=11)  # what Slack said before is not used
            await environment.slack.faults.set(Fault(on="users.info", status=500))
        visit = Visit(environment, user, card)
        for door, cells in rows():
            text = await visit.through(door)
            if problem := differs(cells[kind], kind, door, text, secrets):
                differences.append(f"{door} as {kind}: {problem}: {text[:400]}")
    assert not differences, "\n".join(differences)
    assert [one for one in environment.secmaster.requests if one.method == "PUT"] == []


def differs(cell: str, kind: str, door: str, text: str, secrets: list[str]) -> str:
    """Return in which way somebody is shown something else than their cell says; "" if in none."""
    if cell == "sees":
        return "" if re.search(SEEN[door], text) else "is not shown"
    if leaked := [name for name in secrets if name in text]:
        return f"is shown {leaked}"
    refusal = {"no": REFUSALS.get(kind, "?"), "open": "", **OTHER_REFUSALS}[cell]
    refusals = [refusal, "Slack could not confirm"] if kind == "unknown" else [refusal]
    return "" if any(re.search(each, text) for each in refusals) else f"is not told {refusal!r}"


def lend(environment: BotEnvironment, delegator: str, delegate: str) -> None:
    """Delegate somebody's rights for a day."""
    now = environment.clock.now()
    delegation = Delegation(
        delegator=delegator, delegate=delegate, until=now.replace(year=now.year + 1)
    )
    record = {"at": now, "operation_id": "lend", "outcome": "done", "target": delegate}
    changes = RequestedChanges(environment.app.engine)
    changes.create_delegation(delegation, RequestedChange(now, record))


def names_in_secmaster(environment: BotEnvironment) -> list[str]:
    """Return the names of all tasks and runs, as JSON has them."""
    world = environment.secmaster.world
    objects = [*world.tasks.values(), *world.instances.values()]
    return [json.dumps(one["name"], ensure_ascii=False)[1:-1] for one in objects if one["name"]]


# Some of it.


@pytest.mark.parametrize("rules", [SOME_RULES], indirect=True, ids=["some"])
async def test_what_somebody_may_not_read_is_left_out_and_counted_nowhere(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    card = await environment.card("task", TASK)
    some = Visit(environment, DAVE, card)
    doors = (
        ("task list", "Waiting tasks · 1–8 of 11", "Only what you may read is listed and counted."),
        ("page", "Waiting tasks · 9–11 of 11", "Only what you may read"),
        ("task several", "11 tasks are waiting for a decision."),
        ("waiting", "Waiting for a decision: 11", "Failed runs: 3", "3 more"),
        ("app_home_opened", "Your tasks", "Counted among the tasks due soonest that you may read."),
        ("instance list", r"Open runs: failed first, then running · 1–8 of [0-9]+"),
        ("oncall", r"\d+ failed runs", "Reset the passwords"),
        ("status", r"\d+ runs have failed"),
    )
    for door, *sentences in doors:
        text = await some.through(door)
        assert all(re.search(sentence, text) for sentence in sentences), text
        assert TASK_NAME not in text
    assert "tasks are waiting" not in await some.through("status")
    assert " waiting" not in await some.through("oncall")
    assert "The shift summary covers all tasks and runs" in await some.through("digest")
    for door in ("task show", "details", "refresh", "why", "routes test", "thread: show"):
        text = await some.through(door)
        assert re.search(r"lead.* can read tasks \(rule 2\)", text), text
        assert TASK_NAME not in text
    # Whoever is allowed by every rule that there is reads all of it, as if none had conditions.
    lead = Visit(environment, ALICE, card)
    assert "Waiting tasks · 1–8 of 12" in await lead.through("task list")
    assert "12 tasks are waiting" in await lead.through("status")
    # Whoever reads no runs of playbooks is told of none, nor of who takes care of one.
    claim = f"/secmaster claim {PLAYBOOK_RUN}"
    assert "You claimed *Alert response 1*" in await environment.answer(BOB, claim)
    summary = await lead.through("digest")
    assert "Shift summary" in summary
    assert "Alert response" not in summary
    assert "playbook" not in summary


@pytest.mark.parametrize(
    "rules", [SOME_RULES.replace("every = 0.05", "every = 0")], indirect=True, ids=["some"]
)
async def test_of_a_long_list_the_first_rows_are_looked_through_and_no_total_is_said(
    environment: BotEnvironment,
) -> None:
    tasks = environment.secmaster.world.tasks
    for number in range(MAX_ROWS):
        copy = tasks[TASK] | {
            "id": f"more-{number}",
            "create_time": "2020-01-01T00:00:00.000Z+0800",
        }
        tasks[copy["id"]] = copy
    some = Visit(environment, DAVE, "")
    text = await some.through("task list")
    assert "No task was found." in text
    assert "only the first 1,000 were searched for what you may read" in text
    assert TASK_NAME not in text


@pytest.mark.parametrize("rules", [SOME_RULES], indirect=True, ids=["some"])
async def test_whoever_may_act_and_not_read_sees_the_form_and_the_answer_and_no_card(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    comment = f"/secmaster task comment {TASK} seen it"
    before = environment.slack.messages(SOC)
    await environment.slack.command(BOB, SOC, comment)
    await environment.ephemeral(BOB, "*Comment added by")
    assert environment.slack.messages(SOC) == before
    card = await environment.card("task", TASK)
    writer = Visit(environment, BOB, card)
    await environment.slack.press(BOB, SOC, card, "task.terminate")
    [form] = environment.slack.views(BOB)
    assert TASK_NAME in json.dumps(form)
    for door in ("task show", "details", "task list", "task several", "app_home_opened", "why"):
        text = await writer.through(door)
        assert re.search(r"lead.* can read tasks", text), text
        assert TASK_NAME not in text
    await environment.slack.command(BOB, SOC, comment)
    await environment.replies(card)
    # The parts of a run are suggested to those alone who may read it.
    run, record = (
        await environment.card("instance", RUN),
        environment.secmaster.world.instances[RUN],
    )
    before_press = len(environment.slack.views(BOB))
    await environment.slack.press(BOB, SOC, run, "instance.debug")
    await environment.slack.until(lambda: environment.slack.views(BOB)[before_press:])
    await environment.polls()
    debug = environment.slack.views(BOB)[before_press:]
    assert "Node" in json.dumps(debug)
    for node in record["topology"]["audit_logs"]:
        assert node["action_id"] not in json.dumps(debug)


@pytest.mark.parametrize("rules", [SOME_RULES], indirect=True, ids=["some"])
async def test_a_snooze_tells_nothing_of_what_somebody_may_not_read(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    task, now = environment.secmaster.world.tasks[TASK], environment.clock.now()
    soon = stamp(now.fromtimestamp(now.timestamp() + 300, now.tzinfo))
    task |= {"due_date": soon, "due_handle": "CONTINUE"}
    await environment.polls()
    card = await environment.card("task", TASK)
    # Whoever may neither read nor decide gets no form, which would name it.
    await environment.slack.press(DAVE, SOC, card, "more", value=f"snooze.xh|{REF}")
    await environment.ephemeral(DAVE, "You can't snooze this for everyone: only *writer*")
    assert environment.slack.views(DAVE) == []
    # Nor are they told that there is no time left before it auto-approves.
    for words, refusal in (("3d", "you can't snooze this"), ("3d for me", "nothing to snooze")):
        answer = await environment.answer(DAVE, f"/secmaster snooze {TASK} {words}")
        assert refusal in answer.lower(), answer
        assert "auto-approves" not in answer
        assert TASK_NAME not in answer
    # Whoever may decide is, and whoever may read it has the form.
    assert "auto-approves" in await environment.answer(BOB, f"/secmaster snooze {TASK} 3d")
    await environment.slack.press(ALICE, SOC, card, "more", value=f"snooze.xh|{REF}")
    assert TASK_NAME in json.dumps(
        await environment.slack.until(lambda: environment.slack.views(ALICE))
    )


@pytest.mark.parametrize(
    "rules",
    [
        SOME_RULES.replace(
            'actions = ["instance.read"]\nroles = ["some", "lead"]',
            'actions = ["instance.read"]\nroles = ["lead"]',
        )
    ],
    indirect=True,
    ids=["tasks"],
)
async def test_the_run_that_waits_is_not_named_to_whoever_may_not_read_runs(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    world = environment.secmaster.world
    task = next(
        each
        for each in world.tasks.values()
        if each["status"] == "waiting"
        and each.get("action_instance_id") in world.instances
        and not each["name"].startswith("I")
    )
    run = task["action_instance_id"]
    world.instances[run]["name"] = "Run of a secret"
    await environment.card("instance", run)  # by it the bot knows its name
    card = await environment.card("task", task["id"])
    ref = str(Ref(kind="task", id=task["id"]))
    # Not on the card in the channel either, which both of them see.
    shown = json.dumps(environment.message(card))
    assert run in shown
    assert "Run of a secret" not in shown
    for user, is_named in ((ALICE, True), (DAVE, False)):
        await environment.slack.press(user, SOC, card, "more", value=f"details|{ref}")
        text = await environment.slack.until(
            lambda user=user: (
                shown if run in (shown := json.dumps(environment.slack.views(user))) else ""
            )
        )
        assert ("Run of a secret" in text) is is_named, text


NOTHING_READ = """
when = { name = "of nothing" }

[[rules]]
actions = ["task.terminate", "instance.terminate"]
roles = ["some"]
"""
RUNS_READ = 'actions = ["instance.read"]\nroles = ["some", "lead"]'
HIDDEN_RULES = SOME_RULES.replace(RUNS_READ, RUNS_READ + NOTHING_READ)


@pytest.mark.parametrize("rules", [HIDDEN_RULES], indirect=True, ids=["hidden"])
async def test_an_id_without_a_kind_is_answered_alike_whether_hidden_or_not_there(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    unknown = "00000000-0000-4000-8000-000000000000"
    answers = {
        id_: await environment.answer(DAVE, f"/secmaster terminate {id_} because")
        for id_ in (TASK, RUN, unknown)
    }
    assert "No task or run with that ID" in answers[unknown]
    assert answers[TASK] == answers[RUN] == answers[unknown]


# Nothing is left out.


def test_every_row_has_a_cell_for_everybody() -> None:
    for door, cells in rows():
        assert tuple(cells) == tuple(PEOPLE), door
        assert set(cells.values()) <= {"sees", "no", "open", *OTHER_REFUSALS}, door
    assert {door for door, cells in rows() if "sees" in cells.values()} == SEEN.keys()


def test_every_command_has_its_row() -> None:
    commands = {f"{row.kind or ''} {row.name}".strip() for row in command_table.TABLE}
    assert commands <= {door for door, _cells in rows()}


def test_every_button_has_its_row() -> None:
    """The buttons are the module's table, and the texts that it compares with beside actions."""
    names = {*buttons.HANDLERS}
    for node in ast.walk(ast.parse(function_source(BUTTONS_MODULE, "press_object_button"))):
        match node:
            case (
                ast.MatchValue(value=ast.Constant(value=str(name)))
                | ast.Call(
                    func=ast.Attribute(attr="startswith"),
                    args=[ast.Constant(value=str(name))],
                )
            ):
                names.add(name.rstrip("."))
            case ast.Attribute(value=ast.Name("private_cards"), attr=constant):
                names.add(getattr(private_cards, constant))
            case ast.Name(id="FILLED"):
                names.add(modals.FILL)
            case ast.Attribute(value=ast.Name("ApprovalIntent"), attr=constant):
                names.add(ApprovalIntent[constant])
    pressed = {action_id.partition(".")[0] for action_id, _value in BUTTONS.values()}
    assert names - {"modal"} == pressed - {"task"}


def test_every_listener_has_its_row() -> None:
    registrations = re.findall(
        r"bolt\.(event|shortcut|view)\((.+?)\)\(", function_source(LISTENERS_MODULE, "register")
    )
    doors = {door for door, _cells in rows()}
    for _kind, name in registrations:
        assert LISTENERS[name] <= doors
    assert {name for _kind, name in registrations} == LISTENERS.keys()


def test_nothing_is_read_for_a_person_but_by_what_they_may_read() -> None:
    """Only a ``Reader`` is asked for objects, and a grant lets a form have its own."""
    reads = {
        f"{path.name}:{name}"
        for path in (ROOT / "handlers").glob("*.py")
        for name, source in functions(path)
        if READS.search(source)
    }
    assert reads == {*READ_FOR_A_FORM, *READ_AND_FILTERED}


def functions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the functions of a module, the innermost ones alone, each with its text."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            source = ast.get_source_segment(text, node) or ""
            for inner in ast.walk(node):
                if inner is not node and isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    source = source.replace(ast.get_source_segment(text, inner) or "", "")
            yield node.name, source


def function_source(path: Path, name: str) -> str:
    """Return the text of a module's function, as a module of its own."""
    return next(dedent(source) for title, source in functions(path) if title == name)

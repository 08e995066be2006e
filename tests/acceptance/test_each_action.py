"""Each action, by words and by a button: one write, one line, a card that is true."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.domain.actions import BY_NAME
from bot.domain.objects import ByKind, Ref
from bot.messages.labels import labels
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.environment import BotEnvironment, on_card
from tests.support.people import ALICE, CAROL, ONCALL, SOC

both_modes = pytest.mark.parametrize(
    ("mode", "database_url"),
    [("http", "sqlite"), ("socket", "sqlite"), ("http", "postgres")],
    indirect=True,
)
NODE = "b5848121-79a5-11f0-9f91-fa163e807002"  # the one that failed in INSTANCE_FAILED
INPUT = '[{"key": "ip", "value": "203.0.113.77"}]'
MORE = ["more"]
ENDPOINTS = ByKind(
    task="UpdateTask", instance="UpdateWorkflowInstance", playbook="ChangePlaybookInstance"
)


@dataclass(frozen=True)
class Case:
    """One action: how it is written and filled in, what SecMaster gets, and what is seen.

    One that is not ``readable`` leaves nothing by which SecMaster could tell that it happened.
    """

    name: str
    object_id: str
    said: str
    body: dict[str, Any]
    words: str = ""
    also: str = ""
    filled: dict[str, str] = field(default_factory=dict)
    user: str = ALICE
    shows: str = ""
    hides: str = ""
    leaves: list[str] | None = None
    readable: bool = True

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        return self.name.partition(".")[0]

    @property
    def command(self) -> str:
        verb = self.name.partition(".")[2]
        return f"/secmaster {self.kind} {verb} {self.object_id} {self.words}".rstrip()

    @property
    def short(self) -> str:
        verb = self.also or self.name.partition(".")[2]
        root = "/secmaster playbook" if self.kind == "playbook" else f"/{self.kind}"
        return f"{root} {verb.upper()} `{self.object_id}` {self.words}".rstrip()

    @property
    def endpoint(self) -> str:
        return ENDPOINTS[BY_NAME[self.name].kind]


COMMENT = "the host is a decoy 🐝, 可以隔离"
APPROVE = Case(
    "task.approve",
    seed.TASK_ISOLATE,
    "*Approved",
    {"action": "CONTINUE"},
    also="continue",
    shows="Approved by",
    leaves=[],
)
TERMINATE = Case(
    "task.terminate",
    seed.TASK_BLOCK_IP,
    "*Terminated",
    {"action": "TERMINATE"},
    also="reject",
    filled={"reason": "a false alarm"},
    shows="Terminated by",
    leaves=[],
)
ADD_COMMENT = Case(
    "task.comment",
    seed.TASK_ISOLATE,
    "*Comment added",
    {"action": "ADD_COMMENT"},
    words=COMMENT,
    filled={"comment": COMMENT},
    shows=COMMENT,
)
ATTACH = Case(
    "task.attach",
    seed.TASK_ISOLATE,
    "*File attached",
    {"action": "ADD_ATTACHMENT", "attachment_id": seed.ATTACHMENT_UNLISTED},
    words=seed.ATTACHMENT_UNLISTED,
    shows=seed.ATTACHMENT_UNLISTED,
)
RETRY = Case(
    "instance.retry",
    seed.INSTANCE_FAILED,
    "*Retry started",
    {"command_type": "ActionInstanceRetryCommand"},
    user=CAROL,
    shows="Retry started by",
)
STOP = Case(
    "instance.terminate",
    seed.INSTANCE_RUNNING,
    "*Termination started",
    {"command_type": "ActionInstanceTerminateCommand"},
    also="stop",
    filled={"reason": "it loops"},
    user=CAROL,
    shows="Termination started by",
)
DEBUG = Case(
    "instance.debug",
    seed.INSTANCE_FAILED,
    "*Debug parameters sent",
    {
        "command_type": "ActionInstanceDebugCommand",
        "task_id": NODE,
        "input_dataobject": INPUT,
    },
    words=f"{NODE} {INPUT}",
    filled={"task_id": NODE, "input_dataobject": INPUT},
    user=CAROL,
    leaves=[*on_card("instance", "FAILED"), "more"],
    readable=False,
)
RETRY_PLAYBOOK = Case(
    "playbook.retry",
    seed.PLAYBOOK_INSTANCE_FAILED,
    "*Retry started",
    {"operation": "RETRY"},
    user=CAROL,
    shows="Retry started by",
    readable=False,  # it has ended at once, and no count says whether by this retry
)
STOP_PLAYBOOK = Case(
    "playbook.terminate",
    seed.PLAYBOOK_INSTANCE_RUNNING,
    "*Termination started",
    {"operation": "TERMINATE"},
    also="stop",
    filled={"reason": "it loops"},
    user=CAROL,
    shows="Termination started by",
)
BY_WORDS = [
    APPROVE,
    TERMINATE,
    ADD_COMMENT,
    Case(
        "task.uncomment",
        seed.TASK_DISABLE_USER,
        "*Comment deleted",
        {"action": "DELETE_COMMENT", "comment_id": seed.COMMENT_FIRST},
        words=seed.COMMENT_FIRST,
        hides="The key was used from 192.0.2.14",
    ),
    ATTACH,
    Case(
        "task.detach",
        seed.TASK_DISABLE_USER,
        "*File detached",
        {"action": "DELETE_ATTACHMENT", "attachment_id": seed.ATTACHMENT_REPORT},
        words=seed.ATTACHMENT_REPORT,
        hides=seed.ATTACHMENT_REPORT,
    ),
    RETRY,
    STOP,
    DEBUG,
    RETRY_PLAYBOOK,
    STOP_PLAYBOOK,
]
BY_BUTTON = [case for case in BY_WORDS if BY_NAME[case.name].button_statuses]
BY_FORM = [case for case in BY_BUTTON if BY_NAME[case.name].opens_form]


def test_every_action_has_its_case() -> None:
    assert [case.name for case in BY_WORDS] == list(BY_NAME)


@both_modes
@pytest.mark.parametrize("case", BY_WORDS, ids=str)
async def test_by_command_it_is_written_once_and_told_in_the_thread_of_a_new_card(
    environment: BotEnvironment, case: Case
) -> None:
    delivered = await environment.slack.command(case.user, SOC, case.command)
    assert (delivered.status, delivered.error) == (200, "")
    await environment.ephemeral(case.user, labels(BY_NAME[case.name]).started)
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    await is_done(environment, case, ts)


@pytest.mark.parametrize("case", BY_WORDS, ids=str)
async def test_a_short_command_answers_under_the_card_that_is_there(
    environment: BotEnvironment, case: Case
) -> None:
    ts = await environment.card(case.kind, case.object_id)
    delivered = await environment.slack.command(case.user, SOC, case.short)
    assert (delivered.status, delivered.error) == (200, "")
    await is_done(environment, case, ts)
    assert [message["ts"] for message in environment.slack.messages(SOC)] == [ts]


@both_modes
@pytest.mark.parametrize("case", [case for case in BY_BUTTON if case not in BY_FORM], ids=str)
async def test_a_button_that_was_confirmed_does_it_at_once(
    environment: BotEnvironment, case: Case
) -> None:
    ts = await environment.card(case.kind, case.object_id)
    button = element(environment.message(ts), case.name)
    assert environment.message(ts)["blocks"][0]["text"]["text"] in button["confirm"]["text"]["text"]
    delivered = await environment.slack.press(case.user, SOC, ts, case.name)
    assert (delivered.status, delivered.error) == (200, "")
    await is_done(environment, case, ts)
    assert environment.slack.views(case.user) == []


@both_modes
@pytest.mark.parametrize("case", BY_FORM, ids=str)
async def test_a_button_that_asks_opens_a_form_and_the_form_does_it(
    environment: BotEnvironment, case: Case
) -> None:
    ts = await environment.card(case.kind, case.object_id)
    if case.name in environment.buttons(ts):
        delivered = await environment.slack.press(case.user, SOC, ts, case.name)
    else:
        delivered = await environment.slack.press(
            case.user, SOC, ts, "more", value=option(environment.message(ts), case.name)
        )
    assert (delivered.status, delivered.error) == (200, "")
    [view] = await environment.slack.until(lambda: environment.slack.views(case.user))
    assert case.object_id in json.dumps(view["blocks"])
    submitted = await environment.slack.submit(case.user, view["id"], {**case.filled})
    assert (submitted.status, submitted.error) == (200, "")
    assert environment.slack.views(case.user) == []
    await is_done(environment, case, ts)


@pytest.mark.parametrize("case", BY_WORDS, ids=str)
async def test_where_its_answer_was_lost_it_is_read_whether_it_happened(
    environment: BotEnvironment, case: Case
) -> None:
    lost = Fault(on=case.endpoint, hang_up=True, applied=True, times=1)
    await environment.secmaster.faults.set(lost)
    await environment.slack.command(case.user, SOC, case.command)
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    [reply] = await environment.replies(ts)
    if case.readable:
        assert f"{case.said} by <@{case.user}>" in reply
        assert "answer was lost; reading it again confirmed the result" in reply
    else:
        assert "It is unknown whether" in reply
    written(environment, case)
    end = "done" if case.readable else "unknown"
    assert outcomes(environment, case.kind, case.object_id) == ["allowed", end]


async def test_a_command_in_another_channel_has_its_own_card_and_both_are_redrawn(
    environment: BotEnvironment,
) -> None:
    soc_card = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.command(ALICE, ONCALL, f"/secmaster task approve {seed.TASK_ISOLATE}")
    oncall_card = await environment.slack.until(lambda: environment.new_card(ONCALL, set()))
    [reply] = await environment.replies(oncall_card, channel=ONCALL)
    assert "*Approved by <@U0ALICE>" in reply
    await environment.slack.until(lambda: not environment.buttons(soc_card))
    await environment.slack.until(lambda: not environment.buttons(oncall_card, channel=ONCALL))
    assert environment.slack.thread(SOC, soc_card)[1:] == []
    assert "Approved by <@U0ALICE>" in json.dumps(environment.message(soc_card))


@pytest.mark.parametrize("way", ["command", "form"])
async def test_a_reason_is_a_comment_that_names_the_person_before_the_decision(
    environment: BotEnvironment, way: str
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    reason = "seen by 3 sensors & <confirmed>"
    if way == "command":
        text = f"/secmaster task terminate {seed.TASK_ISOLATE} {reason}"
        await environment.slack.command(ALICE, SOC, text)
    else:
        await environment.slack.press(ALICE, SOC, ts, "task.terminate")
        [view] = environment.slack.views(ALICE)
        await environment.slack.submit(ALICE, view["id"], {"reason": reason})
    [reply] = await environment.replies(ts)
    escaped = "seen by 3 sensors &amp; &lt;confirmed&gt;"
    assert f"> {escaped}" in reply
    first, second = [one for one in environment.secmaster.requests if one.method == "PUT"]
    assert first.body["action"] == "ADD_COMMENT"
    assert f"\n{reason}\n" in first.body["comment"]
    assert "Alice (Slack U0ALICE)" in first.body["comment"]
    assert second.body["action"] == "TERMINATE"
    await environment.slack.until(lambda: not environment.buttons(ts))
    card = texts(environment.message(ts))
    assert "Terminated by <@U0ALICE>, <!date" in card
    assert f"> {escaped}" in card
    assert outcomes(environment, "task", seed.TASK_ISOLATE) == ["allowed", "done"]
    assert rows(environment, "task", seed.TASK_ISOLATE)[-1]["reason"] == reason


async def test_the_reason_of_a_retry_is_told_in_the_thread_and_on_the_card(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(
        CAROL, SOC, f"/instance retry {seed.INSTANCE_FAILED} quota was raised"
    )
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    [reply] = await environment.replies(ts)
    assert "> quota was raised" in reply
    await environment.slack.until(lambda: "> quota was raised" in texts(environment.message(ts)))
    assert len([one for one in environment.secmaster.requests if one.method == "PUT"]) == 1


async def is_done(environment: BotEnvironment, case: Case, ts: str) -> None:
    """One write, one reply under the card, the card redrawn, and its trace in the audit."""
    [reply] = await environment.replies(ts)
    assert f"{case.said} by <@{case.user}>" in reply
    await environment.slack.until(lambda: redrawn(environment, case, ts))
    written(environment, case)
    assert outcomes(environment, case.kind, case.object_id) == ["allowed", "done"]
    done = rows(environment, case.kind, case.object_id)[-1]
    assert (done["action"], done["actor"]["id"]) == (case.name, case.user)
    assert done["request_id"]
    assert done["request_id"] in reply
    assert len(environment.slack.thread(SOC, ts)) == 2


def written(environment: BotEnvironment, case: Case) -> None:
    writes = environment.secmaster.writes(case.endpoint, case.object_id)
    reason = case.filled.get("reason", "")
    noted = [one for one in writes if reason and reason in one.body.get("comment", "")]
    [write] = [one for one in writes if one not in noted]
    assert case.body.items() <= write.body.items()
    if case.name == "task.comment":
        assert write.body["comment"].startswith(COMMENT)
        assert "Alice (Slack U0ALICE)" in write.body["comment"]
    sent = [one for one in environment.secmaster.requests if one.method in {"PUT", "POST"}]
    assert len(sent) == len(writes)


def redrawn(environment: BotEnvironment, case: Case, ts: str) -> bool:
    message = environment.message(ts)
    card = texts(message)
    return (
        "edited" in message
        and case.shows in card
        and not (case.hides and case.hides in card)
        and (case.leaves is None or environment.buttons(ts) == case.leaves)
        and (case.name != "instance.retry" or "instance.retry" not in environment.buttons(ts))
        and (case is not STOP or "instance.terminate" not in environment.buttons(ts))
    )


def rows(environment: BotEnvironment, noun: str, object_id: str) -> list[dict[str, Any]]:
    return environment.app.services.store.audit.entries(Ref(kind=noun, id=object_id))


def outcomes(environment: BotEnvironment, noun: str, object_id: str) -> list[str]:
    return [row["outcome"] for row in rows(environment, noun, object_id)]


def texts(value: Any) -> str:
    """Every text of a message, as it is shown."""
    strings: list[str] = []
    walk(value, strings.append)
    return "\n".join(strings)


def walk(value: Any, node: Callable[[str], None]) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "text" and isinstance(each, str):
                node(each)
            else:
                walk(each, node)
    elif isinstance(value, list):
        for each in value:
            walk(each, node)


def element(message: dict[str, Any], action_id: str) -> dict[str, Any]:
    elements = [
        each
        for block in message["blocks"]
        if block["type"] == "actions"
        for each in block["elements"]
        if each["action_id"] == action_id
    ]
    first: dict[str, Any] = elements[0]
    return first


def option(message: dict[str, Any], action: str) -> str:
    """The value of an entry in the card's menu."""
    values = [each["value"] for each in element(message, "more")["options"]]
    return next(str(value) for value in values if value.startswith(f"{action}|"))

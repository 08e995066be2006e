"""A row of the table of actions and its words are all that a new action needs.

The modules are imported anew with four more rows. Whatever lists the actions by hand does not
know them, whatever tells one decision from "the other" takes the third for one of the two, and the
tests here fail.
"""

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any, Protocol

import pytest

ROOT = Path(__file__).parents[2]
ACTIONS = "bot.domain.actions"
FRESH = ("bot", "handlers", "tests.support")
TABLE_END = "\nBY_NAME = {"
ROWS = """
TABLE += (
    Action(
        "task.defer",
        TaskAction.TERMINATE,
        _task_ended(TaskStatus.CANCELED),
        aliases=("postpone",),
        allowed_statuses=WAITING,
        claim_group="decision",
        button_statuses=WAITING,
        opens_form=True,
        batchable=True,
    ),
    Action("task.cite", TaskAction.ADD_COMMENT, _comment_present, params=(COMMENT,)),
    Action(
        "instance.rerun",
        CommandType.RETRY,
        _retry_visible,
        allowed_statuses=FAILED,
        claim_group="retry",
        button_statuses=FAILED,
        batchable=True,
    ),
    Action(
        "playbook.replay",
        PlaybookOperation.RETRY,
        _playbook_retry_visible,
        allowed_statuses=PLAYBOOK_FAILED,
        claim_group="retry",
        button_statuses=PLAYBOOK_FAILED,
        batchable=True,
    ),
)
"""
WORDS: dict[str, dict[str, Any]] = {
    "task.defer": {
        "button": "Defer",
        "permission": "Defer tasks",
        "confirm": "Defer this task?",
        "consequence": "The task ends for now.",
        "help": "ends the task for now",
        "started": "Deferring…",
        "done": "Deferred",
        "done_by": "Deferred by {actor}.",
        "done_at": "Deferred by {actor}, {when}.",
        "done_before": "Deferred already by {actor}, {when}.",
        "under_way": "{actor} is deferring this task right now.",
        "not_sent": "The deferral was not sent.",
        "refused": "SecMaster refused the deferral by {actor}.",
        "waiting": "The deferral by {actor} has not been sent yet.",
        "in_doubt": "It is not known yet whether the deferral by {actor} took effect.",
        "unknown": "It is unknown whether the deferral by {actor} took effect.",
        "perhaps": "The deferral by {actor}, {when}, may have done this.",
        "interrupted": "The deferral by {actor} was interrupted.",
        "tally": "Approvals to defer: {count} of {needed}",
        "withdrawn": "{actor} withdrew their approval to defer.",
        "declined": "{actor} declined the request to defer.",
        "expired": "The request to defer expired.",
        "decided": ("{actor} deferred {count} task.", "{actor} deferred {count} tasks."),
        "past": "{actor} deferred {object}.",
        "publish_consequence": "The version is published later.",
        "batch": (
            "{actor} deferred {done} of {count} task.",
            "{actor} deferred {done} of {count} tasks.",
        ),
        "batch_title": ("Defer {count} task", "Defer {count} tasks"),
        "batch_progress": (
            "{actor} is deferring {count} task: {done} done.",
            "{actor} is deferring {count} tasks: {done} done.",
        ),
        "request_ended": "This cancelled the request to defer, which {names} had agreed to.",
        "denied": "{actor} was not allowed to defer {object}.",
        "decline_denied": "{actor} was not allowed to decline the request to defer {object}.",
        "counted": "{actor} agreed to defer {object}; more are needed.",
        "attribution": "Deferral from Slack",
    },
    "task.cite": {
        "button": "Cite",
        "permission": "Cite tasks",
        "confirm": "Cite this task?",
        "consequence": "SecMaster keeps it.",
        "help": "cites what was said",
        "started": "Citing…",
        "done": "Cited",
        "done_by": "Cited by {actor}.",
        "done_at": "Cited by {actor}, {when}.",
        "done_before": "Cited already by {actor}, {when}.",
        "under_way": "{actor} is citing this task right now.",
        "not_sent": "The citation was not sent.",
        "refused": "SecMaster refused the citation by {actor}.",
        "waiting": "The citation by {actor} has not been sent yet.",
        "in_doubt": "It is not known yet whether the citation by {actor} took effect.",
        "unknown": "It is unknown whether the citation by {actor} took effect.",
        "perhaps": "The citation by {actor}, {when}, may have done this.",
        "interrupted": "The citation by {actor} was interrupted.",
        "tally": "Approvals to cite: {count} of {needed}",
        "withdrawn": "{actor} withdrew their approval to cite.",
        "declined": "{actor} declined the request to cite.",
        "expired": "The request to cite expired.",
        "past": "{actor} cited {object}.",
        "request_ended": "This cancelled the request to cite, which {names} had agreed to.",
        "denied": "{actor} was not allowed to cite {object}.",
        "decline_denied": "{actor} was not allowed to decline the request to cite {object}.",
        "counted": "{actor} agreed to cite {object}; more are needed.",
        "shortcut": "Cite this message in the task of its thread",
    },
    "instance.rerun": {
        "button": "Rerun",
        "permission": "Rerun runs",
        "confirm": "Rerun this run?",
        "consequence": "The workflow runs anew.",
        "help": "runs anew",
        "started": "Starting the rerun…",
        "done": "Rerun started",
        "done_by": "Rerun started by {actor}.",
        "done_at": "Rerun started by {actor}, {when}.",
        "done_before": "Rerun started already by {actor}, {when}.",
        "under_way": "{actor} is rerunning this run right now.",
        "not_sent": "The immediate rerun was not sent.",
        "refused": "SecMaster refused the immediate rerun by {actor}.",
        "waiting": "The immediate rerun by {actor} has not been sent yet.",
        "in_doubt": "It is not known yet whether the immediate rerun by {actor} took effect.",
        "unknown": "It is unknown whether the immediate rerun by {actor} took effect.",
        "perhaps": "The immediate rerun by {actor}, {when}, may have done this.",
        "interrupted": "The immediate rerun by {actor} was interrupted.",
        "tally": "Approvals to rerun: {count} of {needed}",
        "withdrawn": "{actor} withdrew their approval to rerun.",
        "declined": "{actor} declined the request to rerun.",
        "expired": "The request to rerun expired.",
        "past": "{actor} reran {object}.",
        "batch": ("{actor} reran {done} of {count} run.", "{actor} reran {done} of {count} runs."),
        "batch_title": ("Rerun {count} run", "Rerun {count} runs"),
        "batch_progress": (
            "{actor} is rerunning {count} run: {done} done.",
            "{actor} is rerunning {count} runs: {done} done.",
        ),
        "request_ended": "This cancelled the request to rerun, which {names} had agreed to.",
        "failed_again": "Failed again after the rerun by {actor}, {when}.",
        "denied": "{actor} was not allowed to rerun {object}.",
        "decline_denied": "{actor} was not allowed to decline the request to rerun {object}.",
        "counted": "{actor} agreed to rerun {object}; more are needed.",
    },
    "playbook.replay": {
        "button": "Replay",
        "permission": "Replay playbook runs",
        "confirm": "Replay this playbook run?",
        "consequence": "The playbook runs anew.",
        "help": "runs a playbook anew",
        "started": "Starting the replay…",
        "done": "Replay started",
        "done_by": "Replay started by {actor}.",
        "done_at": "Replay started by {actor}, {when}.",
        "done_before": "Replay started already by {actor}, {when}.",
        "under_way": "{actor} is replaying this playbook run right now.",
        "not_sent": "The replay was not sent.",
        "refused": "SecMaster refused the replay by {actor}.",
        "waiting": "The replay by {actor} has not been sent yet.",
        "in_doubt": "It is not known yet whether the replay by {actor} took effect.",
        "unknown": "It is unknown whether the replay by {actor} took effect.",
        "perhaps": "The replay by {actor}, {when}, may have done this.",
        "interrupted": "The replay by {actor} was interrupted.",
        "tally": "Approvals to replay: {count} of {needed}",
        "withdrawn": "{actor} withdrew their approval to replay.",
        "declined": "{actor} declined the request to replay.",
        "expired": "The request to replay expired.",
        "past": "{actor} replayed {object}.",
        "batch": (
            "{actor} replayed {done} of {count} playbook run.",
            "{actor} replayed {done} of {count} playbook runs.",
        ),
        "batch_title": ("Replay {count} playbook run", "Replay {count} playbook runs"),
        "batch_progress": (
            "{actor} is replaying {count} playbook run: {done} done.",
            "{actor} is replaying {count} playbook runs: {done} done.",
        ),
        "request_ended": "This cancelled the request to replay, which {names} had agreed to.",
        "failed_again": "Failed again after the replay by {actor}, {when}.",
        "denied": "{actor} was not allowed to replay {object}.",
        "decline_denied": "{actor} was not allowed to decline the request to replay {object}.",
        "counted": "{actor} agreed to replay {object}; more are needed.",
    },
}
OTHER_DECISIONS = re.compile("approv|terminat", re.IGNORECASE)
POLICY = """
[roles.approver]
users = ["U0ALICE"]

[[rules]]
actions = ["task.defer"]
roles = ["approver"]
approvals = 2
reason = "required"
"""


class Code(Protocol):
    """Returns a module of the code that has the new rows."""

    def __call__(self, name: str) -> Any: ...


def is_fresh(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in FRESH)


@pytest.fixture(scope="module")
def code() -> Iterator[Code]:
    """The code, imported anew with the new rows and their words; afterwards all is as before."""
    modules = {name: sys.modules.pop(name) for name in [*sys.modules] if is_fresh(name)}
    try:
        spec = find_spec(ACTIONS)
        assert spec
        assert spec.origin
        actions = module_from_spec(spec)
        sys.modules[ACTIONS] = actions
        source = Path(spec.origin).read_text()
        assert source.count(TABLE_END) == 1
        with_rows = source.replace(TABLE_END, f"{ROWS}{TABLE_END}")
        exec(compile(with_rows, spec.origin, "exec"), vars(actions))
        vars(importlib.import_module("bot.domain"))["actions"] = actions
        labels = importlib.import_module("bot.messages.labels")
        labels.LABELS.update({name: labels.ActionLabels(**words) for name, words in WORDS.items()})
        yield importlib.import_module
    finally:
        for name in [*sys.modules]:
            if is_fresh(name):
                del sys.modules[name]
        sys.modules.update(modules)


def context(code: Code, ref: Any) -> Any:
    samples = code("tests.support.samples")
    return code("bot.messages").RenderContext(ref, samples.NOW, samples.ENGLISH, "soc-east")


def read(code: Code, rendered: Any) -> str:
    return str(code("tests.support.rendered").read(rendered))


# What follows from the row.


def test_its_command_is_understood_and_in_the_help(code: Code) -> None:
    table = code("handlers.command_table")
    request = table.parse("task postpone t-1 not today").request
    assert (request.action.name, request.ref.id, request.reason) == (
        "task.defer",
        "t-1",
        "not today",
    )
    assert table.parse("break-glass task defer t-1 now").request.break_glass
    assert table.parse("task cite t-1 as Bob says").request.params == {"comment": "as Bob says"}
    assert table.parse("instance rerun i-1").request.action.name == "instance.rerun"
    assert table.parse("playbook replay p-1").request.action.name == "playbook.replay"
    parts = ("tasks", "runs", "playbooks")
    lines = {line.usage: line for name in parts for line in table.help_lines(name)}
    assert lines["task defer <id> [reason]"].aliases == ("postpone",)
    assert lines["task cite <id> <text>"].purpose == "cites what was said"
    assert lines["instance rerun <id> [reason]"].purpose == "runs anew"
    assert lines["playbook replay <id> [reason]"].purpose == "runs a playbook anew"


def test_it_has_its_button_on_the_card_and_in_the_group_of_failures(code: Code) -> None:
    samples, rendered = code("tests.support.samples"), code("tests.support.rendered")
    card = code("bot.messages").card
    task_card = card(context(code, samples.TASK), samples.WAITING, None)
    run_card = card(context(code, samples.RUN), samples.FAILED, None)
    playbook_card = card(context(code, samples.PLAYBOOK_RUN), samples.FAILED_PLAYBOOK, None)
    failures = [(samples.RUN, samples.FAILED), (samples.PLAYBOOK_RUN, samples.FAILED_PLAYBOOK)]
    group, playbook_group = (
        code("bot.messages.failure_groups").card(
            context(code, ref),
            [
                code("bot.domain.tracking").TrackedObject(
                    ref=ref, snapshot=snapshot, open_since=samples.NOW
                )
            ],
            (1, 1),
            {},
            {},
        )
        for ref, snapshot in failures
    )
    assert "task.defer" in rendered.button_ids(task_card)
    assert "task.cite" not in rendered.button_ids(task_card)
    assert "instance.rerun" in rendered.button_ids(run_card)
    assert "instance.rerun" in rendered.button_ids(group)
    assert "playbook.replay" in rendered.button_ids(playbook_card)
    assert "playbook.replay" in rendered.button_ids(playbook_group)


def test_home_has_it_with_the_decisions_or_the_retries(code: Code) -> None:
    home = code("handlers.home")
    assert "task.defer" in [action.name for action in home.DECISIONS]
    assert [action.name for action in home.RETRIES] == [
        "instance.retry",
        "playbook.retry",
        "instance.rerun",
        "playbook.replay",
    ]


def test_its_form_asks_for_what_it_needs(code: Code) -> None:
    modals, samples = code("bot.messages.modals"), code("tests.support.samples")
    location = code("bot.domain.slack").SlackLocation(channel="C0SOC")
    state = modals.FormState(action="task.defer", ref=samples.TASK, location=location)
    content = modals.FormContent("Isolate host", "soc-east")
    form = modals.form(samples.ENGLISH, state, content, "required")
    assert form["title"]["text"] == "Defer this task?"
    assert [block["block_id"] for block in form["blocks"] if block["type"] == "input"] == ["reason"]
    citation = state.model_copy(update={"action": "task.cite"})
    content = modals.FormContent("Isolate host", "soc-east", {"comment": "said"})
    form = modals.form(samples.ENGLISH, citation, content, "none")
    assert form["blocks"][-1]["element"]["initial_value"] == "said"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("task", "task.defer"), ("instance", "instance.rerun"), ("playbook", "playbook.replay")],
)
def test_it_can_be_done_to_several_at_once(code: Code, kind: str, name: str) -> None:
    forms, samples = code("bot.messages.batch_forms"), code("tests.support.samples")
    location = code("bot.domain.slack").SlackLocation(channel="C0SOC")
    waiting = [
        {
            "task": samples.WAITING,
            "instance": samples.FAILED,
            "playbook": samples.FAILED_PLAYBOOK,
        }[kind]
    ]
    form = forms.selection_form(
        samples.ENGLISH,
        code("bot.domain.batches").BatchQuery(kind=kind),
        forms.BatchFormState(kind=kind, location=location),
        forms.BatchOptions(waiting, 1, "/secmaster", samples.NOW),
    )
    [choice] = [block for block in form["blocks"] if block.get("block_id") == forms.ACTION]
    assert name in [option["value"] for option in choice["element"]["options"]]


def test_the_policy_takes_its_name_and_decides_about_it(code: Code) -> None:
    config = code("bot.policy.config").parse(POLICY)
    policy, samples = code("bot.policy.decide"), code("tests.support.samples")
    alice = policy.Principal("U0ALICE", frozenset({"approver"}))
    defer = code(ACTIONS).BY_NAME["task.defer"]
    decision = policy.decide(
        config.rules, alice, defer, policy.PolicyContext(frozenset({"main"}), samples.NOW)
    )
    assert isinstance(decision, policy.Allowed)
    assert decision.approvals == 2
    permissions, whoami = code("bot.messages").permissions, code("bot.messages").whoami
    explained = permissions.Explained(samples.TASK, samples.WAITING, (), "U0ALICE")
    forecast = permissions.ActionForecast(
        defer, decision, accepted=True, terms=code("bot.domain.operations").PolicyTerms()
    )
    why = permissions.why(samples.ENGLISH, explained, decision, [forecast], {})
    assert "✅ *Defer*" in read(code, why)
    assert "Needs 2 approvals within 1 hr." in read(code, why)
    text = whoami.whoami(samples.ENGLISH, whoami.Person(alice, "Alice"), config).text
    assert "✅ *Defer tasks*: yes · 2 approvals · with a reason" in text
    assert "▫️ *Cite tasks*: no, no rule allows it to anybody" in text
    with pytest.raises(code("bot.policy.config").ConfigError, match=r"can't share task\.cite"):
        code("bot.policy.config").parse(POLICY.replace('"task.defer"', '"task.cite"'))


def test_slack_is_told_of_it_in_the_manifest(code: Code) -> None:
    features = code("bot.slack.manifest").manifest(code("bot.policy.config").Config())["features"]
    hints = {command["command"]: command["usage_hint"] for command in features["slash_commands"]}
    assert "defer" in hints["/task"].split(" | ")
    assert "rerun" in hints["/instance"]
    assert "task.cite" in [shortcut["callback_id"] for shortcut in features["shortcuts"]]


def test_it_is_decided_once_with_the_others_and_named_in_secmaster(code: Code) -> None:
    actions, samples = code(ACTIONS), code("tests.support.samples")
    rows = [actions.BY_NAME[name] for name in ("task.defer", "task.approve")]
    assert len({row.claim_group for row in rows}) == 1
    operation = samples.operation("task.defer", reason="not today")
    assert actions.needs_attribution(operation)
    title = code("bot.messages.labels").labels(rows[0]).attribution
    comment = code("bot.domain.attribution").attribution_comment(operation, title)
    assert comment.startswith("Deferral from Slack. Reason:\nnot today\n")


# A third kind of decision is told as what it is, and never as one of the other two.


def test_a_third_decision_is_named_by_its_own_word_on_the_card(code: Code) -> None:
    samples = code("tests.support.samples")
    ended = samples.WAITING.model_copy(update={"status": "canceled"})
    standing = samples.standing_operation("task.defer")
    card = code("bot.messages").card(context(code, samples.TASK), ended, standing)
    text = read(code, card)
    assert "Deferred by <@U0ALICE>, <!date" in text
    assert not OTHER_DECISIONS.search(text.replace("playbook approval", ""))


def test_a_third_decision_is_named_by_its_own_word_in_the_thread(code: Code) -> None:
    messages, samples = code("bot.messages"), code("tests.support.samples")
    operations, reasons = code("bot.domain.operations"), code("bot.domain.reasons")
    done = operations.Outcome(state=operations.OperationState.DONE)
    closed = operations.Outcome(
        state=operations.OperationState.FAILED,
        reason_code=reasons.OutcomeReason.NOT_NOW,
        blocking_status="canceled",
    )
    defer, standing = samples.operation("task.defer"), samples.standing_operation("task.defer")
    pending = samples.standing_operation("task.defer", state=operations.OperationState.PENDING)
    by_bob = samples.operation("task.defer", user="U0BOB")
    texts = {
        messages.outcome(samples.ENGLISH, defer, done).text: "*Deferred by <@U0ALICE>.*",
        messages.outcome(
            samples.ENGLISH, by_bob, closed, standing
        ).text: "⛔ Cancelled. Deferred already by <@U0ALICE>",
        messages.lost(samples.ENGLISH, by_bob, standing).text: "Deferred already by <@U0ALICE>",
        messages.lost(
            samples.ENGLISH, by_bob, pending
        ).text: "<@U0ALICE> is deferring this task right now",
        messages.still_trying(
            samples.ENGLISH, defer, done, None, 60
        ).text: "The deferral by <@U0ALICE> has not been sent yet.",
        messages.break_glass_used(
            samples.ENGLISH, defer, done, ("Isolate host", "soc"), ""
        ).text: "Deferred by <@U0ALICE>.",
    }
    for text, sentence in texts.items():
        assert sentence in text
        assert not OTHER_DECISIONS.search(text)


def test_what_is_not_for_a_run_now_is_named_by_its_own_word(code: Code) -> None:
    samples, operations = code("tests.support.samples"), code("bot.domain.operations")
    closed = operations.Outcome(
        state=operations.OperationState.FAILED,
        reason_code=code("bot.domain.reasons").OutcomeReason.NOT_NOW,
        blocking_status="RUNNING",
    )
    rerun = (
        code("bot.messages")
        .outcome(samples.ENGLISH, samples.operation("instance.rerun"), closed)
        .text
    )
    assert "The run is now 🔵 Running. This is possible only while it is 🔴 Failed." in rerun
    assert "The immediate rerun was not sent." in rerun


def test_a_third_decision_is_named_by_its_own_word_in_a_batch(code: Code) -> None:
    results, samples = code("bot.messages.batch_results"), code("tests.support.samples")
    operations, reasons = code("bot.domain.operations"), code("bot.domain.reasons")
    done = operations.Outcome(state=operations.OperationState.DONE)
    lost = operations.Outcome(
        state=operations.OperationState.FAILED, reason_code=reasons.OutcomeReason.LOST
    )
    item = code("bot.domain.batches").BatchItem(
        operation=samples.operation("task.defer"), name="Isolate host"
    )
    holder = samples.standing_operation("task.defer")
    assert results.result(samples.ENGLISH, results.BatchItemResult(item, done)) == "Deferred"
    assert results.result(samples.ENGLISH, results.BatchItemResult(item, lost, holder)) == (
        "Deferred by U0ALICE."
    )


def test_a_third_decision_is_named_by_its_own_word_where_several_people_are_asked(
    code: Code,
) -> None:
    approvals, samples = code("bot.domain.approvals"), code("tests.support.samples")
    alice = code("bot.domain.slack").Actor(id="U0ALICE")
    request = approvals.ApprovalRequest(
        id="abc123",
        action="task.defer",
        approvals=(approvals.Approval(operation_id="abc123", actor=alice, at=samples.NOW),),
        stages=code("bot.domain.stages").one_stage(2),
        expires_at=samples.NOW,
    )
    blocks = code("bot.messages.approvals").request_blocks(
        context(code, samples.TASK), samples.WAITING, request
    )
    text = json.dumps([block.to_dict() for block in blocks])
    assert "*Approvals to defer: 1 of 2*" in text
    assert "Decline request" in text
    assert "task.defer|" in text
    assert not re.search("to approve|terminat", text, re.IGNORECASE)


def test_a_third_decision_is_named_by_its_own_word_in_the_audit_on_home_and_in_the_digest(
    code: Code,
) -> None:
    samples, defer = code("tests.support.samples"), code(ACTIONS).BY_NAME["task.defer"]
    entry = {
        "number": 1,
        "at": samples.NOW.isoformat(),
        "action": "task.defer",
        "outcome": "done",
        "actor": {"id": "U0ALICE"},
        "operation_id": "abc123",
    }
    home = code("bot.messages.home")
    decision = home.HomeDecision(defer, samples.TASK, "Isolate host", samples.NOW)
    view = home.view(
        samples.ENGLISH, home.Home(home.HomeOptions(), [], [], [decision], (), samples.NOW)
    )
    audited = code("bot.store.history").AuditedAction(
        actor=code("bot.domain.slack").Actor(id="U0ALICE", name="Alice"),
        action=defer,
        ref=samples.TASK,
        at=samples.NOW,
    )
    summary = code("bot.domain.shift_digest").ShiftSummary(
        since=samples.NOW,
        until=samples.NOW,
        deciders=code("bot.notifications.digests").count_deciders([audited]),
    )
    audit_history = code("bot.messages.audit_history")
    audited = audit_history.AuditedRecord({**entry, "object_name": "Isolate host"})
    history = audit_history.history(samples.ENGLISH, "Audit", [audited])
    assert "<@U0ALICE> deferred *Isolate host*." in read(code, history)
    assert "Deferred · *Isolate host*" in read(code, view)
    assert (
        "1 task was decided in Slack. Alice deferred 1 task."
        in code("bot.messages.digest").digest(samples.ENGLISH, summary).text
    )
    # Whatever is approved, Home ends with how one is notified of approval requests.
    for rendered in (history, {"blocks": view["blocks"][:-3]}):
        assert not OTHER_DECISIONS.search(read(code, rendered))


# No list by hand.

TABLE_AND_WORDS = {"bot/domain/actions.py", "bot/messages/labels.py"}
# What may name single actions all the same.
STORIES = {
    "bot/cli/demo_story.py",  # the story of the demo, with its policy
    "bot/cli/policy.py",  # an example in the help of an option
    "bot/operations/write.py",  # the comment that names who decided is no action of a person
}
VERBS = {"approve", "terminate", "uncomment", "attach", "detach", "retry", "debug"}
FULL_NAME = re.compile(rf"\b(?:task|instance|playbook)\.(?:{'|'.join([*VERBS, 'comment'])})\b")


def documented(tree: ast.Module) -> set[ast.expr]:
    """Return the docstrings of a module, which are code to nobody."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        statement.value
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        for statement in node.body[:1]
        if isinstance(statement, ast.Expr)
    }


def names_of_actions(source: str) -> set[str]:
    """Return what names a single action: its full name, its verb alone, or SecMaster's command."""
    tree = ast.parse(source)
    docstrings, names = documented(tree), set()
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if node not in docstrings:
                names |= set(FULL_NAME.findall(text)) | ({text.lower().strip()} & VERBS)
            case ast.Attribute(
                value=ast.Name(id="TaskAction" | "CommandType" | "PlaybookOperation" as enum),
                attr=attr,
            ):
                names.add(f"{enum}.{attr}")
            case _:
                pass
    return names


@pytest.mark.parametrize(
    "source",
    [
        'BY_NAME["task.approve"]',
        'if operation.action != "instance.retry": ...',
        'DECISIONS = ["approve", "terminate"]',
        "text = f'{LABELS[\"task.comment\"]}'",
        "approves = action.command == TaskAction.CONTINUE",
    ],
)
def test_a_name_in_the_code_is_noticed(source: str) -> None:
    assert names_of_actions(source)


def test_a_name_in_a_docstring_is_not_code() -> None:
    assert not names_of_actions('def f():\n    """Such as task.approve."""')


SOURCES = [
    str(path.relative_to(ROOT))
    for room in ("bot", "handlers")
    for path in sorted((ROOT / room).rglob("*.py"))
    if not path.is_relative_to(ROOT / "bot/sandbox")  # knows SecMaster's rules, and nothing of ours
    and not path.is_relative_to(ROOT / "bot/secmaster")  # the endpoints, by SecMaster's own names
]


@pytest.mark.parametrize("file", [file for file in SOURCES if file not in TABLE_AND_WORDS])
def test_nothing_but_the_table_and_the_words_names_an_action(file: str) -> None:
    names = names_of_actions((ROOT / file).read_text())
    assert bool(names) == (file in STORIES), names

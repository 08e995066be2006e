"""Whatever SecMaster and people write, every message is one that Slack takes and shows safely."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.delegations import Delegation
from bot.domain.objects import ListQuery, Ref, visible
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import Change
from bot.messages import (
    RenderContext,
    audit_history,
    break_glass_used,
    card,
    changed_object,
    command_help,
    denials,
    explain,
    lapsed,
    listing,
    lists,
    lost,
    modals,
    not_announced,
    operation_results,
    outcome,
    permissions,
    still_trying,
    text_message,
    vanished_card,
)
from bot.messages.changes import LABELS
from bot.messages.errors import CANNOT_POST
from bot.policy.config import parse as parse_config
from bot.policy.decide import Allowed, Principal, Refused
from bot.policy.rules import Role, Rule
from bot.sandbox.slack.blocks import check_blocks, check_view
from bot.secmaster import (
    BusinessType,
    Instance,
    InstanceStatus,
    Node,
    SecMasterError,
    Task,
    TaskComment,
    TaskStatus,
)
from bot.secmaster.errors import (
    AnswerLost,
    Forbidden,
    NotFound,
    Unavailable,
    Unreachable,
    Unreadable,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = Ref(kind="task", id="t-1")
CONSOLE = "https://console.example/x"
LONG_ID = "9" * 64
# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
few = settings(max_examples=60, deadline=None)
# Shrinking a failure of these takes a minute; the examples further down are small already.
unshrunk = (Phase.explicit, Phase.reuse, Phase.generate)
some = settings(max_examples=200, deadline=None, phases=unshrunk)

# What a person may see of markup: all of it is ours, and names only whom we named.
OURS = re.compile(
    r"<!date\^-?\d+\^\{date_short_pretty\} \{time\}\|[^<>|]*>"
    r"|<@U0(?:ALICE|BOB)>"
    r"|<!subteam\^S0SOC>"
    rf"|<{re.escape(CONSOLE)}\|(?:console|its thread)>"
)
ENTITY = re.compile(r"&(?:amp|lt|gt);")


# What Slack takes.


def markup_in(part):
    """Every text of a message or view that Slack reads as markup, and makes no links of."""
    if isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            assert part["verbatim"] is True
            yield part["text"]
        for each in part.values():
            yield from markup_in(each)
    elif isinstance(part, list):
        for each in part:
            yield from markup_in(each)


def assert_safe(text):
    rest = re.sub(r"^> ", "", OURS.sub("", text), flags=re.MULTILINE)
    assert "<" not in rest
    assert ">" not in rest
    assert "&" not in ENTITY.sub("", rest)


def assert_slack_takes(message):
    payload = message.payload
    json.dumps(payload, ensure_ascii=False).encode()
    assert 0 < len(payload["text"].strip()) <= 4000
    check_blocks(payload["blocks"])
    for text in (payload["text"], *markup_in(payload["blocks"])):
        assert_safe(text)


def assert_slack_opens(view, kind="modal"):
    json.dumps(view, ensure_ascii=False).encode()
    check_view(view, kind)
    for text in markup_in(view["blocks"]):
        assert_safe(text)


# What SecMaster and people may write.

NASTY = [
    *("", " ", "\n", "\0", "\0 \0", "\u200b", "a", "`", "```", "*", "_", "&", "<", ">", "…", "—"),
    *("<!channel>", "<!here|x>", "<@U0EVIL>", "<#C0SOC>", "<!subteam^S0EVIL>", "&lt;!channel&gt;"),
    *("<https://evil.example|console>", "<http://evil.example>", "<mailto:a@b.example|x>"),
    *(
        "中文任务",
        "🙂",
        "👩‍👩‍👧",
        "e\u0301",
        "\u202eabc",
        "\ufeff",
        "\ud7ff",
        "\r\n",
        "\u2028",
        "\x0b",
    ),
    *("{}", "[]", '{"a": 1}', '{"a": "<!channel>`"}', '"\\ud800"', "[" * 2000 + "1", "{", "NaN"),
    *("waiting", "FAILED", "9" * 5000),
]
words = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=20),
    st.lists(st.sampled_from(NASTY), max_size=6).map("".join),
    st.builds(
        lambda text, times: text * times,
        st.sampled_from(["x", "中", "🙂", "&", "<", "\n", "a\n", "`", " ", "<!channel> ", "\0"]),
        st.sampled_from([70, 150, 1000, 3000, 10_000]),
    ),
)
moments = st.none() | st.datetimes(
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12)), timezone(timedelta(0))]
    )
)
ids = st.sampled_from(["t-1", "909494e3-558e-46b6-a9eb-07a4e1a1d4ac", LONG_ID])
many = st.sampled_from([0, 1, 3, 4, 20, 100, 300])


def several(each):
    return st.builds(lambda one, times: (one,) * times, each, many) | st.lists(each, max_size=3)


comments = st.builds(TaskComment, id=words, message=words, user_name=words, time=moments)
nodes = st.builds(
    Node,
    action_id=words,
    action_name=words,
    start_time=moments,
    end_time=moments,
    error_msg=words,
    input=words,
    output=words,
    status=st.sampled_from([*InstanceStatus, "", "<!channel>"]),
    succeed=st.sampled_from([None, True, False]),
)
tasks = st.builds(
    Task,
    id=ids | words,
    name=words,
    description=words,
    create_time=moments,
    creator_name=words,
    update_time=moments,
    modifier_name=words,
    approver=words,
    notes=words,
    note=words,
    due_date=moments,
    review_comments=words,
    view_parameters=words,
    handle_parameters=words,
    business_type=st.sampled_from(list(BusinessType)) | words,
    related_object=words,
    attachment_id_list=several(words),
    comments=several(comments),
    status=st.sampled_from(list(TaskStatus)) | words,
    due_handle=st.sampled_from(["CONTINUE", "INTERRUPT", "", "ODD"]),
)
runs = st.builds(
    Instance.model_validate,
    st.fixed_dictionaries(
        {
            "id": ids | words,
            "name": words,
            "workflow": st.fixed_dictionaries({"name": words, "version": words}),
            "playbook": st.fixed_dictionaries({"name": words}),
            "trigger_type": words,
            "status": st.sampled_from(list(InstanceStatus)) | words,
            "start_time": moments,
            "end_time": moments,
            "retry_count": st.integers(-(10**20), 10**20),
            "topology": st.fixed_dictionaries({"audit_logs": several(nodes)}),
        }
    ),
)
workspaces = st.sampled_from(["main", "w" * 64])
actors = st.builds(Actor, id=st.sampled_from(["U0ALICE", "U0BOB"]), name=words, team=st.just("T0"))


@st.composite
def operations(draw, noun=None):
    action = draw(st.sampled_from([row for row in TABLE if noun in (None, row.kind)]))
    return Operation(
        id=draw(st.sampled_from(["0f" * 16, "abc123"])),
        action=action.name,
        ref=Ref(kind=action.kind, id=draw(ids), workspace=draw(workspaces)),
        actor=draw(actors),
        location=SlackLocation(channel="C0SOC"),
        params={param.name: draw(words)[: param.max_length] for param in action.params},
        reason=draw(words)[:1000] if action.takes_reason else "",
        accepted_at=NOW,
    )


states = st.sampled_from(OperationState)


def verdicts(noun=None):
    at = st.datetimes(timezones=st.just(UTC))
    return st.builds(StandingOperation, operation=operations(noun), state=states, at=at)


outcomes = st.builds(
    Outcome,
    state=states,
    reason_code=st.sampled_from(OutcomeReason),
    code=words,
    message=words,
    status=st.none() | st.integers(0, 999),
    request_id=words,
    blocking_status=st.sampled_from([*TaskStatus, *InstanceStatus]) | words,
    decided_by=words,
    decided_at=moments,
)


def frames(noun):
    ref = st.builds(Ref, kind=st.just(noun), id=ids, workspace=workspaces)
    consoles = st.sampled_from(["", CONSOLE])
    return st.builds(
        RenderContext, ref=ref, now=st.just(NOW), workspace=words, console_url=consoles
    )


# Cards.


@some
@given(frames("task"), tasks, st.none() | verdicts("task"))
def test_any_task_makes_a_card_that_slack_takes(frame, task, verdict):
    assert_slack_takes(card(frame, task, verdict))


@some
@given(frames("instance"), runs, st.none() | verdicts("instance"))
def test_any_instance_makes_a_card_that_slack_takes(frame, run, verdict):
    assert_slack_takes(card(frame, run, verdict))


@some
@given(frames("task") | frames("instance"), words)
def test_the_card_of_something_that_is_gone_is_one_that_slack_takes(frame, title):
    message = vanished_card(frame, title)
    assert_slack_takes(message)
    assert not [block for block in message.payload["blocks"] if block["type"] == "actions"]


FIELDS = ("name", "description", "view_parameters", "handle_parameters", "notes", "related_object")
ODD = [
    " ",
    "\n\n",
    "\0",
    "\0 \0",
    "\u200b",
    "[" * 100_000 + "1",
    '{"half of a pair": "\\ud800"}',
    '[{"name": "<!channel>`", "value": {"a": "<!channel>`"}}]',
    '[{"value": null}, {"name": 3, "value": [1]}]',
    '[{"name": "x", "value": "\\ud800"}]',
    '[{"name": "\\u0000", "value": " "}]',
    "[1, " * 900 + "1" + "]" * 900,
    "[1, " * 3000 + "1" + "]" * 3000,
    "9" * 5000,
    "&" * 10_000,
    "\n" * 10_000,
    "<!channel>" * 1000,
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd[:12]))
@pytest.mark.parametrize("field", FIELDS)
def test_one_odd_field_does_not_hide_a_task_from_those_who_decide(field, odd):
    frame = RenderContext(TASK, NOW)
    task = Task(**{"id": "t-1", "name": "n", "status": "waiting"} | {field: odd})
    assert_slack_takes(card(frame, task, None))
    assert_slack_opens(modals.details(frame, task))


@pytest.mark.parametrize("zone", [14, 8, 0, -12])
def test_a_time_that_was_never_set_does_not_hide_a_task(zone):
    frame = RenderContext(TASK, NOW)
    never = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=zone)))
    assert_slack_takes(card(frame, Task(name="n", create_time=never, due_date=never), None))


# Lists.


def wanted(noun):
    return st.builds(
        ListQuery,
        kind=st.just(noun),
        filter=st.sampled_from(["", "todo", "handled", "failed"]),
        text=words,
        offset=st.sampled_from([0, 8, 9999]),
    )


totals = st.sampled_from([0, 1, 8, 9, 10**9])


@few
@given(st.lists(tasks, max_size=8), totals, wanted("task"))
def test_any_page_of_tasks_is_one_that_slack_takes(page, total, asked):
    assert_slack_takes(listing(asked, page, total, "main", NOW))


@few
@given(st.lists(runs, max_size=8), totals, wanted("instance"))
def test_any_page_of_instances_is_one_that_slack_takes(page, total, asked):
    assert_slack_takes(listing(asked, page, total, "main", NOW))


def test_a_page_that_secmaster_made_too_long_is_one_that_slack_takes():
    page = [Task(id=f"t-{number}", name="n") for number in range(100)]
    assert_slack_takes(listing(ListQuery(kind="task"), page, 100, "main", NOW))


@settings(max_examples=150, deadline=None)
@given(words | st.lists(st.sampled_from(["1", "task", "|", "9" * 1000, "²", "-1"])).map("|".join))
def test_any_value_of_a_paging_button_is_read_or_refused(value):
    turned = lists.parse_page_button(value[:2000])
    assert turned is None or 0 <= turned.offset <= 9999


# What people are told.


@some
@given(operations(), outcomes, st.none() | verdicts())
def test_however_an_operation_ends_slack_takes_the_news(operation, ended, standing):
    assert_slack_takes(outcome(operation, ended, standing))


@few
@given(operations(), outcomes, st.floats(0, 10**6))
def test_any_trouble_can_be_told(operation, ended, patience):
    assert_slack_takes(still_trying(operation, ended, patience))


@few
@given(operations(), verdicts())
def test_whoever_came_second_can_be_told(operation, holder):
    assert_slack_takes(lost(operation, holder))


@pytest.mark.parametrize(
    "comment",
    ["a\n" * 1500, "&\n" * 1500, "a" + "\n" * 990 + "b" * 2000, "a" + "\u2028" * 990 + "&" * 2000],
    ids=["short lines", "entities", "empty lines", "other ends"],
)
def test_a_comment_of_many_lines_loses_neither_its_mark_nor_the_reference_below(comment):
    operation = Operation(
        id="abc123ffff",
        action="task.comment",
        ref=TASK,
        actor=Actor(id="U0ALICE"),
        location=SlackLocation(),
        params={"comment": comment},
        accepted_at=NOW,
    )
    message = outcome(operation, Outcome(state=OperationState.DONE, request_id="r-1"))
    assert_slack_takes(message)
    shown = "".join(markup_in(message.payload["blocks"]))
    assert "ref abc123 · request `r-1`" in shown


ERRORS = (
    SecMasterError,
    NotFound,
    Forbidden,
    Unreachable,
    AnswerLost,
    Unavailable,
    Unreadable,
)


@few
@given(st.sampled_from(ERRORS), words, words, words)
def test_any_error_of_a_read_can_be_told(kind, message, code, request_id):
    told = explain(kind(message, code=code, request_id=request_id))
    assert_slack_takes(text_message(told))
    assert_slack_opens(modals.failed("Details", told))


# What the bot says of itself.

roots = st.sampled_from(["/secmaster", "@bot", "/" + "a" * 31])


@given(roots, st.sampled_from(["", "/t", "/" + "a" * 31]))
def test_help_is_one_that_slack_takes(root, short):
    assert_slack_takes(command_help.help_message(root, {"task": short, "instance": short}))


@few
@given(words, words, roots)
def test_whatever_was_not_understood_can_be_told(problem, usage, root):
    assert_slack_takes(command_help.not_understood(problem, usage, usage, root))


role_names = st.sampled_from(["approver", "<!channel>", "x" * 100, "中", "&", " "])
members = st.builds(
    Principal,
    st.sampled_from(["U0ALICE", "U0BOB"]),
    st.frozensets(role_names),
    guest=st.booleans(),
    outsider=st.booleans(),
)
rules = st.builds(
    Rule,
    actions=st.lists(st.sampled_from(["*", "task.*", *BY_NAME]), min_size=1, max_size=3),
    roles=st.lists(role_names, min_size=1, max_size=3),
    when=st.sampled_from([{}, {"name": "x"}]),
    reason=st.sampled_from(["required", "optional", "none"]),
)


@few
@given(members, words, st.lists(rules, max_size=5) | st.builds(lambda rule: [rule] * 200, rules))
def test_anybody_can_be_told_who_they_are(member, name, held):
    config = parse_config("").model_copy(update={"rules": tuple(held)})
    assert_slack_takes(command_help.whoami(member, name, config))


def refusals():
    why = st.sampled_from(["guest", "outsider", "unknown", "gone", "unread", "no-rule", "rule"])
    return st.builds(
        Refused, why, st.sampled_from(["", "rule 12"]), st.lists(role_names, max_size=4).map(tuple)
    )


some_roles = st.dictionaries(
    role_names,
    st.builds(
        Role,
        users=st.lists(st.sampled_from(["U0ALICE", "U0BOB"]), max_size=300),
        usergroups=st.lists(st.just("S0SOC"), max_size=3),
    ),
)


@few
@given(st.sampled_from(TABLE), refusals(), some_roles)
def test_any_refusal_can_be_told(action, refused, roles):
    assert_slack_takes(denials.not_allowed(action, TASK, refused, roles))


def test_a_refusal_names_many_groups_without_breaking_a_mention():
    roles = {"everybody": Role(usergroups=("S0SOC",) * 300)}
    refused = Refused("rule", "rule 1", ("everybody",))
    assert_slack_takes(denials.not_allowed(BY_NAME["task.approve"], TASK, refused, roles))


@pytest.mark.parametrize("action", TABLE, ids=list(BY_NAME))
def test_what_is_said_of_an_action_is_one_that_slack_takes(action):
    assert_slack_takes(denials.needs_reason(action, "/secmaster"))
    assert_slack_takes(operation_results.recorded(action))


@few
@given(st.sampled_from([*CANNOT_POST, "odd"]), words)
def test_the_rest_can_be_told_too(code, reference):
    assert_slack_takes(denials.cannot_post(code))
    assert_slack_takes(denials.own_fault(reference))
    assert_slack_takes(denials.newer_button())


# Modals.


@st.composite
def forms(draw):
    action: Action = draw(st.sampled_from(TABLE))
    place = SlackLocation(
        channel="C0SOC",
        card="1700000000.000100",
        thread=draw(st.sampled_from(["", "1700000000.000100"])),
        response_url=draw(st.sampled_from(["", f"https://hooks.slack.example/{'x' * 300}"])),
    )
    ref = Ref(kind=action.kind, id=draw(ids), workspace=draw(workspaces))
    return modals.FormState(action=action.name, ref=ref, location=place)


@few
@given(forms(), st.tuples(words, words), st.sampled_from(["required", "optional", "none"]), words)
def test_any_form_is_one_that_slack_opens(kept, shown, reason, node):
    filled = {param.name: node for param in modals.action_of(kept).params}
    view = modals.form(kept, shown, reason, filled)
    assert_slack_opens(view)
    typed = {"state": {"values": {}}, "private_metadata": view["private_metadata"]}
    assert modals.read_form(typed) == (kept, {})


@few
@given(words)
def test_a_modal_that_waits_or_failed_is_one_that_slack_opens(reference):
    assert_slack_opens(modals.loading("Details"))
    assert_slack_opens(modals.failed("Details", denials.own_fault(reference).text))


@some
@given(st.lists(tasks, max_size=9), st.lists(runs, max_size=9), st.integers(0, 10**6))
def test_whatever_waits_is_shown_in_a_home_and_a_modal_that_slack_takes(open_tasks, failed, total):
    found = modals.WaitingObjects(open_tasks, total, failed, total, "main", "/secmaster", NOW)
    assert_slack_opens(modals.waiting(found))
    assert_slack_opens(modals.home(found), "home")


@few
@given(words)
def test_a_home_says_what_went_wrong(reference):
    assert_slack_opens(modals.failed_home(denials.own_fault(reference).text), "home")


@some
@given(frames("task"), tasks)
def test_the_details_of_any_task_are_ones_that_slack_opens(frame, task):
    assert_slack_opens(modals.details(frame, task))


@some
@given(frames("instance"), runs)
def test_the_details_of_any_instance_are_ones_that_slack_opens(frame, run):
    assert_slack_opens(modals.details(frame, run))


@pytest.mark.parametrize("letter", ["x", "中", "🙂", "&"])
def test_the_details_of_a_long_talk_are_ones_that_slack_opens(letter):
    frame = RenderContext(TASK, NOW)
    talk = [{"id": f"c-{number}", "message": letter * 3000} for number in range(100)]
    assert_slack_opens(modals.details(frame, Task(name="n", comments=talk)))


def test_the_details_of_a_long_talk_end_with_what_was_said_last_and_say_what_is_left_out():
    frame = RenderContext(TASK, NOW)
    talk = [{"id": f"c-{number}", "message": f"word {number}."} for number in range(200)]
    task = Task(name="n", comments=talk, attachment_id_list=["a-1"])
    shown = "\n".join(markup_in(modals.details(frame, task)["blocks"]))
    assert "word 199." in shown
    assert "a-1" in shown
    assert re.search(r"\b\d+ (?:earlier|more)", shown)


# Several people, what has changed, rights, and what the audit tells.


def hours(number):
    return NOW + timedelta(hours=number)


votes = st.builds(
    Approval,
    operation_id=st.just("x"),
    actor=actors,
    at=st.just(NOW),
    reason=words.map(lambda text: text[:1000]),
    delegator=st.sampled_from(["", "U0BOB"]),
)


def ballots(noun):
    names = [row.name for row in TABLE if row.kind == noun and row.claim_group]
    return st.builds(
        ApprovalRequest,
        id=st.just("x"),
        action=st.sampled_from(names),
        approvals=st.lists(votes, max_size=9).map(tuple),
        needed=st.integers(2, 9),
        expires_at=st.integers(-9, 999).map(hours),
        break_glass_allowed=st.booleans(),
    )


changes = st.builds(
    Change,
    label=st.sampled_from([*LABELS, "comment", "odd"]),
    before=words,
    after=words,
).filter(lambda each: each.label != "due_date") | st.builds(
    Change,
    label=st.just("due_date"),
    before=st.sampled_from(["", "2026-03-01T12:00:00+00:00"]),
    after=st.sampled_from(["", "2031-03-01T12:00:00+14:00", "0001-01-01T00:00:00+14:00"]),
)
told_changes = st.lists(changes, max_size=20).map(tuple)
terms = st.builds(
    PolicyTerms,
    break_glass_channel=st.sampled_from(["", "C0SOC"]),
    delegator=st.sampled_from(["", "U0BOB"]),
    comment=st.sampled_from(["always", "reason", "never"]),
    identity=words,
)


@st.composite
def grave(draw, noun):
    """An operation that several people back, or somebody alone by breaking the glass."""
    row = draw(st.sampled_from([row for row in TABLE if row.kind == noun and row.claim_group]))
    return draw(operations(noun)).model_copy(
        update={
            "action": row.name,
            "params": {},
            "reason": draw(words)[:1000],
            "terms": draw(terms),
            "say": draw(st.sampled_from(ApprovalIntent)),
            "rule": draw(st.sampled_from(["", "rule 12 (grave one)"])),
            "co_approvers": tuple(draw(st.lists(votes, max_size=8))),
        }
    )


@some
@given(frames("task"), tasks, st.none() | verdicts("task"), ballots("task"))
def test_a_task_that_waits_for_several_makes_a_card_that_slack_takes(frame, task, verdict, ballot):
    waiting_task = task.model_copy(update={"status": TaskStatus.WAITING})
    message = card(frame, waiting_task, verdict, (ballot,))
    assert_slack_takes(message)
    assert '"withdraw"' in json.dumps(message.payload)


@some
@given(frames("instance"), runs, ballots("instance"))
def test_a_run_that_waits_for_several_makes_a_card_that_slack_takes(frame, run, ballot):
    failed = run.model_copy(update={"status": InstanceStatus.FAILED})
    assert_slack_takes(card(frame, failed, None, (ballot, ballot)))


@some
@given(grave("task"), told_changes, frames("task"), tasks)
def test_any_difference_can_be_told_with_a_button_to_decide_on_it(operation, told, frame, task):
    ended = Outcome(state=OperationState.FAILED, reason_code="changed", changes=told)
    message = changed_object(operation, ended, frame, task)
    assert_slack_takes(message)
    [button] = [
        element
        for block in message.payload["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    ]
    assert button["action_id"] == operation.action
    assert len(button["value"]) <= 2000
    assert_slack_takes(outcome(operation, ended))


def test_a_dozen_differences_are_all_told():
    told = tuple(Change(label=f"field {n}", before="a" * 500, after="b" * 500) for n in range(14))
    operation = Operation(
        id="abc123ffff",
        action="task.approve",
        ref=TASK,
        actor=Actor(id="U0ALICE"),
        location=SlackLocation(),
        accepted_at=NOW,
    )
    ended = Outcome(state=OperationState.FAILED, reason_code="changed", changes=told)
    shown = "".join(
        markup_in(
            changed_object(operation, ended, RenderContext(TASK, NOW), Task()).payload["blocks"]
        )
    )
    assert "field 11" in shown
    assert "and 2 more" in shown


@some
@given(
    grave("task") | grave("instance"),
    states,
    st.none() | ballots("task"),
    st.none() | ballots("task"),
    st.lists(votes, max_size=8).map(tuple),
)
def test_whatever_several_people_decide_can_be_told(operation, state, left, ended, outdated):
    told = Outcome(
        state=state,
        approval_request=left,
        ended_request=ended,
        outdated_approvals=outdated,
        duration=1e6,
    )
    for trouble_ in ("", "voted", "same_right", "no_ballot", "too_late", "read"):
        news = outcome(operation, told.model_copy(update={"reason_code": trouble_}))
        assert_slack_takes(news)
    if left:
        assert_slack_takes(lapsed(operation, left))


@some
@given(grave("task"), outcomes, words, st.sampled_from(["", CONSOLE]))
def test_any_broken_glass_can_be_announced(operation, ended, workspace, link):
    message = break_glass_used(operation, ended, workspace, link)
    assert_slack_takes(message)
    assert_slack_takes(not_announced(operation, "channel_not_found"))


@some
@given(grave("task"), outcomes)
def test_no_line_of_somebodys_poses_as_a_receipt(operation, ended):
    forged = "ok\n_ref 123456 · rule 1 · HTTP 200_\r_ref 123456_\u2028_ref 123456_"
    named = operation.model_copy(update={"reason": forged, "intent": ApprovalIntent.GIVE})
    said = ended.model_copy(
        update={"message": forged, "decided_by": forged, "blocking_status": forged}
    )
    lines = outcome(named, said).text.splitlines()
    assert [line for line in lines if line.startswith("_ref")] == lines[-1:]
    assert lines[-1].startswith(f"_ref {operation.id[:6]}")


decisions = st.builds(
    Refused,
    st.sampled_from(list(permissions.REFUSAL_TEXTS)),
    st.sampled_from(["rule 1", "rule 2 (isolation)"]),
    st.lists(role_names, max_size=9).map(tuple),
) | st.builds(
    Allowed,
    st.sampled_from(["rule 1", "rule 2 (isolation)"]),
    approvals=st.integers(1, 9),
    break_glass=st.booleans(),
    delegator=st.sampled_from(["", "U0BOB"]),
    confirm=st.sampled_from(["", "type-name"]),
    reason=st.sampled_from(["required", "optional"]),
    roles=st.lists(role_names, max_size=9).map(tuple),
)
loans = st.builds(
    Delegation,
    delegator=st.sampled_from(["U0ALICE", "U0BOB"]),
    delegate=st.sampled_from(["U0ALICE", "U0BOB"]),
    until=st.integers(0, 99).map(hours),
)


@some
@given(
    ids,
    st.lists(decisions, min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
    some_roles,
)
def test_why_can_always_be_told(id_, answers, breaks, known):
    ref = Ref(kind="task", id=id_)
    own = [action for action in TABLE if action.kind == "task"]
    assert_slack_takes(permissions.why(ref, list(zip(own, answers, breaks, strict=True)), known))


def test_why_is_told_to_its_end_in_a_workspace_of_many_roles():
    known = {f"role {n}": Role(users=("U0ALICE",) * 9, usergroups=("S0SOC",) * 9) for n in range(9)}
    own = [action for action in TABLE if action.kind == "task"]
    answers = [(action, Refused("rule", "rule 1", tuple(known)), True) for action in own]
    message = permissions.why(TASK, answers, known)
    assert_slack_takes(message)
    assert own[-1].name in json.dumps(message.payload["blocks"])


@few
@given(loans, st.lists(loans, max_size=60), st.lists(role_names, max_size=60), some_roles)
def test_what_is_lent_can_be_told(loan, many_loans, names, known):
    assert_slack_takes(permissions.delegation_created(loan, names))
    assert_slack_takes(permissions.delegation_received(loan))
    assert_slack_takes(permissions.delegations(many_loans, many_loans))
    assert_slack_takes(permissions.no_right("delegate", names, known))
    for told in (
        permissions.delegation_revoked,
        permissions.delegation_withdrawn,
        permissions.no_delegation,
    ):
        assert_slack_takes(told("U0BOB"))
    assert_slack_takes(permissions.cannot_delegate_to("U0BOB"))
    assert_slack_takes(permissions.delegation_too_long(timedelta(days=30)))


@few
@given(words, ids)
def test_a_policy_that_cannot_be_used_and_an_empty_story_can_be_told(problems, id_):
    assert_slack_takes(permissions.not_reloaded(problems))
    assert_slack_takes(permissions.no_history(id_))
    assert_slack_takes(permissions.reloaded(parse_config(""), parse_config("")))


entries = st.fixed_dictionaries(
    {
        "number": st.integers(1, 10**9),
        "at": st.just("2026-03-01T12:00:00.000000+00:00"),
        "operation_id": st.sampled_from(["0f" * 16, "refused-1772366400.000000-U0ALICE"]),
        "outcome": st.sampled_from([*audit_history.OUTCOMES, "<!channel>"]),
    },
    optional={
        "action": st.sampled_from([*BY_NAME, "reload", "<!channel>`"]),
        "actor": st.none() | st.fixed_dictionaries({"id": st.just("U0ALICE"), "name": words}),
        "rule": words,
        "detail": words,
        "decision_fingerprint": st.just("0" * 32),
        "before": words,
        "after": words,
        "status": st.integers(0, 999),
        "request_id": words,
        "reason": words,
        "terms": st.fixed_dictionaries(
            {
                "delegator": st.sampled_from(["", "U0BOB"]),
                "identity": words,
                "break_glass_channel": st.just("C0SOC"),
            }
        ),
    },
).filter(lambda entry: (entry.get("actor") or {}).get("id"))


@some
@given(ids, several(entries))
def test_any_story_can_be_told(id_, told):
    assert_slack_takes(audit_history.history(Ref(kind="task", id=id_), told))


@few
@given(forms(), words, st.sampled_from(["required", "optional", "none"]))
def test_a_form_that_asks_for_the_name_is_one_that_slack_opens(kept, name, reason):
    asking = kept.model_copy(
        update={
            "name_hash": modals.hash_name(name) or "0" * 32,
            "break_glass": True,
            "decision_fingerprint": "0" * 32,
        }
    )
    view = modals.form(asking, (name, "main"), reason, {})
    assert_slack_opens(view)
    assert [block["block_id"] for block in view["blocks"] if block.get("block_id") == "name"]


@few
@given(words, words)
def test_only_the_same_letters_are_the_same_name(one, other):
    same = modals.hash_name(one) == modals.hash_name(other)
    plain = [" ".join(visible(each).casefold().split())[:140] for each in (one, other)]
    assert same == (plain[0] == plain[1])

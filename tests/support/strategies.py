"""Hypothesis strategies for whatever SecMaster and people may write."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import Phase
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.approvals import Approval, ApprovalIntent, ApprovalRequest
from bot.domain.delegations import Delegation
from bot.domain.objects import ListQuery, ObjectKind, Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms, StandingOperation
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import Change
from bot.domain.stages import Stage, one_stage
from bot.messages import RenderContext, audit_history
from bot.messages.blocks import Tally, Viewer
from bot.messages.fields import INSTANCE_WORDS, TASK_WORDS
from bot.messages.modals import FormState
from bot.policy.decide import Allowed, Principal, Refused
from bot.policy.rules import Role, Rule
from bot.secmaster import (
    BusinessType,
    Instance,
    InstanceStatus,
    Node,
    Task,
    TaskComment,
    TaskStatus,
)
from tests.support.examples import examples
from tests.support.samples import ENGLISH, NOW
from tests.support.slack_limits import CONSOLE

FEW = examples(60)
# Shrinking a failure of these takes a minute; their examples are small already.
SOME = examples(200, phases=(Phase.explicit, Phase.reuse, Phase.generate))

LONG_ID = "9" * 64
NASTY_TEXTS = [
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
    st.sampled_from(NASTY_TEXTS),
    st.text(max_size=20),
    st.lists(st.sampled_from(NASTY_TEXTS), max_size=6).map("".join),
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
workspaces = st.sampled_from(["main", "w" * 64])


def several(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return none, some or very many of these."""
    lengths = st.sampled_from([0, 1, 3, 4, 20, 100, 300])
    return st.builds(lambda item, length: (item,) * length, items, lengths) | st.lists(
        items, max_size=3
    )


def hours(number: int) -> datetime:
    """Return the moment so many hours from now."""
    return NOW + timedelta(hours=number)


# Tasks and instances.

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


def render_contexts(kind: ObjectKind) -> st.SearchStrategy[RenderContext]:
    """Return contexts of objects of this kind, for everybody or for one reader."""
    names = st.frozensets(st.sampled_from([row.name for row in TABLE if row.kind == kind]))
    tallies = st.builds(
        lambda given, stages: Tally(given, stages, 0, 1, ("S0SOC", "U0BOB")),
        st.integers(0, 9),
        stages,
    )
    return st.builds(
        RenderContext,
        ref=st.builds(Ref, kind=st.just(kind), id=ids, workspace=workspaces),
        now=st.just(NOW),
        catalogue=st.just(ENGLISH),
        workspace=words,
        console_url=st.sampled_from(["", CONSOLE]),
        viewer=st.none() | st.builds(Viewer, names, names),
        tallies=st.dictionaries(st.sampled_from([row.name for row in TABLE]), tallies),
        names=st.dictionaries(words, words, max_size=9),
    )


def list_queries(kind: ObjectKind) -> st.SearchStrategy[ListQuery]:
    """Return queries for a page of objects of this kind."""
    return st.builds(
        ListQuery,
        kind=st.just(kind),
        filter=st.sampled_from(["", "todo", "handled", "failed"]),
        text=words,
        offset=st.sampled_from([0, 8, 9999]),
    )


# Operations and their outcomes.

actors = st.builds(Actor, id=st.sampled_from(["U0ALICE", "U0BOB"]), name=words, team=st.just("T0"))
states = st.sampled_from(OperationState)
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


@st.composite
def operations(draw: st.DrawFn, kind: ObjectKind | None = None) -> Operation:
    """Draw an operation on an object of this kind, or of any."""
    action = draw(st.sampled_from([row for row in TABLE if kind in (None, row.kind)]))
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


def standing_operations(
    kind: ObjectKind | None = None,
) -> st.SearchStrategy[StandingOperation]:
    """Return what may have been done to an object of this kind, or of any."""
    at = st.datetimes(timezones=st.just(UTC))
    return st.builds(StandingOperation, operation=operations(kind), state=states, at=at)


changes = st.builds(
    Change,
    label=st.sampled_from([*TASK_WORDS, *INSTANCE_WORDS, "comment", "odd"]),
    before=words,
    after=words,
).filter(lambda change: change.label != "due_date") | st.builds(
    Change,
    label=st.just("due_date"),
    before=st.sampled_from(["", "2026-03-01T12:00:00+00:00"]),
    after=st.sampled_from(["", "2031-03-01T12:00:00+14:00", "0001-01-01T00:00:00+14:00"]),
)
change_lists = st.lists(changes, max_size=20).map(tuple)


# Approvals.

role_names = st.sampled_from(["approver", "<!channel>", "x" * 100, "中", "&", " "])
stages = st.builds(one_stage, st.integers(1, 9), st.lists(role_names, max_size=9)) | st.lists(
    st.builds(lambda role: Stage(roles=(role,)), role_names), min_size=2, max_size=9, unique=True
).map(tuple)
approvals = st.builds(
    Approval,
    operation_id=st.just("x"),
    actor=actors,
    at=st.just(NOW),
    reason=words.map(lambda text: text[:1000]),
    stage=st.integers(0, 3),
    delegator=st.sampled_from(["", "U0BOB"]),
)


def approval_requests(kind: ObjectKind) -> st.SearchStrategy[ApprovalRequest]:
    """Return approval requests about objects of this kind."""
    names = [row.name for row in TABLE if row.kind == kind and row.claim_group]
    return st.builds(
        ApprovalRequest,
        id=st.just("x"),
        action=st.sampled_from(names),
        approvals=st.lists(approvals, max_size=9).map(tuple),
        stages=stages,
        expires_at=st.integers(-9, 999).map(hours),
        break_glass_allowed=st.booleans(),
    )


terms = st.builds(
    PolicyTerms,
    break_glass_channel=st.sampled_from(["", "C0SOC"]),
    delegator=st.sampled_from(["", "U0BOB"]),
    comment=st.sampled_from(["always", "reason", "never"]),
    identity=words,
)


@st.composite
def grave_operations(draw: st.DrawFn, kind: ObjectKind) -> Operation:
    """Draw an operation that several people approve, or somebody alone by breaking the glass."""
    row = draw(st.sampled_from([row for row in TABLE if row.kind == kind and row.claim_group]))
    return draw(operations(kind)).model_copy(
        update={
            "action": row.name,
            "params": {},
            "reason": draw(words)[:1000],
            "terms": draw(terms),
            "intent": draw(st.sampled_from(ApprovalIntent)),
            "rule": draw(st.sampled_from(["", "rule 12 (grave one)"])),
            "co_approvers": tuple(draw(st.lists(approvals, max_size=8))),
        }
    )


# The policy and the audit log.

roles = st.dictionaries(
    role_names,
    st.builds(
        Role,
        users=st.lists(st.sampled_from(["U0ALICE", "U0BOB"]), max_size=300),
        usergroups=st.lists(st.just("S0SOC"), max_size=3),
    ),
)
principals = st.builds(
    Principal,
    st.sampled_from(["U0ALICE", "U0BOB"]),
    st.frozensets(role_names),
    guest=st.booleans(),
    outsider=st.booleans(),
)
rules = st.builds(
    Rule,
    effect=st.just("deny"),
    actions=st.lists(st.sampled_from(["*", "task.*", *BY_NAME]), min_size=1, max_size=3),
    when=st.sampled_from([{}, {"name": "x"}]),
) | st.builds(
    Rule,
    actions=st.lists(st.sampled_from(["*", "task.*", *BY_NAME]), min_size=1, max_size=3),
    roles=st.lists(role_names, min_size=1, max_size=3),
    when=st.sampled_from([{}, {"name": "x"}]),
    reason=st.sampled_from(["required", "optional", "none"]),
)
refusals = st.builds(
    Refused,
    st.sampled_from(RefusalReason),
    st.sampled_from(["", "rule 1", "rule 12 (isolation)"]),
    st.lists(role_names, max_size=9).map(tuple),
    st.sampled_from(["", "а", "аеіοѕ" * 9]),
)
decisions = refusals | st.builds(
    Allowed,
    st.sampled_from(["rule 1", "rule 2 (isolation)"]),
    stages=stages,
    break_glass=st.booleans(),
    delegator=st.sampled_from(["", "U0BOB"]),
    confirm=st.sampled_from(["", "type-name"]),
    reason=st.sampled_from(["required", "optional"]),
    roles=st.lists(role_names, max_size=9).map(tuple),
)
delegations = st.builds(
    Delegation,
    delegator=st.sampled_from(["U0ALICE", "U0BOB"]),
    delegate=st.sampled_from(["U0ALICE", "U0BOB"]),
    until=st.integers(0, 99).map(hours),
)


def has_actor(entry: dict[str, Any]) -> bool:
    """Whether an audit entry names its actor."""
    return bool((entry.get("actor") or {}).get("id"))


audit_entries: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "number": st.integers(1, 10**9),
        "at": st.just("2026-03-01T12:00:00.000000+00:00"),
        "operation_id": st.sampled_from(["0f" * 16, "refused-1772366400.000000-U0ALICE"]),
        "outcome": st.sampled_from([*audit_history.SIGNS, "<!channel>"]),
    },
    optional={
        "action": st.sampled_from([*BY_NAME, "reload", "<!channel>`"]),
        "actor": st.none() | st.fixed_dictionaries({"id": st.just("U0ALICE"), "name": words}),
        "rule": words,
        "detail": words,
        "decision_fingerprint": st.just("0" * 32),
        "status_before": words,
        "status_after": words,
        "intent": st.sampled_from(ApprovalIntent),
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
).filter(has_actor)


# Forms.


@st.composite
def forms(draw: st.DrawFn) -> FormState:
    """Draw the state of any action's form."""
    action: Action = draw(st.sampled_from(TABLE))
    location = SlackLocation(
        channel="C0SOC",
        card="1700000000.000100",
        thread=draw(st.sampled_from(["", "1700000000.000100"])),
        response_url=draw(st.sampled_from(["", f"https://hooks.slack.example/{'x' * 300}"])),
    )
    ref = Ref(kind=action.kind, id=draw(ids), workspace=draw(workspaces))
    return FormState(action=action.name, ref=ref, location=location)

"""Hypothesis strategies for the parameters of whatever renders, from their types.

A new field or a new function needs nothing here, unless its text stands for something: an action,
a status, an id. No text has an ASCII letter where people would read it.
"""

import collections.abc
import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from pydantic import BaseModel

from bot.domain.actions import BY_NAME, TABLE, Action, Param
from bot.domain.approvals import ApprovalIntent
from bot.domain.audit import AuditOutcome
from bot.domain.batches import Batch, BatchItem, SkippedItem
from bot.domain.cards import Card, DecidedTask
from bot.domain.objects import OBJECT_KINDS, ObjectKind, Ref
from bot.domain.operations import Operation, StandingOperation
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.run_results import RunStatus
from bot.domain.shift_digest import DeciderCounts
from bot.domain.slack import Actor, Destination
from bot.domain.snapshots import Change, ListPage
from bot.domain.stages import Stage
from bot.domain.troubles import Expiring, Trouble, TroubleKind
from bot.domain.watch_status import PollStatus, WatchStatus
from bot.messages import Message, permissions, text_message
from bot.messages.audit_history import AuditedRecord
from bot.messages.catalogue import Catalogue, Sentence
from bot.messages.errors import CANNOT_POST, IN_TROUBLE
from bot.messages.fields import INSTANCE_STATES, TASK_STATES
from bot.messages.markup import Markup, SlackMarkup
from bot.messages.modals import WaitingObjects
from bot.policy.config import Config, parse
from bot.policy.decide import Principal
from bot.policy.routes import DigestSchedule, Route
from bot.policy.rules import Role, Rule
from bot.secmaster import (
    BusinessType,
    DueHandle,
    Instance,
    InstanceStatus,
    Node,
    SecMasterError,
    Task,
    TaskStatus,
)
from bot.secmaster.shapes import Shape
from tests.support import pseudo
from tests.support.samples import NOW

Values = st.SearchStrategy[Any]

TEXTS = st.sampled_from(
    ["任务", "隔离主机 10.0.0.7", "", "7", "阻断" * 40, "长" * 240, "<&>*_`\n二"]
)
IDS = st.sampled_from(["90949403", "9" * 64])
MOMENTS = st.sampled_from([NOW + timedelta(hours=hours) for hours in (-99, -1, 0, 1, 30)])
PEOPLE = st.sampled_from(["U0ALICE", "U0BOB"])
PLACES = st.sampled_from(["U0ALICE", "S0SOC", "C0SOC"])
RULES = st.sampled_from(["", "rule 4", "rule 12 (封禁)"])
RECORDS = ("record", "filled", "later", "result", "states")  # mappings whose keys mean something
NEVER_EMPTY = ("snapshots", "tasks")
TITLE = {"type": "plain_text", "text": "9"}
ROLES = st.sampled_from(["审核人", "值班"])
STAGES = st.builds(
    Stage, count=st.integers(1, 9), roles=st.lists(ROLES, max_size=2, unique=True).map(tuple)
)


def audit_entries() -> Values:
    """Return records of the audit as they are read back."""
    return st.fixed_dictionaries(
        {
            "number": st.integers(1, 10**9),
            "at": st.just("2026-03-01T12:00:00.000000+00:00"),
            "operation_id": st.just("90" * 16),
            "outcome": st.sampled_from([*AuditOutcome]),
        },
        optional={
            "action": st.sampled_from([*BY_NAME, "reload"]),
            "actor": st.fixed_dictionaries({"id": PEOPLE, "name": TEXTS}),
            "rule": RULES,
            "detail": st.sampled_from(RefusalReason),
            "reason_code": st.sampled_from(OutcomeReason),
            "decision_fingerprint": st.just("0" * 32),
            "status_before": st.sampled_from([*TaskStatus, *InstanceStatus]),
            "status_after": st.sampled_from([*TaskStatus, *InstanceStatus]),
            "intent": st.sampled_from(ApprovalIntent),
            "status": st.integers(0, 999),
            "request_id": st.just("9"),
            "reason": TEXTS,
            "run_result": st.fixed_dictionaries(
                {
                    "status": st.sampled_from(RunStatus),
                    "run": st.just({"kind": "instance", "id": "9"}),
                    "name": TEXTS,
                    "error": TEXTS,
                    "at": st.just("2026-03-01T12:00:00.000000+00:00"),
                }
            ),
            "terms": st.fixed_dictionaries(
                {
                    "delegator": PEOPLE | st.just(""),
                    "identity": TEXTS,
                    "break_glass_channel": st.just("C0SOC"),
                }
            ),
        },
    )


# A text, or several, or None: what a name may say the meaning of.
TEXTUAL = re.compile(
    r"<class 'str'>|(?:[\w.]*(?:Sequence|tuple|frozenset)\[)?str\b"
    r"|[\w.]*(?:Mapping|dict)\[str, (?:str|typing\.Any)\]"
)
# What a text stands for, by the name of its field or parameter.
BY_FIELD: dict[str, Values] = {
    "action": st.sampled_from([*BY_NAME]),
    "actor": PEOPLE,
    "actor_id": PEOPLE,
    "break_glass_channel": st.sampled_from(["", "C0SOC"]),
    "card": st.just("1700000000.000100"),
    "followed_run": st.just(""),  # no message has it
    "channel": st.just("C0SOC"),
    "console_url": st.sampled_from(["", "https://console.example/1"]),
    "delegate": PEOPLE,
    "delegator": PEOPLE | st.just(""),
    "entries": st.lists(audit_entries(), max_size=3),
    "records": st.lists(audit_entries().map(AuditedRecord), max_size=3),
    "due_handle": st.sampled_from([*DueHandle, ""]),
    "heading": st.just("9"),
    "error_code": st.sampled_from([*CANNOT_POST, "9"]),
    "filter": st.sampled_from(["", "todo", "handled", "failed"]),
    "id": IDS,
    "intended_channel": st.sampled_from(["", "C0SOC"]),
    "letters": st.just(""),  # Unicode names them in English
    "filled": st.sampled_from([{}, {"comment": "好"}]),
    "link": st.sampled_from(["", "https://slack.example/1"]),
    "mentions": st.lists(PLACES, max_size=3).map(tuple),
    "names": st.lists(ROLES, max_size=3).map(tuple),
    "object_id": IDS,
    "permalink": st.just("https://slack.example/1"),
    "response_url": st.sampled_from(["", "https://hooks.slack.example/1"]),
    "right": st.sampled_from([*permissions.RIGHT_SENTENCES]),
    "roles": st.lists(ROLES, max_size=3).map(tuple),
    "rule": RULES,
    "snoozed_by": PEOPLE,
    "assignee": PEOPLE,
    "previous": PEOPLE | st.just(""),
    "thread": st.sampled_from(["", "1700000000.000100"]),
    "thread_url": st.sampled_from(["", "https://slack.example/1"]),
    "title": st.sampled_from(["9", "阻断" * 40]),
    "user": PEOPLE,
    "record": audit_entries(),
    "later": st.none() | audit_entries(),
    "result": st.none() | audit_entries(),
    "states": st.sampled_from([TASK_STATES, INSTANCE_STATES]),
    "status": st.just("9"),
    "view": st.just({"type": "modal", "title": TITLE, "blocks": [{"type": "divider"}]}),
    "usage": st.just("9 <9>"),
    "definition_id": st.just("9"),
    "workspace": st.sampled_from(["9", "1" * 60]),
}
CONFIG = parse("""
[roles."审核人"]
usergroups = ["S0SOC"]
[roles."值班"]
users = ["U0ALICE"]
[[rules]]
name = "封禁"
actions = ["task.approve"]
roles = ["审核人"]
reason = "required"
confirm = "type-name"
approvals = 2
self = false
break_glass = ["值班"]
when = { name = "9", overdue = true }
[[rules]]
effect = "deny"
actions = ["instance.*"]
roles = ["值班"]
[[rules]]
actions = ["task.*"]
roles = ["审核人", "值班"]
[break_glass]
channel = "C0SOC"
[identities]
users = { U0ALICE = "9" }
[watch]
every = 15
[[routes]]
name = "封禁"
channel = "C0SOC"
tasks = true
instances = ["FAILED"]
mention = ["S0SOC"]
remind = ["4h", "30m"]
continue = true
when = { name = "9", business_type = ["PLAYBOOKNODEAPPROVE"] }
quiet = { from = "22:00", until = "06:00" }
escalate = { after = "15m", to = "9" }
[[routes]]
name = "9"
user = "U0ALICE"
instances = ["FAILED"]
[[digests]]
channel = "C0SOC"
at = ["08:00"]
""")


@cache
def values(annotation: Any, name: str = "") -> Values:  # noqa: C901, PLR0911 - a row each
    """Return values of a type, for a field or parameter of this name."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):  # Annotated
        return values(annotation.__origin__, name)
    if annotation in BY_TYPE:
        return BY_TYPE[annotation]()
    is_mapping = origin is collections.abc.Mapping and name not in RECORDS
    if name in BY_FIELD and TEXTUAL.match(str(annotation)) and not is_mapping:
        return BY_FIELD[name]
    if annotation is str:
        return TEXTS
    if origin in {Union, UnionType}:
        return st.one_of([values(argument, name) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*[values(argument) for argument in arguments])
    if origin in {collections.abc.Mapping, dict}:
        key, value = arguments
        if key is ObjectKind:
            return st.fixed_dictionaries({kind: values(value) for kind in OBJECT_KINDS})
        keys = KEYS.get(value, TEXTS) if key is str else values(key)
        return st.dictionaries(keys, values(value), max_size=3)
    if origin is not None:  # a collection of one type
        items = st.lists(values(arguments[0]), min_size=name in NEVER_EMPTY, max_size=4)
        return items.map(frozenset if origin is frozenset else tuple)
    if issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    return build(annotation)


def build(kind: type, /, **chosen: Values) -> Values:
    """Return values of a dataclass or model by the types of its fields, some of them chosen."""
    if issubclass(kind, Shape):  # an answer of SecMaster's, read by the names that it has there
        fields = fields_of(kind, [*kind.model_fields], chosen)
        return st.fixed_dictionaries(fields).map(lambda chosen: kind.model_construct(**chosen))
    if issubclass(kind, BaseModel):
        return st.builds(kind, **fields_of(kind, [*kind.model_fields], chosen))
    names = [field.name for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type] # it is one
    return st.builds(kind, **fields_of(kind, names, chosen))


def fields_of(kind: type, names: list[str], chosen: dict[str, Values]) -> dict[str, Values]:
    hints = get_type_hints(kind)
    return {name: chosen[name] if name in chosen else values(hints[name], name) for name in names}


def operations() -> Values:
    """Return operations with what their actions need."""
    return st.sampled_from(TABLE).flatmap(
        lambda action: build(
            Operation,
            action=st.just(action.name),
            ref=build(Ref, kind=st.just(action.kind)),
            params=st.fixed_dictionaries({param.name: TEXTS for param in action.params}),
        )
    )


def errors() -> Values:
    """Return errors of SecMaster's client, of every kind."""
    kinds = [SecMasterError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return st.builds(
        lambda kind, message, **fields: kind(message, **fields),
        st.sampled_from(kinds),
        TEXTS,
        code=st.sampled_from(["", "9.9"]),
        status=st.sampled_from([None, 401, 404, 429, 503]),
        request_id=st.sampled_from(["", "9"]),
        unsent=st.booleans(),
    )


# What a dictionary's values say of its keys.
KEYS: dict[Any, Values] = {Role: ROLES}
BY_TYPE: dict[Any, Callable[[], Values]] = {
    NoneType: st.none,
    bool: st.booleans,
    int: lambda: st.integers(0, 1200),
    float: lambda: st.sampled_from([0.0, 1.0, 59.0, 4000.0]),
    datetime: lambda: MOMENTS,
    timedelta: lambda: st.sampled_from([timedelta(), timedelta(minutes=5), timedelta(days=3)]),
    Catalogue: lambda: st.just(pseudo.catalogue()),
    Action: lambda: st.sampled_from(TABLE),
    tuple[Action, ...]: lambda: st.lists(
        st.sampled_from(TABLE), unique_by=lambda action: action.name, max_size=3
    ).map(tuple),
    tuple[str, str]: lambda: st.just(("9", "9")),
    Stage: lambda: STAGES,
    tuple[Stage, ...]: lambda: st.lists(STAGES, min_size=1, max_size=3).map(tuple),
    Sentence: lambda: st.just(Sentence(IN_TROUBLE)),
    Config: lambda: st.just(CONFIG),
    Destination: lambda: PLACES.map(Destination.parse),
    DigestSchedule: lambda: st.sampled_from(CONFIG.digests),
    Markup: lambda: st.just(SlackMarkup()),
    Message: lambda: TEXTS.map(lambda text: text_message(text or "—")),
    Principal: lambda: build(
        Principal, delegators=st.just(()), id=PEOPLE, roles=st.frozensets(ROLES)
    ),
    Role: lambda: st.sampled_from([*CONFIG.roles.values()]),
    Route: lambda: st.sampled_from(CONFIG.routes),
    Rule: lambda: st.sampled_from(CONFIG.rules),
    SecMasterError: errors,
    Param: lambda: st.sampled_from([param for action in TABLE for param in action.params]),
    Actor: lambda: build(Actor, id=PEOPLE),
    Operation: operations,
    WatchStatus: lambda: build(
        WatchStatus,
        behind=st.builds(defaultdict, st.just(lambda: 60.0)),
        open=st.builds(defaultdict, st.just(int)),
        polls=st.lists(build(PollStatus, workspace=st.just("9")), max_size=2).map(tuple),
    ),
    WaitingObjects: lambda: build(WaitingObjects, tasks=values(ListPage)),
    Batch: lambda: build(Batch, items=st.lists(values(BatchItem), min_size=1, max_size=3)),
    DeciderCounts: lambda: build(
        DeciderCounts,
        decisions=st.dictionaries(st.sampled_from([*BY_NAME]), st.integers(1, 9), min_size=1),
    ),
    DecidedTask: lambda: build(
        DecidedTask, cards=st.lists(values(Card), min_size=1, max_size=2).map(tuple)
    ),
    # What came of it has functions of its own.
    StandingOperation: lambda: build(StandingOperation, result=st.none()),
    SkippedItem: lambda: build(SkippedItem, detail=st.just("任务")),
    Change: lambda: build(Change, label=st.sampled_from(["name", "status", "comment"])),
    Instance: lambda: build(Instance, status=st.sampled_from(list(InstanceStatus))),
    Node: lambda: build(Node, status=st.sampled_from([*InstanceStatus, ""])),
    Task: lambda: build(
        Task,
        status=st.sampled_from(list(TaskStatus)),
        business_type=st.sampled_from(list(BusinessType)),
    ),
    Trouble: lambda: st.one_of(
        build(Trouble, kind=st.sampled_from(list(set(TroubleKind) - {TroubleKind.EXPIRY}))),
        build(Trouble, kind=st.just(TroubleKind.EXPIRY), where=st.sampled_from(list(Expiring))),
    ),
}

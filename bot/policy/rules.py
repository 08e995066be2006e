"""The keys of one rule of the policy, and how its conditions are matched.

Routes have the same conditions, and so both are matched here. Knows no file and no person.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self, TypeVar, assert_never

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.objects import OBJECT_KINDS, ByKind, ObjectKind
from bot.domain.snapshots import Snapshot
from bot.domain.stages import Stage, Stages, one_stage, total
from bot.policy import patterns
from bot.policy.evidence import (
    ASSET_KEYS,
    EVIDENCE_KEYS,
    AssetLevel,
    Fact,
    evidence_facts,
    per_asset,
)
from bot.policy.ids import UsergroupId, UserId
from bot.policy.patterns import normalize
from bot.policy.problems import A_LIST, A_NUMBER, ENTRY_NAME, suggestion
from bot.secmaster import (
    AopType,
    BusinessType,
    Instance,
    PlaybookInstance,
    Severity,
    Task,
    Verification,
)

T = TypeVar("T")

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_DURATION = timedelta(days=30)
LENGTH = re.compile(r"(?:(\d{1,3})d)? ?(?:(\d{1,3})h)? ?(?:(\d{1,4})m)?", re.ASCII)
MOST_APPROVALS = 9
MIXED_UNITS = 2  # from so many units on a duration is none of the policy's

# The keys of a rule that say on what terms it allows something.
TERMS = ("reason", "approvals", "expires", "call", "creator_allowed", "confirm", "break_glass")

# Conditions on the object itself, in the order in which they are checked.
OBJECT_KEYS = ("business_type", "name", "related_object", "workflow", "playbook", *EVIDENCE_KEYS)
# Conditions that list exact values; those that are neither these nor `drill` are patterns.
LISTED_KEYS = ("business_type", "severity", "verification", "asset_level", "workflow_kind")

# What a rule about reading may say: nothing is asked of somebody who only looks.
READ_RULE_KEYS = frozenset({"name", "effect", "actions", "roles", "when"})
# What is said of no object of a kind, neither by a list nor by the object itself.
UNLISTED_KEYS: ByKind[tuple[str, ...]] = ByKind(
    task=(),
    instance=("business_type", "overdue"),
    playbook=("business_type", "overdue"),
)
NOT_SAID_OF = ByKind(task="a task", instance="an instance", playbook="a playbook instance")


@dataclass(frozen=True, slots=True)
class Read:
    """The right to read the objects of a kind, under its name in the policy file.

    It is no row of the table of actions, as nothing is sent, and no wildcard stands for it.
    """

    kind: ObjectKind

    @property
    def name(self) -> str:
        """Kind and verb, as an action's name: "task.read"."""
        return f"{self.kind}.read"


READS = tuple(map(Read, OBJECT_KINDS))
READ_NAMES = frozenset(read.name for read in READS)


class Effect(StrEnum):
    """What a rule does with what it covers."""

    ALLOW = "allow"
    DENY = "deny"


class ReasonRule(StrEnum):
    """Whether a reason is asked for."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class ConfirmRule(StrEnum):
    """What must be typed to confirm an action."""

    NOTHING = ""
    TYPE_NAME = "type-name"


class CallRule(StrEnum):
    """How those are called who may give the next approval: in the card's thread, or alone."""

    MENTION = "mention"
    DIRECT = "direct"
    NONE = "none"


class Section(BaseModel):
    """A table of the policy file; a key that nothing honours is refused, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_pattern(text: str) -> str:
    patterns.compile_pattern(text)
    return text


def _check_action(text: str) -> str:
    names = {*BY_NAME, *READ_NAMES, "*", *(f"{action.kind}.*" for action in TABLE)}
    if text not in names:
        raise ValueError(f"{text!r} is no action; there are {', '.join(sorted(names))}")
    return text


def _check_rule_name(text: str) -> str:
    if not ENTRY_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name: up to 40 letters, digits, spaces and . : / - _")
    return text


def non_empty(entries: tuple[T, ...]) -> tuple[T, ...]:
    """Return the entries; raises ValueError if there are none."""
    if not entries:
        raise ValueError("an empty list covers nothing")
    return entries


def parse_duration(text: object) -> timedelta:
    """Read a length of time such as "90s", "30m", "4h" or "2d"; raises ValueError."""
    match = re.fullmatch(r"([1-9][0-9]{0,6}) ?([smhd])", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration (use 30m, 1h)")
    duration = timedelta(**{UNITS[match[2]]: int(match[1])})
    if duration > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than {MAX_DURATION.days} days")
    return duration


def parse_length(text: str) -> timedelta:
    """Read a duration as people write it, "2h30m" and "1d 12h" too; raises ValueError."""
    match = LENGTH.fullmatch(text)
    if match is None or sum(number is not None for number in match.groups()) < MIXED_UNITS:
        return parse_duration(text)
    days, hours, minutes = (int(number or 0) for number in match.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes)
    if not timedelta() < length <= MAX_DURATION:
        raise ValueError(f"{text!r} is longer than {MAX_DURATION.days} days")
    return length


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
ActionName = Annotated[str, AfterValidator(_check_action)]
RuleName = Annotated[str, AfterValidator(_check_rule_name)]
Names = Annotated[tuple[str, ...], AfterValidator(non_empty)]


class StageEntry(Section):
    """A stage of a rule's approvals: so many people of one role."""

    role: str = Field(min_length=1)
    count: int = Field(ge=1, le=MOST_APPROVALS, strict=True)

    @property
    def stage(self) -> Stage:
        """The stage that it stands for."""
        return Stage(count=self.count, roles=(self.role,))


def _check_stages(entries: tuple[StageEntry, ...]) -> tuple[StageEntry, ...]:
    if not entries:
        raise ValueError("an empty list asks for nobody; leave it out, or name a stage")
    roles = [entry.role for entry in entries]
    if repeated := next((role for role in roles if roles.count(role) > 1), None):
        raise ValueError(f"{repeated!r} has two stages; a role has one, with its count")
    if (needed := sum(entry.count for entry in entries)) > MOST_APPROVALS:
        raise ValueError(f"the stages ask for {needed} people; {MOST_APPROVALS} are the most")
    return entries


def _written_as(value: object) -> str:
    """Return how approvals are written: a list of stages, or a number."""
    return A_LIST if isinstance(value, list | tuple) else A_NUMBER


Approvals = Annotated[
    Annotated[tuple[StageEntry, ...], AfterValidator(_check_stages), Tag(A_LIST)]
    | Annotated[int, Field(ge=1, le=MOST_APPROVALS, strict=True), Tag(A_NUMBER)],
    Discriminator(_written_as),
]


def written(approvals: Approvals) -> str:
    """Return approvals as the policy file has them: "2", or "[{ role = "lead", count = 1 }]"."""
    if isinstance(approvals, int):
        return str(approvals)
    stages = (f'{{ role = "{entry.role}", count = {entry.count} }}' for entry in approvals)
    return f"[{', '.join(stages)}]"


class Role(Section):
    """Who has a role: people, and the members of user groups, by their Slack ids."""

    users: tuple[UserId, ...] = ()
    usergroups: tuple[UsergroupId, ...] = ()


class Conditions(Section):
    """What an object must be like: every key that is set must match, patterns from the start."""

    business_type: Annotated[tuple[BusinessType, ...], AfterValidator(non_empty)] = ()
    name: Pattern = Field("", min_length=1)
    related_object: Pattern = Field("", min_length=1)
    workspace: Names = ()
    severity: Annotated[tuple[Severity, ...], AfterValidator(non_empty)] = ()
    verification: Annotated[tuple[Verification, ...], AfterValidator(non_empty)] = ()
    drill: bool | None = Field(None, strict=True)
    source: Pattern = Field("", min_length=1)
    category: Pattern = Field("", min_length=1)
    asset: Pattern = Field("", min_length=1)
    asset_type: Pattern = Field("", min_length=1)
    asset_level: Annotated[tuple[AssetLevel, ...], AfterValidator(non_empty)] = ()
    enterprise_project: Pattern = Field("", min_length=1)
    workflow_kind: Annotated[tuple[AopType, ...], AfterValidator(non_empty)] = ()

    @property
    def object_keys(self) -> tuple[str, ...]:
        """The keys that are set and that only the object, or what stands around it, can answer."""
        return tuple(key for key in OBJECT_KEYS if getattr(self, key, None) not in (None, "", ()))

    @property
    def needs_snapshot(self) -> bool:
        """Whether the object must be read to answer them."""
        return bool(self.object_keys)

    def includes_workspace(self, workspaces: frozenset[str]) -> bool:
        """Whether the workspace with these names is one of those set; True if none is set."""
        return not self.workspace or not workspaces.isdisjoint(self.workspace)

    @property
    def needs_evidence(self) -> bool:
        """Whether what stands around the object must be read to answer them."""
        return not set(self.object_keys).isdisjoint(EVIDENCE_KEYS)

    @property
    def needs_assets(self) -> bool:
        """Whether they ask about the assets of a finding, of which there may be several."""
        return not set(self.object_keys).isdisjoint(ASSET_KEYS)

    def __bool__(self) -> bool:
        return self.needs_snapshot or bool(self.workspace)


class RuleConditions(Conditions):
    """The conditions of a rule.

    A task without a due date is not overdue, and an instance never is.
    """

    overdue: bool | None = Field(None, strict=True)

    @property
    def needs_snapshot(self) -> bool:
        """Whether the object must be read to answer them."""
        return super().needs_snapshot or self.overdue is not None


class Entry(Section):
    """An entry of one of the file's ordered lists."""

    name: RuleName = ""


EntryT = TypeVar("EntryT", bound=Entry)


class Rule(Entry):
    """One rule: which roles may take which actions, on which objects, and under which terms.

    As many distinct people as ``approvals`` says must ask for the same within ``expires``, of any
    of the roles, or stage by stage; those who may give the next approval are called as ``call``
    says. ``creator_allowed`` (``self`` in the file) is whether
    the person whom the task names as its creator may. A ``break_glass`` role may decide alone all
    the same. A rule that denies has no terms, and is for everybody where it names no roles.
    """

    actions: Annotated[tuple[ActionName, ...], AfterValidator(non_empty)]
    effect: Effect = Effect.ALLOW
    roles: tuple[str, ...] = Field((), validate_default=True)
    when: RuleConditions = RuleConditions()
    reason: ReasonRule = ReasonRule.OPTIONAL
    approvals: Approvals = 1
    expires: Duration = timedelta(hours=1)
    call: CallRule = CallRule.MENTION
    creator_allowed: bool = Field(default=True, alias="self", strict=True)
    confirm: ConfirmRule = ConfirmRule.NOTHING
    break_glass: Names = ()

    @property
    def covered_actions(self) -> tuple[Action, ...]:
        """The actions that it is about."""
        return tuple(action for action in TABLE if covers(self, action))

    @property
    def stages(self) -> Stages:
        """The stages of its approvals: a number is one stage of all of its roles."""
        if isinstance(self.approvals, int):
            return one_stage(self.approvals, self.roles)
        return tuple(entry.stage for entry in self.approvals)

    @property
    def needed(self) -> int:
        """How many people must ask for the same, in all of its stages."""
        return total(self.stages)

    @field_validator("roles")
    @classmethod
    def says_who_may(cls, roles: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Check that a rule that allows says to whom; raises ValueError."""
        if not roles and info.data.get("effect") is Effect.ALLOW:
            raise ValueError("name who may; only a rule that denies is for everybody without")
        return roles

    @model_validator(mode="after")
    def has_no_terms_if_it_denies(self) -> Self:
        """Check that nothing is set that only an allowed action has; raises ValueError."""
        if self.effect is Effect.ALLOW:
            return self
        if "roles" in self.model_fields_set and not self.roles:
            raise ValueError("roles: leave it out to deny something to everybody")
        terms = [key for key in TERMS if key in self.model_fields_set]
        if terms:
            names = ", ".join(type(self).model_fields[key].alias or key for key in terms)
            raise ValueError(f"{names}: a rule that denies has no terms; leave that out")
        return self

    @model_validator(mode="after")
    def reads_by_what_a_list_says(self) -> Self:
        """Check that a rule about reading asks for nothing else; raises ValueError."""
        reads = [read for read in READS if covers(self, read)]
        if not reads:
            return self
        names = ", ".join(read.name for read in reads)
        if writes := [name for name in self.actions if name not in READ_NAMES]:
            raise ValueError(
                f"actions: {names} can't share a rule with {', '.join(writes)}; give it its own"
            )
        fields = type(self).model_fields
        if terms := sorted(
            fields[key].alias or key for key in self.model_fields_set - READ_RULE_KEYS
        ):
            raise ValueError(f"{', '.join(terms)}: nothing is asked of whoever only reads")
        if around := [key for key in EVIDENCE_KEYS if key in self.when.object_keys]:
            raise ValueError(
                f"when: {', '.join(around)} is not said by a list, so it can't limit who reads"
            )
        for read in reads:
            unlisted = [
                key for key in UNLISTED_KEYS[read.kind] if key in self.when.model_fields_set
            ]
            if unlisted:
                raise ValueError(
                    f"when: {', '.join(unlisted)} is not said of {NOT_SAID_OF[read.kind]}; give "
                    f"{read.name} its own rule"
                )
        return self

    @model_validator(mode="after")
    def fits_what_it_covers(self) -> Self:
        """Check that its terms make sense for all of the actions it covers; raises ValueError."""
        stage_roles = {role for stage in self.stages for role in stage.roles}
        if strangers := sorted(stage_roles - set(self.roles)):
            hint = suggestion(strangers[0], self.roles)
            raise ValueError(f"approvals: {strangers[0]!r} is none of the rule's roles{hint}")
        unshared = ", ".join(a.name for a in self.covered_actions if not a.claim_group)
        if self.needed > 1 and unshared:
            raise ValueError(
                f"approvals: several people can't share {unshared}; give it its own rule"
            )
        ownerless = ", ".join(a.name for a in self.covered_actions if a.kind != "task")
        if not self.creator_allowed and ownerless:
            raise ValueError(
                f"self: SecMaster names no creator for {ownerless}; give it its own rule"
            )
        if self.break_glass and self.needed == 1:
            raise ValueError("break_glass: there is no second approver to pass; add approvals")
        if "expires" in self.model_fields_set and self.needed == 1:
            raise ValueError("expires: one approval does not wait for another; add approvals")
        # The retry brake asks for a second person by itself.
        retries = any(action.is_retry for action in self.covered_actions)
        if "call" in self.model_fields_set and self.needed == 1 and not retries:
            raise ValueError("call: there is no next approver to call; add approvals")
        return self


def covers(rule: Rule, action: Action | Read) -> bool:
    """Whether a rule is about an action: by its name, its kind, or "*"; reading by name alone."""
    wildcards = () if isinstance(action, Read) else ("*", f"{action.kind}.*")
    return not {action.name, *wildcards}.isdisjoint(rule.actions)


def asks_evidence(rules: Sequence[Rule], subject: ObjectKind | Action) -> bool:
    """Whether a rule asks about what stands around an object, for an action or any of a kind."""
    return any(
        rule.when.needs_evidence
        and any(subject in (action, action.kind) for action in rule.covered_actions)
        for rule in rules
    )


def numbered(kind: str, entries: Sequence[EntryT]) -> Iterator[tuple[str, EntryT]]:
    """Yield each entry with its title: kind and number, and its name if it has one."""
    for number, entry in enumerate(entries, 1):
        yield f"{kind} {number}" + (f" ({entry.name})" if entry.name else ""), entry


def facts_for(conditions: Conditions, snapshot: Snapshot) -> dict[str, Fact]:
    """Return what is known of an object, by condition key, as far as conditions ask for it.

    "" stands where SecMaster does not state it, and a key is missing where such an object never has
    it. Of the assets of a finding they are those of the first.
    """
    around = evidence_facts(snapshot) if conditions.needs_evidence else {}
    return stated_values(snapshot) | around


def apart(conditions: Sequence[Conditions], snapshot: Snapshot) -> tuple[Snapshot, ...]:
    """Return what an object is asked about as: once for each of its assets, where any is asked for.

    Otherwise a task about a test host and a key host would be decided as one about a test host.
    """
    asks = any(each.needs_assets for each in conditions)
    return tuple(per_asset(snapshot)) if asks else (snapshot,)


def stated_values(snapshot: Snapshot) -> dict[str, str]:
    """Return what SecMaster states of an object, by condition key; "" where it does not state it.

    A key is missing where such an object never has it.
    """
    name = normalize(snapshot.name)
    match snapshot:
        case Task():
            business_type = snapshot.business_type
            related_object = normalize(snapshot.related_object)
            owners = [
                key for key in ("workflow", "playbook") if business_type.startswith(key.upper())
            ]
            return {
                "business_type": business_type,
                "name": name,
                "related_object": related_object,
                **dict.fromkeys(owners, related_object),
            }
        case Instance():
            workflow = normalize(snapshot.workflow.name)
            playbook = normalize(snapshot.playbook.name)
            return {
                "name": name,
                "related_object": workflow,
                "workflow": workflow,
                "playbook": playbook,
            }
        case PlaybookInstance():
            playbook = normalize(snapshot.playbook.name)
            return {"name": name, "related_object": playbook, "playbook": playbook}
        case _:
            assert_never(snapshot)


def matches(conditions: Conditions, key: str, value: str) -> bool | None:
    """Whether a value that SecMaster states fulfils the condition of this key.

    None where that can't be told, for letters that look like others.
    """
    condition = getattr(conditions, key)
    if key in LISTED_KEYS:
        return value in condition
    if key == "drill":
        return value == str(condition).lower()
    return patterns.matches(condition, value)

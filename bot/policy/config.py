"""Read the policy file: who may do what, where cards are posted, and the commands' names.

The policy file ``secmaster-bot.toml``: a file because people review it in pull requests. A key
that the code does not honour is refused when the file is read: a rule somebody believes in must
never be silently ignored.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from bot.domain.actions import Action
from bot.domain.objects import ObjectKind, visible
from bot.domain.operations import AttributionRule
from bot.policy.evidence import RESOURCE_KEYS
from bot.policy.ids import ChannelId, UsergroupId, UserId
from bot.policy.patterns import normalize
from bot.policy.problems import (
    NO_SUCH_FILE,
    Location,
    Problem,
    place,
    problems_of,
    suggestion,
    unreadable,
)
from bot.policy.routes import Brake, DigestSchedule, Route, check_consistency, distinct
from bot.policy.rules import (
    READS,
    Conditions,
    Duration,
    Read,
    Role,
    Rule,
    Section,
    covers,
    non_empty,
)


class ConfigError(Exception):
    """The policy file is wrong; the text has one line for each problem."""

    def __init__(self, source: str | Path, *problems: Problem) -> None:
        super().__init__("\n".join(f"{source}: {problem.line}" for problem in problems))
        self.problems = problems


def _check_command(text: str) -> str:
    if text and not re.fullmatch(r"/[a-z0-9_-]{1,31}", text):
        raise ValueError(f"{text!r} is no slash command: a slash, then 1 to 31 of a-z 0-9 - _")
    return text


def _check_domain(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", text):
        raise ValueError(f"{text!r} is no domain in small letters, such as example.com")
    return text


def _check_person_name(text: str) -> str:
    if not text or visible(text) != text:
        raise ValueError(f"{text!r} is no name: it is empty, or has what no eye sees")
    return text


def _check_workspace(text: str) -> str:
    if not re.fullmatch(r"T[A-Z0-9]{2,}", text):
        raise ValueError(f"{text!r} is no Slack workspace's id, such as T0123ABCD")
    return text


Slash = Annotated[str, AfterValidator(_check_command)]
Domain = Annotated[str, AfterValidator(_check_domain)]
PersonName = Annotated[str, AfterValidator(_check_person_name)]
WorkspaceId = Annotated[str, AfterValidator(_check_workspace)]


class CommandDecision(StrEnum):
    """What the command of an action does where its object's card is not in the place it is typed.

    DIRECT: it is carried out. CONFIRM: it shows the card, and asks.
    """

    DIRECT = "direct"
    CONFIRM = "confirm"


class Commands(Section):
    """The slash commands' names, of which an empty one is left out; and how they ``decide``."""

    root: Slash = "/secmaster"
    task: Slash = "/task"
    instance: Slash = "/instance"
    decide: CommandDecision = CommandDecision.DIRECT

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        """Check that no two commands have one name; raises ValueError."""
        if len(self.names) > len(set(self.names)):
            raise ValueError("two commands have the same name")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the commands that there are."""
        return tuple(name for name in (self.root, self.task, self.instance) if name)

    def prefix(self, command: str) -> str:
        """Return the words that a command stands for: ``/task`` is ``task``, the root is ""."""
        return {self.task: "task", self.instance: "instance"}.get(command, "")


class ChannelsConfig(Section):
    """Channels that cards may be posted in beside those that routes, digests and others name.

    ``shared``: channels that another organisation shares may be among all of these.
    """

    allow: Annotated[tuple[ChannelId, ...], AfterValidator(distinct)] = ()
    shared: bool = Field(default=False, strict=True)


class WatchConfig(Section):
    """How SecMaster is polled: ``every`` so many seconds; 0 is never.

    At the very first start what is older than ``fresh`` is summed up, and failures of one
    workflow within ``gather`` share a card. Cards of a closed channel go to ``fallback``. With
    ``results`` the run that waited for a decision is followed, and its thread is told of the end.
    ``admins`` are notified of what keeps the bot from its work; ``oncall`` are the user groups
    whose members are on call, a ``shift`` at a time. A ``claim`` of a task or run lasts so long.
    """

    every: float = Field(15, ge=0, le=3600, strict=True, allow_inf_nan=False)
    fresh: Duration = timedelta(hours=1)
    gather: Duration = timedelta(hours=1)
    results: bool = Field(default=True, strict=True)
    fallback: ChannelId = ""
    admins: tuple[UserId, ...] = ()
    oncall: tuple[UsergroupId, ...] = ()
    shift: Duration = timedelta(hours=12)
    claim: Duration = timedelta(minutes=30)


class Organisation(Section):
    """Who of an Enterprise Grid belongs here: whoever is in one of these Slack workspaces.

    So does whoever is in the bot's own; without ``workspaces`` it is everybody of the enterprise.
    """

    workspaces: Annotated[
        tuple[WorkspaceId, ...], AfterValidator(non_empty), AfterValidator(distinct)
    ] = ()


class Identities(Section):
    """Who Slack people are in SecMaster: by their Slack id, or by their e-mail's domain.

    With ``email_domain = "example.com"``, alice@example.com is the IAM user of that name or of
    the name alice.
    """

    users: dict[UserId, PersonName] = Field({})
    email_domain: Domain | None = None

    @model_validator(mode="after")
    def nobody_is_two(self) -> Self:
        """Check that no two people have one name in SecMaster; raises ValueError."""
        counts = Counter(normalize(name).casefold() for name in self.users.values())
        if shared := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"several people are {', '.join(shared)}; each is one person")
        return self

    def __bool__(self) -> bool:
        return bool(self.users or self.email_domain)


class Rights(Section):
    """The roles that may use what is not about a task or an instance; () allows nobody."""

    audit: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    delegate: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()


class BreakGlass(Section):
    """The channel where it is announced that somebody decided alone what needs several people."""

    channel: ChannelId = ""


class Delegation(Section):
    """The longest time for which rights may be delegated."""

    longest: Duration = timedelta(hours=24)


class Attribution(Section):
    """Which decisions leave a comment in SecMaster that names who decided."""

    comment: AttributionRule = AttributionRule.ALWAYS


class Config(Section):
    """The whole policy file."""

    roles: dict[str, Role] = Field({})
    rules: tuple[Rule, ...] = ()
    routes: Annotated[tuple[Route, ...], AfterValidator(check_consistency)] = ()
    digests: tuple[DigestSchedule, ...] = ()
    brake: Brake | None = None
    rights: Rights = Rights()
    organisation: Organisation = Organisation()
    identities: Identities = Identities()
    break_glass: BreakGlass = BreakGlass()
    channels: ChannelsConfig = ChannelsConfig()
    delegation: Delegation = Delegation()
    attribution: Attribution = Attribution()
    commands: Commands = Commands()
    watch: WatchConfig = WatchConfig()
    _text: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def has_what_it_needs(self) -> Self:
        """Check that what rules, routes and digests need is there; raises ValueError."""
        problems = []
        if not self.identities and any(not rule.creator_allowed for rule in self.rules):
            problems.append("self = false needs [identities], to know who is who in SecMaster")
        if not self.break_glass.channel and any(rule.break_glass for rule in self.rules):
            problems.append("break_glass needs a channel to be told: [break_glass] channel")
        if not self.watch.every and (self.routes or self.digests):
            problems.append("routes and digests need [watch] every above 0: else nothing watches")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def unreadable_kinds(self) -> tuple[ObjectKind, ...]:
        """The kinds of objects that no rule lets anybody read."""
        return tuple(
            read.kind for read in READS if not any(covers(rule, read) for rule in self.rules)
        )

    def asks_each_resource(self, kind: ObjectKind) -> bool:
        """Return whether a rule or a route asks about each resource of a finding."""
        conditions: list[Conditions] = [
            rule.when
            for rule in self.rules
            if any(action.kind == kind for action in rule.covered_actions)
        ]
        conditions += [route.when for route in self.routes if route.takes(kind)]
        return any(not RESOURCE_KEYS.isdisjoint(each.object_keys) for each in conditions)

    def roles_about(self, *actions: Action | Read) -> dict[str, Role]:
        """Return the roles that any rule about one of these actions names, denying or allowing."""
        rules = [rule for rule in self.rules if any(covers(rule, action) for action in actions)]
        names = {name for rule in rules for name in (*rule.roles, *rule.break_glass)}
        return {name: role for name, role in self.roles.items() if name in names}

    @property
    def text(self) -> str | None:
        """The text that this policy was read from; None where there was no file."""
        return self._text

    def read_from(self, text: str) -> Self:
        """Return this policy with the text that it was read from."""
        self._text = text
        return self

    @property
    def fingerprint(self) -> str:
        """Twelve characters that name this policy in records; another policy has others."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:12]


class PolicyHolder:
    """The policy in force, with the ``number`` of its record; 0 while it has none.

    ``unused_file`` is the fingerprint of the file that was there at the start and is not in force;
    "" where there is none.
    """

    def __init__(self, config: Config, path: Path) -> None:
        self.current = config
        self.number = 0
        self.unused_file = ""
        self._path = path

    def asks_each_resource(self, kind: ObjectKind) -> bool:
        """Return whether the policy in force asks about each resource of a finding."""
        return self.current.asks_each_resource(kind)

    def read(self) -> Config:
        """Return what the file says now, which is not in force by that; raises ConfigError."""
        if not self._path.exists():
            raise ConfigError(self._path, Problem(NO_SUCH_FILE))
        return load(self._path)

    def put_in_force(self, config: Config, number: int) -> None:
        """Put a policy in force in this process."""
        self.current, self.number = config, number
        if config.fingerprint == self.unused_file:
            self.unused_file = ""


def parse(text: str, source: str = "secmaster-bot.toml") -> Config:
    """Read the text of a policy file; raises ConfigError with everything that is wrong with it.

    ``source`` is what the errors call the file.
    """
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise ConfigError(source, Problem(f"not TOML: {error}")) from None
    problems = list(_undefined_roles(table))
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        problems += problems_of(error, table, Config)
    if problems:
        raise ConfigError(source, *problems)
    return config.read_from(text)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raises ValueError for what is none, or has a number without end."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply to be read") from None


def _undefined_roles(table: dict[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each role that is used and not defined.

    From the raw file: a wrong key elsewhere must not hide them.
    """
    roles, rules, rights = table.get("roles", {}), table.get("rules", []), table.get("rights", {})
    if not isinstance(roles, dict):
        return
    uses: list[tuple[Location, object]] = [
        (("rules", number, key), rule.get(key))
        for number, rule in enumerate(rules if isinstance(rules, list) else [])
        for key in ("roles", "break_glass")
        if isinstance(rule, dict)
    ]
    uses += [
        (("rights", right), names)
        for right, names in (rights.items() if isinstance(rights, dict) else ())
    ]
    for location, names in uses:
        for role in names if isinstance(names, list) else ():
            if isinstance(role, str) and role not in roles:
                sentence = f"{role!r} is not defined under [roles]{suggestion(role, roles)}"
                yield Problem(f"{place(location, table)}: {sentence}")


def load(path: Path, *, required: bool = False) -> Config:
    """Read the policy file; raises ConfigError.

    A file that is not there allows nothing to anybody, unless it is ``required``.
    """
    try:
        # Windows' editors put a mark of three bytes before the text, which means nothing.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if required:
            raise ConfigError(path, Problem(NO_SUCH_FILE)) from None
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, Problem(unreadable(error))) from None
    return parse(text, str(path))

"""A stage for the steps of operations: what cards showed, who presses, and what is on record."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, assert_never

from bot.domain import snapshots
from bot.domain.actions import BY_NAME
from bot.domain.approvals import CallPreference
from bot.domain.delegations import Delegation
from bot.domain.objects import ByKind, Ref
from bot.domain.operations import Operation
from bot.domain.slack import Actor, Requester, SlackLocation
from bot.operations import authorization, preflight
from bot.operations.step_results import PreflightResult
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.services import Services
from bot.store import RequestedChange, RequestedChanges
from tests.support.clock import FakeClock
from tests.support.environment import policy
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder

LIN = Person("console-lin", "Lin Yue")  # works in the console, and is nobody in Slack
TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
TASK_NAME = "Isolate host ecs-web-07"
RUN = Ref(kind="instance", id=seed.INSTANCE_FAILED)
PLAYBOOK_RUN = Ref(kind="playbook", id=seed.PLAYBOOK_INSTANCE_FAILED)  # RUN is within it
OBJECTS = ByKind(task=TASK, instance=RUN, playbook=PLAYBOOK_RUN)
SAME_WORKFLOW_RUN = Ref(kind="instance", id=seed.INSTANCE_FAILED_SCRIPT)

# Alice and Bob are of the group, Carol is on call, and Dave has no role.
ROLES = """
[roles.approver]
usergroups = ["S0SOC"]

[roles.oncall]
usergroups = ["S0ONCALL"]
"""


def rule(*actions: str, roles: tuple[str, ...] = ("approver",), more: str = "") -> str:
    """Return a rule of the policy file; ``more`` are the lines that it has beside these."""
    return f"[[rules]]\nactions = {list(actions)}\nroles = {list(roles)}\n{more}\n"


ALLOW_ALL = rule("*", roles=("approver", "oncall"))


def requester(user: str = ALICE) -> Requester:
    return Requester(Actor(id=user), SlackLocation(channel=SOC))


@dataclass(frozen=True)
class OperationStage:
    """The services between both stand-ins, and what people do to tasks and runs."""

    services: Services
    slack: SlackRecorder
    secmaster: SecMasterSandbox
    clock: FakeClock
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def set_policy(self, *parts: str) -> None:
        """Put another policy in force, as a reload does; the roles are as before."""
        self.services.policy.current = policy("".join((ROLES, *parts)))

    def record(self, ref: Ref) -> dict[str, Any]:
        """Return the object as SecMaster has it, for a test that changes it."""
        world = self.secmaster.world
        match ref.kind:
            case "task":
                return world.tasks[ref.id]
            case "instance":
                return world.instances[ref.id]
            case "playbook":
                return world.playbooks.instances[ref.id]
            case _:
                assert_never(ref.kind)

    async def shown(self, ref: Ref) -> str:
        """Show an object on a card; return the fingerprint that its buttons carry."""
        stored = snapshots.stored(await self.services.workspaces.read(ref))
        self.services.store.snapshots.save(ref, stored, self.clock.now())
        return stored.fingerprint

    def operation(
        self, action: str, user: str = ALICE, *, ref: Ref | None = None, **fields: Any
    ) -> Operation:
        """Return an operation that somebody asks for now, in this process."""
        defaults = {
            "id": f"{next(self._numbers):06d}-operation",
            "action": action,
            "ref": ref or OBJECTS[BY_NAME[action].kind],
            "actor": Actor(id=user),
            "location": SlackLocation(channel=SOC),
            "retry": self.services.timeouts.retry,
            "accepted_at": self.clock.now(),
            "process_id": self.services.process_id,
        }
        return Operation.model_validate(defaults | fields)

    async def pressed(
        self, action: str, user: str = ALICE, *, ref: Ref | None = None, **fields: Any
    ) -> Operation:
        """Press a button of a card that shows the object as it is now, and is allowed to."""
        operation = self.operation(action, user, ref=ref, **fields)
        fingerprint = await self.shown(operation.ref)
        grant = await authorization.authorize(
            self.services,
            requester(user),
            BY_NAME[action],
            operation.ref,
            attempt_id=operation.id,
            decision_fingerprint=fingerprint,
        )
        changes = {
            "decision_fingerprint": fingerprint,
            "rule": grant.allowed.rule,
            "terms": grant.terms,
        }
        return operation.model_copy(update=changes)

    async def claimed(self, action: str, user: str = ALICE, **fields: Any) -> Operation:
        """Return an operation that has passed its preflight."""
        result = await self.preflight(self.operation(action, user, **fields))
        assert result.operation is not None
        return result.operation

    async def preflight(self, operation: Operation) -> PreflightResult:
        return await preflight.run(self.services, operation)

    def delegate(self, delegator: str, delegate: str) -> None:
        """Let somebody delegate their rights for an hour."""
        now = self.clock.now()
        until = now + timedelta(hours=1)
        delegation = Delegation(delegator=delegator, delegate=delegate, until=until)
        change = RequestedChange(now, self._entry("delegate"))
        RequestedChanges(self.services.store.engine).create_delegation(delegation, change)

    def revoke_delegation(self, delegator: str, delegate: str) -> None:
        change = RequestedChange(self.clock.now(), self._entry("revoke"))
        changes = RequestedChanges(self.services.store.engine)
        changes.revoke_delegation(delegator, delegate, change)

    def choose_calls(self, user: str, calls: CallPreference) -> None:
        """Have somebody called for approvals in this way."""
        change = RequestedChange(self.clock.now(), self._entry("calls"))
        RequestedChanges(self.services.store.engine).choose_calls(user, calls, change)

    def _entry(self, action: str) -> dict[str, Any]:
        return authorization.audit_record(
            self.services, requester(), action, "done", f"{action}-{next(self._numbers)}"
        )

    async def close_directory(self) -> None:
        """Let Slack answer nobody who people are."""
        await self.slack.faults.set(Fault(on="users.info", status=200, code="internal_error"))

    def comment(self, text: str, ref: Ref = TASK) -> None:
        """Let somebody comment on a task in the console."""
        self.secmaster.world.update_task(ref.id, {"action": "ADD_COMMENT", "comment": text}, LIN)

    def audited(self, ref: Ref = TASK) -> list[tuple[str, str]]:
        """Return (person, outcome) of each record about an object, oldest first."""
        entries = self.services.store.audit.entries(ref)
        return [(entry["actor"]["id"], entry["outcome"]) for entry in entries]

    def requests(self, method: str) -> int:
        """Return how many requests of this method SecMaster has had."""
        return sum(request.method == method for request in self.secmaster.requests)

    def calls(self, method: str) -> int:
        """Return how often a method of Slack was called."""
        return sum(call.method == method for call in self.slack.calls)

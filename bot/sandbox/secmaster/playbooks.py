"""Playbook instances: each follows the workflow instances that it started.

It runs no timers: its caller calls ``advance`` for the instances that are ``moving``.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from bot.sandbox.secmaster.history import History
from bot.sandbox.secmaster.runs import Runs
from bot.sandbox.secmaster.wire import (
    INVALID,
    WRONG_STATE,
    Clock,
    Person,
    Record,
    Rejection,
    find_record,
    required_text,
    stamp,
)

RETRY = {"command_type": "ActionInstanceRetryCommand"}
TERMINATE = {"command_type": "ActionInstanceTerminateCommand"}
UNFINISHED = ("RUNNING", "RETRYING", "FAILED")
ENDED = ("FINISHED", "FAILED", "TERMINATED")


class Playbooks:
    """All playbook instances, in SecMaster's JSON shape, with the runs of each in order.

    ``waiting`` are those that wait for an approval; the run that follows it is started by
    ``start``, which is given the playbook instance.
    """

    def __init__(
        self, clock: Clock, history: History, runs: Runs, start: Callable[[Record], Record]
    ) -> None:
        self.instances: dict[str, Record] = {}
        self.runs_of: dict[str, list[str]] = {}
        self.waiting: set[str] = set()
        self.moving: set[str] = set()
        self._clock = clock
        self._history = history
        self._runs = runs
        self._start = start

    def add(self, runs: list[str], *, waits: bool = False, **fields: Any) -> Record:
        """Add a playbook instance, running by default, that started these workflow instances."""
        defaults: Record = {
            "id": str(uuid4()),
            "name": "",
            "playbook": {"id": "", "version_id": "", "name": "", "version": ""},
            "dataclass": {"id": "", "name": ""},
            "dataobject": {"id": "", "name": ""},
            "status": "RUNNING",
            "trigger_type": "EVENT",
            "start_time": stamp(self._clock()),
            "end_time": "",
        }
        instance = defaults | fields
        self.instances[instance["id"]] = instance
        self.runs_of[instance["id"]] = runs
        if waits:
            self.waiting.add(instance["id"])
        self._history.add(instance["id"], "started", at=instance["start_time"])
        return instance

    def get(self, instance_id: str) -> Record:
        return find_record(self.instances, "playbook instance", instance_id)

    def topology(self, instance_id: str) -> Record:
        """Return the actions of a playbook instance: its runs, and the approval it waits for."""
        playbook_id = self.get(instance_id)["playbook"]["id"]
        actions = [
            self._action(playbook_id, instance_id, self._runs.instances[run])
            for run in self.runs_of[instance_id]
            if run in self._runs.instances
        ]
        if instance_id in self.waiting:
            actions.append(_approval(playbook_id, instance_id))
        return {"count": len(actions), "action_instances": actions}

    def operate(self, instance_id: str, body: Record, by: Person) -> Record:
        """Apply the body of a ChangePlaybookInstance request, in the name of ``by``."""
        instance = self.get(instance_id)
        match required_text(body, "operation"):
            case "RETRY":
                self._expect(instance, "retry", "FAILED")
                self._command(instance_id, RETRY, by, "FAILED")
                instance |= {"status": "RETRYING", "end_time": ""}
                self._history.add(instance_id, "retried", by)
            case "TERMINATE":
                self._expect(instance, "terminate", *UNFINISHED)
                self._command(instance_id, TERMINATE, by, *UNFINISHED)
                instance["status"] = "TERMINATING"
                self._history.add(instance_id, "told to terminate", by)
            case unknown:
                raise Rejection(400, INVALID, f"operation {unknown} is not supported")
        self.moving.add(instance_id)
        return instance

    def advance(self, instance_id: str) -> None:
        """Take the next step of a moving playbook instance."""
        self.moving.discard(instance_id)
        instance = self.get(instance_id)
        if instance["status"] == "TERMINATING":
            self._end(instance, "TERMINATED")
        elif instance["status"] == "RETRYING":
            instance["status"] = "RUNNING"
            self._follow(instance)

    def follow_all(self) -> None:
        """Let each playbook instance have the status that follows from those of its runs."""
        for instance in self.instances.values():
            self._follow(instance)

    def approve(self, instance_id: str) -> None:
        """Let a playbook instance that waits for an approval start its next run."""
        instance = self.instances.get(instance_id)
        if instance and instance["status"] == "RUNNING" and instance_id in self.waiting:
            self.waiting.discard(instance_id)
            self.runs_of[instance_id] = [
                *self.runs_of[instance_id],
                self._start(instance)["id"],
            ]

    def stop(self, instance_id: str) -> None:
        """End a playbook instance at once, because its approval was refused."""
        instance = self.instances.get(instance_id)
        if instance and instance["status"] in UNFINISHED:
            self._end(instance, "TERMINATED")

    def _follow(self, instance: Record) -> None:
        id_, before = instance["id"], instance["status"]
        statuses = self._statuses(id_)
        if before not in ("RUNNING", "FAILED") or {"RETRYING", "TERMINATING"} & statuses:
            return
        if "FAILED" in statuses:
            after = "FAILED"
        elif "RUNNING" in statuses or id_ in self.waiting or not statuses:
            after = "RUNNING"
        else:
            after = "FINISHED"
        if after == before:
            return
        if after == "RUNNING":
            instance |= {"status": after, "end_time": ""}
        else:
            self._end(instance, after)

    def _statuses(self, instance_id: str) -> set[str]:
        records = (self._runs.instances.get(run) for run in self.runs_of[instance_id])
        return {record["status"] for record in records if record}

    def _command(self, instance_id: str, body: Record, by: Person, *statuses: str) -> None:
        """Give a command to the playbook instance's runs in one of these statuses."""
        for run in self.runs_of[instance_id]:
            if (record := self._runs.instances.get(run)) and record["status"] in statuses:
                self._runs.command(run, body, by)

    def _end(self, instance: Record, status: str) -> None:
        instance |= {"status": status, "end_time": stamp(self._clock())}
        self.waiting.discard(instance["id"])
        self._history.add(instance["id"], status.lower())

    def _expect(self, instance: Record, operation: str, *statuses: str) -> None:
        if instance["status"] not in statuses:
            message = f"cannot {operation} an instance whose status is {instance['status']}"
            raise Rejection(400, WRONG_STATE, message)

    def _action(self, playbook_id: str, instance_id: str, run: Record) -> Record:
        nodes = run["topology"]["audit_logs"]
        errors = [node["error_msg"] for node in nodes if node["error_msg"]]
        return {
            "action": {
                "id": f"action-{run['workflow']['id']}",
                "name": run["workflow"]["name"],
                "action_type": "AOP_WORKFLOW",
                "action_id": run["workflow"]["id"],
                "playbook_id": playbook_id,
            },
            "instance_log": {
                "instance_type": "AOP_WORKFLOW",
                "action_id": run["workflow"]["id"],
                "action_name": run["workflow"]["name"],
                "instance_id": run["id"],
                "parent_instance_id": instance_id,
                "input": "{}",
                "output": None,
                "error_msg": errors[-1] if errors else "",
                "start_time": run["start_time"],
                "end_time": run["end_time"],
                "status": run["status"],
            },
        }


def _approval(playbook_id: str, instance_id: str) -> Record:
    action = {"id": "action-approval", "name": "Approval", "playbook_id": playbook_id}
    log = {
        "instance_type": "SCRIPT",
        "action_name": "Approval",
        "parent_instance_id": instance_id,
        "status": "RUNNING",
    }
    return {"action": action, "instance_log": log}

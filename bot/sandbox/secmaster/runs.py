"""Workflow instances: the effects of commands, approvals and steps on them.

It runs no timers: its caller calls ``advance`` for the instances that are ``moving``.
"""

import json
from dataclasses import dataclass, field
from uuid import uuid4

from bot.sandbox import strict_json
from bot.sandbox.secmaster.history import NOBODY, History
from bot.sandbox.secmaster.wire import (
    INVALID,
    NOT_FOUND,
    WRONG_STATE,
    Clock,
    Person,
    Record,
    Rejection,
    node_record,
    required_text,
    stamp,
)


@dataclass
class Script:
    """The future of an instance: the names of its next nodes, and the error its retry meets.

    An empty ``relapse`` lets a retry succeed.
    """

    upcoming: list[str] = field(default_factory=list)
    relapse: str = ""


class Runs:
    """All workflow instances, in SecMaster's JSON shape, each with the script it follows."""

    def __init__(self, clock: Clock, history: History) -> None:
        self.instances: dict[str, Record] = {}
        self.scripts: dict[str, Script] = {}
        self.moving: set[str] = set()
        self._clock = clock
        self._history = history

    def add(self, instance: Record, script: Script | None = None) -> Record:
        self.instances[instance["id"]] = instance
        self.scripts[instance["id"]] = script or Script()
        self._record_past(instance)
        return instance

    def get(self, instance_id: str) -> Record:
        if instance_id not in self.instances:
            raise Rejection(404, NOT_FOUND, f"instance {instance_id} does not exist")
        return self.instances[instance_id]

    def delete(self, instance_id: str) -> Record:
        """Delete an instance, whatever its status."""
        instance = self.get(instance_id)
        del self.instances[instance_id], self.scripts[instance_id]
        self.moving.discard(instance_id)
        self._history.forget(instance_id)
        return instance

    def command(self, instance_id: str, body: Record, by: Person) -> None:
        """Apply the body of an UpdateWorkflowInstance request, in the name of ``by``."""
        instance = self.get(instance_id)
        match required_text(body, "command_type"):
            case "ActionInstanceRetryCommand":
                self._retry(instance, by)
            case "ActionInstanceTerminateCommand":
                self._terminate(instance, by)
            case "ActionInstanceDebugCommand":
                node = _debug(instance, body)
                self._history.add(instance_id, f"given parameters at {node}", by)
            case unknown:
                raise Rejection(400, INVALID, f"command_type {unknown} is not supported")

    def advance(self, instance_id: str) -> None:
        """Take the next step of a moving instance."""
        instance = self.get(instance_id)
        match instance["status"]:
            case "RETRYING":
                instance["status"] = "RUNNING"
                for node in _nodes(instance):
                    if node["status"] == "FAILED":
                        node.update(status="RUNNING", error_msg="", end_time="")
            case "RUNNING":
                relapse = self.scripts[instance_id].relapse
                if relapse:
                    self._fail(instance, relapse)
                else:
                    self._next(instance)
            case "TERMINATING":
                self._finish(instance, "TERMINATED")
            case _:
                self.moving.discard(instance_id)

    def approve(self, instance_id: str) -> None:
        """Let an instance that waits at its approval node continue."""
        instance = self.instances.get(instance_id)
        if instance and instance["status"] == "RUNNING":
            self._next(instance)

    def stop(self, instance_id: str) -> None:
        """End an instance at once, because its approval was refused."""
        instance = self.instances.get(instance_id)
        if instance and instance["status"] in ("RUNNING", "RETRYING", "FAILED"):
            self._finish(instance, "TERMINATED")

    def fail(self, instance_id: str, error_msg: str, by: Person) -> Record:
        """Fail an instance at its running nodes, in the name of ``by``."""
        instance = self.get(instance_id)
        _expect(instance, "fail", "RUNNING", "RETRYING")
        self._fail(instance, error_msg, by)
        return instance

    def _record_past(self, instance: Record) -> None:
        """Record the events that led to the state in which an instance is added."""
        id_, status, end_time = instance["id"], instance["status"], instance["end_time"]
        self._history.add(id_, "started", at=instance["start_time"])
        for node in _nodes(instance):
            if node["status"] == "FAILED":
                what, error_msg = f"failed at {node['action_name']}", node["error_msg"]
                self._history.add(id_, what, detail=error_msg, at=end_time)
        if status in ("FINISHED", "TERMINATED"):
            self._history.add(id_, status.lower(), at=end_time)

    def _retry(self, instance: Record, by: Person) -> None:
        _expect(instance, "retry", "FAILED")
        instance |= {
            "status": "RETRYING",
            "retry_count": instance["retry_count"] + 1,
            "end_time": "",
        }
        self.moving.add(instance["id"])
        self._history.add(instance["id"], "retried", by)

    def _terminate(self, instance: Record, by: Person) -> None:
        _expect(instance, "terminate", "RUNNING", "RETRYING", "FAILED")
        instance["status"] = "TERMINATING"
        self.moving.add(instance["id"])
        self._history.add(instance["id"], "told to terminate", by)

    def _next(self, instance: Record) -> None:
        """Finish the running nodes and start the next one, or finish the instance."""
        self._close(instance, {"status": "FINISHED", "succeed": True})
        upcoming = self.scripts[instance["id"]].upcoming
        if not upcoming:
            self._finish(instance, "FINISHED")
            return
        node = node_record(str(uuid4()), upcoming.pop(0), parent_instance_id=instance["id"])
        node["start_time"] = self._now()
        _nodes(instance).append(node)
        self.moving.add(instance["id"])
        self._history.add(instance["id"], f"reached {node['action_name']}")

    def _fail(self, instance: Record, error_msg: str, by: Person = NOBODY) -> None:
        nodes = self._close(instance, {"status": "FAILED", "error_msg": error_msg})
        self._end(instance, "FAILED")
        location = f" at {', '.join(nodes)}" if nodes else ""
        self._history.add(instance["id"], f"failed{location}", by, detail=error_msg)

    def _close(self, instance: Record, outcome: Record) -> list[str]:
        """End the running nodes; returns their names."""
        running = [node for node in _nodes(instance) if node["status"] == "RUNNING"]
        for node in running:
            node.update(outcome, end_time=self._now())
        return [node["action_name"] for node in running]

    def _finish(self, instance: Record, status: str) -> None:
        self._end(instance, status)
        self._history.add(instance["id"], status.lower())

    def _end(self, instance: Record, status: str) -> None:
        instance |= {"status": status, "end_time": self._now()}
        self.moving.discard(instance["id"])

    def _now(self) -> str:
        return stamp(self._clock())


def _nodes(instance: Record) -> list[Record]:
    nodes: list[Record] = instance["topology"]["audit_logs"]
    return nodes


def _expect(instance: Record, operation: str, *statuses: str) -> None:
    """Raise a rejection unless the instance has one of these statuses."""
    if instance["status"] not in statuses:
        message = f"cannot {operation} an instance whose status is {instance['status']}"
        raise Rejection(400, WRONG_STATE, message)


def _debug(instance: Record, body: Record) -> str:
    """Add parameters to a node's input; returns the node's name."""
    action_id = required_text(body, "task_id")
    try:
        parameters = strict_json.loads(required_text(body, "input_dataobject"))
    except ValueError:
        parameters = None
    if not isinstance(parameters, list):
        raise Rejection(400, INVALID, "input_dataobject must be a JSON array in a string")
    if instance["trigger_type"] != "DEBUG":
        _expect(instance, "debug", "RUNNING", "FAILED")
    node = next((node for node in _nodes(instance) if node["action_id"] == action_id), None)
    if node is None:
        raise Rejection(400, INVALID, f"task_id {action_id} is no node of this instance")
    node["input"] = json.dumps([*json.loads(node["input"] or "[]"), *parameters])
    return str(node["action_name"])

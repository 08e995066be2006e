"""The state of one SecMaster workspace and every change it allows. No HTTP, no timers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from bot.sandbox.secmaster.history import History
from bot.sandbox.secmaster.runs import Runs, Script
from bot.sandbox.secmaster.wire import (
    INVALID,
    NOT_FOUND,
    NOT_WAITING,
    Clock,
    Person,
    Record,
    Rejection,
    instance_record,
    needed,
    node_record,
    stamp,
    task_record,
)

# Undocumented; the real one must have some limit, and a client must meet its refusal.
COMMENT_LIMIT = 4096
DUE_IN = timedelta(days=15)
SYSTEM = Person("system", "system", via="")
CONSOLE = Person("", "")


class World:
    """Tasks, instances and attachments by id, in wire shape; ``changed`` is told of each change."""

    def __init__(
        self,
        *,
        clock: Clock,
        project_id: str,
        workspace_id: str,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = clock
        self.project_id = project_id
        self.workspace_id = workspace_id
        self.tasks: dict[str, Record] = {}
        self.attachments: dict[str, Record] = {}
        self.contents: dict[str, bytes] = {}
        self.history = History(clock)
        self.runs = Runs(clock, self.history)
        self._changed = changed

    @property
    def instances(self) -> dict[str, Record]:
        return self.runs.instances

    @property
    def moving(self) -> set[str]:
        """The instances that have a next step to take."""
        return self.runs.moving

    def task(self, task_id: str) -> Record:
        return _found(self.tasks, "task", task_id)

    def instance(self, instance_id: str) -> Record:
        return self.runs.get(instance_id)

    def attachment(self, attachment_id: str) -> Record:
        return _found(self.attachments, "attachment", attachment_id)

    def update_task(self, task_id: str, body: Record, by: Person) -> Record:
        """Do what UpdateTask was asked to, in the name of ``by``."""
        task = self.task(task_id)
        match needed(body, "action"):
            case "CONTINUE" | "TERMINATE" as decision:
                self._decide(task, decision, by)
            case "ADD_COMMENT":
                self._comment(task, needed(body, "comment"), by)
            case "DELETE_COMMENT":
                self._uncomment(task, needed(body, "comment_id"), by)
            case "ADD_ATTACHMENT":
                self._attach(task, needed(body, "attachment_id"), by)
            case "DELETE_ATTACHMENT":
                self._detach(task, needed(body, "attachment_id"), by)
            case unknown:
                raise Rejection(400, INVALID, f"action {unknown} is not supported")
        self._touch(task, by)
        self._changed()
        return task

    def update_instance(self, instance_id: str, body: Record, by: Person) -> None:
        """Do what UpdateWorkflowInstance was asked to, in the name of ``by``."""
        self.runs.command(instance_id, body, by)
        self._changed()

    def advance(self, instance_id: str) -> None:
        """Take the next step of a moving run; one that is terminated leaves nothing to decide."""
        self.runs.advance(instance_id)
        if self.instances[instance_id]["status"] == "TERMINATED":
            self._cancel_tasks(instance_id)
        self._changed()

    def fail(self, instance_id: str, error_msg: str) -> Record:
        instance = self.runs.fail(instance_id, error_msg, CONSOLE)
        self._changed()
        return instance

    def upload(self, file_name: str, content: bytes, by: Person, *, id_: str = "") -> Record:
        """Store a file that a task may then list."""
        now = stamp(self.clock())
        attachment: Record = {
            "id": id_ or str(uuid4()),
            "file_name": file_name,
            "file_folder": "user_task",
            "workspace_id": self.workspace_id,
            "creator_id": by.id,
            "creator_name": by.name,
            "create_time": now,
            "update_time": now,
            "modifier_id": by.id,
            "modifier_name": by.name,
            "is_deleted": False,
            "storage_type": "OBS",
            "storage_url": f"user_task/{file_name}",
        }
        self.attachments[attachment["id"]] = attachment
        self.contents[attachment["id"]] = content
        self._changed()
        return attachment

    def add_task(self, **fields: Any) -> Record:
        """Add a task; one about a workflow's node brings the run it holds up, unless given."""
        now = self.clock()
        defaults = {
            "id": str(uuid4()),
            "project_id": self.project_id,
            "workspace_id": self.workspace_id,
            "create_time": stamp(now),
            "update_time": stamp(now),
            "creator_id": SYSTEM.id,
            "creator_name": SYSTEM.name,
            "due_date": stamp(now + DUE_IN),
            "business_type": "WORKFLOWNODEAPPROVE",
        }
        task = task_record(**(defaults | fields))
        task["aopengine_task_id"] = task["aopengine_task_id"] or task["id"]
        if task["business_type"] == "WORKFLOWNODEAPPROVE" and not task["action_instance_id"]:
            task["action_instance_id"] = self._held_up(task["name"])["id"]
        self.tasks[task["id"]] = task
        creator = Person(task["creator_id"], task["creator_name"], via="")
        self.history.add(task["id"], "created", creator, at=task["create_time"])
        self._changed()
        return task

    def add_instance(self, script: Script | None = None, **fields: Any) -> Record:
        """Add an instance, running unless told; ``script`` says how it will go on."""
        defaults = {"id": str(uuid4()), "start_time": stamp(self.clock())}
        instance = self.runs.add(instance_record(**(defaults | fields)), script)
        self._changed()
        return instance

    def _held_up(self, name: str) -> Record:
        waiting = node_record(str(uuid4()), "Approval", start_time=stamp(self.clock()))
        script = Script(upcoming=[name or "Response"])
        return self.add_instance(script, name=name, topology={"audit_logs": [waiting]})

    def _decide(self, task: Record, decision: str, by: Person) -> None:
        if task["status"] != "waiting":
            raise Rejection(400, NOT_WAITING, f"the task is already {task['status']}")
        task["approver"] = by.name
        if decision == "CONTINUE":
            task["status"] = "finished"
            self.history.add(task["id"], "continued", by)
            self.runs.approve(task["action_instance_id"])
        else:
            task["status"] = "canceled"
            self.history.add(task["id"], "terminated", by)
            self.runs.stop(task["action_instance_id"])

    def _cancel_tasks(self, instance_id: str) -> None:
        for task in self.tasks.values():
            if task["action_instance_id"] == instance_id and task["status"] == "waiting":
                task["status"] = "canceled"
                self.history.add(task["id"], "canceled with its instance")
                self._touch(task, SYSTEM)

    def _comment(self, task: Record, message: str, by: Person) -> None:
        if len(message) > COMMENT_LIMIT:
            raise Rejection(400, INVALID, f"comment is longer than {COMMENT_LIMIT} characters")
        comment = {
            "id": str(uuid4()),
            "message": message,
            "user_id": by.id,
            "user_name": by.name,
            "time": int(self.clock().timestamp() * 1000),
        }
        task["comments"] = [*_listed(task, "comments"), comment]
        self.history.add(task["id"], "commented", by, detail=message)

    def _uncomment(self, task: Record, comment_id: str, by: Person) -> None:
        comments = _listed(task, "comments")
        gone = next((comment for comment in comments if comment["id"] == comment_id), None)
        if gone is None:
            raise Rejection(404, NOT_FOUND, f"comment {comment_id} does not exist")
        task["comments"] = [comment for comment in comments if comment is not gone]
        self.history.add(task["id"], "comment removed", by, detail=gone["message"])

    def _attach(self, task: Record, attachment_id: str, by: Person) -> None:
        name = self.attachment(attachment_id)["file_name"]
        listed = _listed(task, "attachment_id_list")
        if attachment_id in listed:
            raise Rejection(400, INVALID, f"attachment {attachment_id} is already listed")
        task["attachment_id_list"] = [*listed, attachment_id]
        self.history.add(task["id"], "file attached", by, detail=name)

    def _detach(self, task: Record, attachment_id: str, by: Person) -> None:
        listed = _listed(task, "attachment_id_list")
        if attachment_id not in listed:
            raise Rejection(400, INVALID, f"attachment {attachment_id} is not listed")
        task["attachment_id_list"] = [id_ for id_ in listed if id_ != attachment_id]
        name = self.attachment(attachment_id)["file_name"]
        self.history.add(task["id"], "file taken off", by, detail=name)

    def _touch(self, task: Record, by: Person) -> None:
        task |= {
            "update_time": stamp(self.clock()),
            "modifier_id": by.id,
            "modifier_name": by.name,
        }


def _found(records: dict[str, Record], kind: str, id_: str) -> Record:
    if id_ not in records:
        raise Rejection(404, NOT_FOUND, f"{kind} {id_} does not exist")
    return records[id_]


def _listed(task: Record, field: str) -> list[Any]:
    """A list in a task, which may as well be missing or null."""
    return task.get(field) or []

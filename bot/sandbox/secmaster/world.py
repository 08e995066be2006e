"""The state of one SecMaster workspace and every change it allows. No HTTP, no timers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from bot.sandbox.secmaster.arrivals import new_failure, new_task
from bot.sandbox.secmaster.definitions import Blocks, Definitions
from bot.sandbox.secmaster.findings import Findings
from bot.sandbox.secmaster.history import History
from bot.sandbox.secmaster.playbooks import Playbooks
from bot.sandbox.secmaster.runs import Runs, Script
from bot.sandbox.secmaster.tasks import Tasks
from bot.sandbox.secmaster.wire import (
    SYSTEM,
    Clock,
    Person,
    Record,
    find_record,
    instance_record,
    node_record,
    stamp,
    task_record,
)

DUE_IN = timedelta(days=15)
CONSOLE = Person("", "")


class World:
    """Tasks, instances and attachments by id, in SecMaster's JSON shape.

    ``changed`` is called after each change.
    """

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
        self.attachments: dict[str, Record] = {}
        self.contents: dict[str, bytes] = {}
        self.history = History(clock)
        self.runs = Runs(clock, self.history)
        self.playbooks = Playbooks(clock, self.history, self.runs, self._start_response)
        self.findings = Findings(clock, project_id, workspace_id)
        self.definitions = Definitions()
        self.blocks = Blocks(self.runs.instances)
        self.changes = 0  # all of them, also those that ``changed`` is not called for
        holders = (self.runs, self.playbooks)
        self._tasks = Tasks(clock, self.history, holders, self.attachments)
        self._notify = changed
        self._quiet = False

    @property
    def tasks(self) -> dict[str, Record]:
        return self._tasks.tasks

    @property
    def instances(self) -> dict[str, Record]:
        return self.runs.instances

    @property
    def moving(self) -> set[str]:
        """The ids of the instances, of workflows and playbooks, that have a next step to take."""
        return self.runs.moving | self.playbooks.moving

    @property
    def next_due(self) -> datetime | None:
        """The next due date at which ``expire`` may end a task."""
        return self._tasks.due.next()

    def task(self, task_id: str) -> Record:
        return self._tasks.get(task_id)

    def instance(self, instance_id: str) -> Record:
        return self.runs.get(instance_id)

    def attachment(self, attachment_id: str) -> Record:
        return find_record(self.attachments, "attachment", attachment_id)

    def update_task(self, task_id: str, body: Record, by: Person) -> Record:
        """Apply the body of an UpdateTask request, in the name of ``by``."""
        task = self._tasks.update(task_id, body, by)
        self._changed()
        return task

    def update_instance(self, instance_id: str, body: Record, by: Person) -> None:
        """Apply the body of an UpdateWorkflowInstance request, in the name of ``by``."""
        self.runs.command(instance_id, body, by)
        self._changed()

    def operate_playbook(self, instance_id: str, body: Record, by: Person) -> Record:
        """Apply the body of a ChangePlaybookInstance request, in the name of ``by``."""
        instance = self.playbooks.operate(instance_id, body, by)
        self._changed()
        return instance

    def advance(self, instance_id: str) -> None:
        """Take the next step of a moving instance; its tasks are canceled if it terminates."""
        if instance_id in self.playbooks.instances:
            self.playbooks.advance(instance_id)
            status = self.playbooks.instances[instance_id]["status"]
        else:
            self.runs.advance(instance_id)
            status = self.instances[instance_id]["status"]
        if status == "TERMINATED":
            self._tasks.cancel_about(instance_id)
        self._changed()

    def expire(self) -> list[str]:
        """End the waiting tasks whose due date has passed, as their ``due_handle`` says.

        Returns their ids. A task that was overdue when it was added stays as it is.
        """
        expired = self._tasks.expire()
        if expired:
            self._changed()
        return expired

    def delete_task(self, task_id: str) -> Record:
        """Delete a task; the instance it holds up keeps waiting."""
        task = self._tasks.delete(task_id)
        self._changed()
        return task

    def delete_instance(self, instance_id: str) -> Record:
        """Delete an instance; a task about it stays."""
        instance = self.runs.delete(instance_id)
        self._changed()
        return instance

    def fail(self, instance_id: str, error_msg: str) -> Record:
        """Fail a running instance."""
        instance = self.runs.fail(instance_id, error_msg, CONSOLE)
        self._changed()
        return instance

    def upload(self, file_name: str, content: bytes, by: Person, *, id_: str = "") -> Record:
        """Store a file, which a task may then list as an attachment."""
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

    def add_finding(self, dataclass: Record, **fields: Any) -> Record:
        """Add an alert or another object of a data class; returns its envelope."""
        finding = self.findings.add(dataclass, **fields)
        self._changed()
        return finding

    def change_finding(self, id_: str, **fields: Any) -> Record:
        """Change fields of an alert or another object, which no task learns of."""
        finding = self.findings.change(id_, **fields)
        self._changed()
        return finding

    def add_task(self, finding: Record | None = None, /, **fields: Any) -> Record:
        """Add a task, waiting by default.

        One about a node gets an instance that waits for it, unless it names one. ``finding`` is
        the envelope of the object that this instance is about.
        """
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
            node = node_record(str(uuid4()), "Approval", start_time=stamp(self.clock()))
            instance = self.add_instance(
                Script(upcoming=[task["name"] or "Response"]),
                name=task["name"],
                topology={"audit_logs": [node]},
                **about(finding),
            )
            task["action_instance_id"] = instance["id"]
        if finding and task["business_type"] == "PLAYBOOKNODEAPPROVE":
            inner = finding["data_object"]
            playbook = self.playbooks.add(
                [],
                waits=True,
                name=task["name"],
                playbook={
                    "id": "pb000001",
                    "name": "Alert response",
                    "version_id": "",
                    "version": "",
                },
                dataclass=dict(finding["dataclass_ref"]),
                dataobject={"id": inner["id"], "name": inner["title"]},
            )
            task["action_instance_id"] = task["action_instance_id"] or playbook["id"]
        self._tasks.add(task)
        self._changed()
        return task

    def add_instance(self, script: Script | None = None, **fields: Any) -> Record:
        """Add an instance, running by default; ``script`` says how it will continue."""
        defaults = {"id": str(uuid4()), "start_time": stamp(self.clock())}
        instance = self.runs.add(instance_record(**(defaults | fields)), script)
        self._changed()
        return instance

    def add_many(self, tasks: int, failures: int) -> None:
        """Let so many tasks and failed instances arrive at once, as one change."""
        self._quiet = True
        try:
            for number in range(tasks):
                new_task(self, number)
            for number in range(failures):
                new_failure(self, number)
        finally:
            self._quiet = False
            self._changed()

    def _start_response(self, playbook: Record) -> Record:
        """Start the run that follows the approval in a playbook instance."""
        instance = self.runs.add(
            instance_record(
                id=str(uuid4()),
                name=playbook["name"],
                start_time=stamp(self.clock()),
                playbook={key: playbook["playbook"][key] for key in ("id", "name")},
                dataclass=dict(playbook["dataclass"]),
                dataobject_id=playbook["dataobject"]["id"],
                topology={
                    "audit_logs": [
                        node_record(str(uuid4()), "Respond", start_time=stamp(self.clock()))
                    ]
                },
            )
        )
        self.runs.moving.add(instance["id"])
        return instance

    def _changed(self) -> None:
        self.changes += 1
        if not self._quiet:
            self.playbooks.follow_all()
            self._notify()


def about(finding: Record | None) -> Record:
    """Return the fields of a workflow instance that is about this object."""
    if finding is None:
        return {}
    dataclass: Record = finding["dataclass_ref"]
    return {
        "dataobject_id": finding["id"],
        "dataclass": dataclass | {"en_name": dataclass["name"]},
        "playbook": {"id": "pb000001", "name": "Alert response", "en_name": "Alert response"},
    }

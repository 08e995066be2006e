"""The state of one SecMaster workspace and every change it allows. No HTTP, no timers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from bot.sandbox.secmaster.arrivals import new_failure, new_task
from bot.sandbox.secmaster.history import History
from bot.sandbox.secmaster.runs import Runs, Script
from bot.sandbox.secmaster.tasks import Tasks
from bot.sandbox.secmaster.wire import (
    SYSTEM,
    Clock,
    Person,
    Record,
    found,
    instance_record,
    node_record,
    stamp,
    task_record,
)

DUE_IN = timedelta(days=15)
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
        self.attachments: dict[str, Record] = {}
        self.contents: dict[str, bytes] = {}
        self.history = History(clock)
        self.runs = Runs(clock, self.history)
        self.changes = 0  # told or not
        self._tasks = Tasks(clock, self.history, self.runs, self.attachments)
        self._tell = changed
        self._quiet = False

    @property
    def tasks(self) -> dict[str, Record]:
        return self._tasks.tasks

    @property
    def instances(self) -> dict[str, Record]:
        return self.runs.instances

    @property
    def moving(self) -> set[str]:
        """The instances that have a next step to take."""
        return self.runs.moving

    @property
    def next_due(self) -> datetime | None:
        """When ``expire`` has something to do next, unless it was decided by then."""
        return self._tasks.due.next()

    def task(self, task_id: str) -> Record:
        return self._tasks.get(task_id)

    def instance(self, instance_id: str) -> Record:
        return self.runs.get(instance_id)

    def attachment(self, attachment_id: str) -> Record:
        return found(self.attachments, "attachment", attachment_id)

    def update_task(self, task_id: str, body: Record, by: Person) -> Record:
        """Do what UpdateTask was asked to, in the name of ``by``."""
        task = self._tasks.update(task_id, body, by)
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
            self._tasks.cancel_about(instance_id)
        self._changed()

    def expire(self) -> list[str]:
        """End the waiting tasks whose due date has passed as each one's ``due_handle`` says.

        The ids of those that ended. A task that was overdue when it was added stays as it is.
        """
        ended = self._tasks.expire()
        if ended:
            self._changed()
        return ended

    def delete_task(self, task_id: str) -> Record:
        """Forget a task; the run it holds up goes on waiting."""
        task = self._tasks.delete(task_id)
        self._changed()
        return task

    def delete_instance(self, instance_id: str) -> Record:
        """Forget a run; a task about it stays."""
        instance = self.runs.delete(instance_id)
        self._changed()
        return instance

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
        self._tasks.add(task)
        self._changed()
        return task

    def add_instance(self, script: Script | None = None, **fields: Any) -> Record:
        """Add an instance, running unless told; ``script`` says how it will go on."""
        defaults = {"id": str(uuid4()), "start_time": stamp(self.clock())}
        instance = self.runs.add(instance_record(**(defaults | fields)), script)
        self._changed()
        return instance

    def add_many(self, tasks: int, failures: int) -> None:
        """Let so many tasks and failed runs arrive at once, as one change."""
        with self._as_one_change():
            for number in range(tasks):
                new_task(self, number)
            for number in range(failures):
                new_failure(self, number)

    @contextmanager
    def _as_one_change(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
            self._changed()

    def _changed(self) -> None:
        self.changes += 1
        if not self._quiet:
            self._tell()

    def _held_up(self, name: str) -> Record:
        waiting = node_record(str(uuid4()), "Approval", start_time=stamp(self.clock()))
        script = Script(upcoming=[name or "Response"])
        return self.add_instance(script, name=name, topology={"audit_logs": [waiting]})

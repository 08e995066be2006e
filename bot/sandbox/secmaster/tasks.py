"""Tasks: the effects of decisions, comments, attachments and due dates on them.

It runs no timers: its caller calls ``expire`` when a task is due.
"""

from typing import Any
from uuid import uuid4

from bot.sandbox.secmaster.due_dates import ENDINGS, DueDates
from bot.sandbox.secmaster.history import History
from bot.sandbox.secmaster.playbooks import Playbooks
from bot.sandbox.secmaster.runs import Runs
from bot.sandbox.secmaster.wire import (
    INVALID,
    NOT_FOUND,
    NOT_WAITING,
    SYSTEM,
    Clock,
    Person,
    Record,
    Rejection,
    find_record,
    required_text,
    stamp,
)

# Undocumented; the real one must have some limit, and a client must meet its refusal.
COMMENT_LIMIT = 4096


class Tasks:
    """All tasks, in SecMaster's JSON shape. A decision is passed to what waits for it."""

    def __init__(
        self,
        clock: Clock,
        history: History,
        holders: tuple[Runs, Playbooks],
        attachments: dict[str, Record],
    ) -> None:
        self.tasks: dict[str, Record] = {}
        self.due = DueDates()
        self._clock = clock
        self._history = history
        self._holders = holders
        self._attachments = attachments

    def get(self, task_id: str) -> Record:
        return find_record(self.tasks, "task", task_id)

    def add(self, task: Record) -> None:
        self.tasks[task["id"]] = task
        creator = Person(task["creator_id"], task["creator_name"], via="")
        self._history.add(task["id"], "created", creator, at=task["create_time"])
        if task["status"] == "waiting":
            self.due.watch(task, self._clock())

    def delete(self, task_id: str) -> Record:
        task = self.get(task_id)
        del self.tasks[task_id]
        self._history.forget(task_id)
        return task

    def update(self, task_id: str, body: Record, by: Person) -> Record:
        """Apply the body of an UpdateTask request, in the name of ``by``."""
        task = self.get(task_id)
        match required_text(body, "action"):
            case "CONTINUE" | "TERMINATE" as decision:
                self._decide(task, decision, by)
            case "ADD_COMMENT":
                self._comment(task, required_text(body, "comment"), by)
            case "DELETE_COMMENT":
                self._uncomment(task, required_text(body, "comment_id"), by)
            case "ADD_ATTACHMENT":
                self._attach(task, required_text(body, "attachment_id"), by)
            case "DELETE_ATTACHMENT":
                self._detach(task, required_text(body, "attachment_id"), by)
            case unknown:
                raise Rejection(400, INVALID, f"action {unknown} is not supported")
        self._touch(task, by)
        return task

    def expire(self) -> list[str]:
        """End the waiting tasks whose due date has passed; returns their ids."""
        due = [self.tasks[id_] for id_ in self.due.pop_due(self._clock()) if id_ in self.tasks]
        expired = [task for task in due if task["status"] == "waiting"]
        for task in expired:
            task["status"], what = ENDINGS[task["due_handle"]]
            self._history.add(task["id"], what)
            if task["status"] == "finished":
                self._approve(task)
            else:
                self._stop(task)
            self._touch(task, SYSTEM)
        return [task["id"] for task in expired]

    def cancel_about(self, instance_id: str) -> None:
        """Cancel the waiting tasks about an instance that is terminated."""
        for task in self.tasks.values():
            if task["action_instance_id"] == instance_id and task["status"] == "waiting":
                task["status"] = "canceled"
                self._history.add(task["id"], "canceled with its instance")
                self._touch(task, SYSTEM)

    def _decide(self, task: Record, decision: str, by: Person) -> None:
        if task["status"] != "waiting":
            raise Rejection(400, NOT_WAITING, f"the task is already {task['status']}")
        task["approver"] = by.name
        if decision == "CONTINUE":
            task["status"] = "finished"
            self._history.add(task["id"], "continued", by)
            self._approve(task)
        else:
            task["status"] = "canceled"
            self._history.add(task["id"], "terminated", by)
            self._stop(task)

    def _approve(self, task: Record) -> None:
        """Let what waits for the task continue, be it a run of a workflow or of a playbook."""
        for holder in self._holders:
            holder.approve(task["action_instance_id"])

    def _stop(self, task: Record) -> None:
        for holder in self._holders:
            holder.stop(task["action_instance_id"])

    def _comment(self, task: Record, message: str, by: Person) -> None:
        if len(message) > COMMENT_LIMIT:
            raise Rejection(400, INVALID, f"comment is longer than {COMMENT_LIMIT} characters")
        comment = {
            "id": str(uuid4()),
            "message": message,
            "user_id": by.id,
            "user_name": by.name,
            "time": int(self._clock().timestamp() * 1000),
        }
        task["comments"] = [*_list(task, "comments"), comment]
        self._history.add(task["id"], "commented", by, detail=message)

    def _uncomment(self, task: Record, comment_id: str, by: Person) -> None:
        comments = _list(task, "comments")
        comment = next((item for item in comments if item["id"] == comment_id), None)
        if comment is None:
            raise Rejection(404, NOT_FOUND, f"comment {comment_id} does not exist")
        task["comments"] = [item for item in comments if item is not comment]
        self._history.add(task["id"], "comment removed", by, detail=comment["message"])

    def _attach(self, task: Record, attachment_id: str, by: Person) -> None:
        name = find_record(self._attachments, "attachment", attachment_id)["file_name"]
        attachment_ids = _list(task, "attachment_id_list")
        if attachment_id in attachment_ids:
            raise Rejection(400, INVALID, f"attachment {attachment_id} is already listed")
        task["attachment_id_list"] = [*attachment_ids, attachment_id]
        self._history.add(task["id"], "file attached", by, detail=name)

    def _detach(self, task: Record, attachment_id: str, by: Person) -> None:
        attachment_ids = _list(task, "attachment_id_list")
        if attachment_id not in attachment_ids:
            raise Rejection(400, INVALID, f"attachment {attachment_id} is not listed")
        task["attachment_id_list"] = [id_ for id_ in attachment_ids if id_ != attachment_id]
        name = find_record(self._attachments, "attachment", attachment_id)["file_name"]
        self._history.add(task["id"], "file taken off", by, detail=name)

    def _touch(self, task: Record, by: Person) -> None:
        """Record on the task who changed it, and when."""
        task |= {
            "update_time": stamp(self._clock()),
            "modifier_id": by.id,
            "modifier_name": by.name,
        }


def _list(task: Record, field: str) -> list[Any]:
    """Return a list of the task; a field that is missing or null counts as empty."""
    return task.get(field) or []

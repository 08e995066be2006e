"""Tasks: what a decision, a comment, a file or its due date does to one.

It knows no time of its own: whoever owns the clock calls ``expire`` when something is due.
"""

from typing import Any
from uuid import uuid4

from bot.sandbox.secmaster.due import ENDINGS, DueDates
from bot.sandbox.secmaster.history import History
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
    found,
    needed,
    stamp,
)

# Undocumented; the real one must have some limit, and a client must meet its refusal.
COMMENT_LIMIT = 4096


class Tasks:
    """All tasks, in wire shape. What is decided about one, its run is told."""

    def __init__(
        self, clock: Clock, history: History, runs: Runs, attachments: dict[str, Record]
    ) -> None:
        self.tasks: dict[str, Record] = {}
        self.due = DueDates()
        self._clock = clock
        self._history = history
        self._runs = runs
        self._attachments = attachments

    def get(self, task_id: str) -> Record:
        return found(self.tasks, "task", task_id)

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
        """Do what UpdateTask was asked to, in the name of ``by``."""
        task = self.get(task_id)
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
        return task

    def expire(self) -> list[str]:
        """End the waiting tasks whose due date has passed; their ids."""
        due = [self.tasks[id_] for id_ in self.due.passed(self._clock()) if id_ in self.tasks]
        ended = [task for task in due if task["status"] == "waiting"]
        for task in ended:
            self._end(task)
        return [task["id"] for task in ended]

    def cancel_about(self, instance_id: str) -> None:
        """Cancel what waits for a decision about a run that is terminated."""
        for task in self.tasks.values():
            if task["action_instance_id"] == instance_id and task["status"] == "waiting":
                task["status"] = "canceled"
                self._history.add(task["id"], "canceled with its instance")
                self._touch(task, SYSTEM)

    def _end(self, task: Record) -> None:
        task["status"], what = ENDINGS[task["due_handle"]]
        self._history.add(task["id"], what)
        if task["status"] == "finished":
            self._runs.approve(task["action_instance_id"])
        else:
            self._runs.stop(task["action_instance_id"])
        self._touch(task, SYSTEM)

    def _decide(self, task: Record, decision: str, by: Person) -> None:
        if task["status"] != "waiting":
            raise Rejection(400, NOT_WAITING, f"the task is already {task['status']}")
        task["approver"] = by.name
        if decision == "CONTINUE":
            task["status"] = "finished"
            self._history.add(task["id"], "continued", by)
            self._runs.approve(task["action_instance_id"])
        else:
            task["status"] = "canceled"
            self._history.add(task["id"], "terminated", by)
            self._runs.stop(task["action_instance_id"])

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
        task["comments"] = [*_listed(task, "comments"), comment]
        self._history.add(task["id"], "commented", by, detail=message)

    def _uncomment(self, task: Record, comment_id: str, by: Person) -> None:
        comments = _listed(task, "comments")
        gone = next((comment for comment in comments if comment["id"] == comment_id), None)
        if gone is None:
            raise Rejection(404, NOT_FOUND, f"comment {comment_id} does not exist")
        task["comments"] = [comment for comment in comments if comment is not gone]
        self._history.add(task["id"], "comment removed", by, detail=gone["message"])

    def _attach(self, task: Record, attachment_id: str, by: Person) -> None:
        name = self._attachment(attachment_id)["file_name"]
        listed = _listed(task, "attachment_id_list")
        if attachment_id in listed:
            raise Rejection(400, INVALID, f"attachment {attachment_id} is already listed")
        task["attachment_id_list"] = [*listed, attachment_id]
        self._history.add(task["id"], "file attached", by, detail=name)

    def _detach(self, task: Record, attachment_id: str, by: Person) -> None:
        listed = _listed(task, "attachment_id_list")
        if attachment_id not in listed:
            raise Rejection(400, INVALID, f"attachment {attachment_id} is not listed")
        task["attachment_id_list"] = [id_ for id_ in listed if id_ != attachment_id]
        name = self._attachment(attachment_id)["file_name"]
        self._history.add(task["id"], "file taken off", by, detail=name)

    def _attachment(self, attachment_id: str) -> Record:
        return found(self._attachments, "attachment", attachment_id)

    def _touch(self, task: Record, by: Person) -> None:
        task |= {
            "update_time": stamp(self._clock()),
            "modifier_id": by.id,
            "modifier_name": by.name,
        }


def _listed(task: Record, field: str) -> list[Any]:
    """A list in a task, which may as well be missing or null."""
    return task.get(field) or []

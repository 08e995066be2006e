"""The data behind the console page: the newest tasks and instances, and the open object."""

from collections import Counter
from dataclasses import asdict
from heapq import nlargest
from typing import Any

from bot.sandbox.secmaster.schemas import ConsoleView
from bot.sandbox.secmaster.wire import Record
from bot.sandbox.secmaster.world import World

MOST = 200  # objects of a kind
CREATED = {"task": "create_time", "instance": "start_time"}
# The fields that the filter's text is searched in, besides the id and the name.
SEARCHED = {
    "task": ("description", "related_object", "creator_name"),
    "instance": ("workflow.name", "playbook.name"),
}


def overview(world: World, view: ConsoleView) -> Record:
    """Return the newest objects that pass the filter, how many pass it, and their histories.

    ``near`` holds the open object and those related to it, whether or not they are among the
    newest.
    """
    objects = {"task": list(world.tasks.values()), "instance": list(world.instances.values())}
    matching = {noun: _matching(noun, objects[noun], view) for noun in objects}
    newest = {noun: _newest(noun, matching[noun]) for noun in objects}
    near = _near(world, view.open)
    listed = [*newest["task"], *newest["instance"], *near["tasks"], *near["instances"]]
    return {
        "tasks": newest["task"],
        "instances": newest["instance"],
        "near": near,
        "found": {noun: len(matching[noun]) for noun in matching},
        "counts": {noun: Counter(record["status"] for record in objects[noun]) for noun in objects},
        "looking": view.model_dump(),
        "history": {
            record["id"]: [asdict(event) for event in world.history.events.get(record["id"], [])]
            for record in listed
        },
    }


def _matching(noun: str, objects: list[Record], view: ConsoleView) -> list[Record]:
    """Return the objects that pass the view's filter, if the filter is of this noun's list."""
    if view.noun != noun:
        return objects
    text = view.text.strip().lower()
    return [
        record
        for record in objects
        if view.status in ("", record["status"])
        and (not text or text in _searched_text(noun, record))
    ]


def _searched_text(noun: str, record: Record) -> str:
    values = [record["id"], record["name"]]
    for path in SEARCHED[noun]:
        outer, _, inner = path.partition(".")
        value: Any = record.get(outer)
        values.append(str((value.get(inner) if inner and value else value) or ""))
    return "\n".join(values).lower()


def _newest(noun: str, objects: list[Record]) -> list[Record]:
    """Return the newest objects in their order; of the same time, those added later."""
    if len(objects) <= MOST:
        return objects
    numbered = list(enumerate(objects))
    newest = nlargest(MOST, numbered, key=lambda item: (item[1][CREATED[noun]] or "", item[0]))
    return [record for _, record in sorted(newest, key=lambda item: item[0])]


def _near(world: World, id_: str) -> dict[str, list[Record]]:
    """Return the object of this id, and the instance of a task or the tasks of an instance."""
    instance_id = world.tasks[id_]["action_instance_id"] if id_ in world.tasks else id_
    about = [task for task in world.tasks.values() if task["action_instance_id"] == id_ != ""]
    tasks = [world.tasks[id_]] if id_ in world.tasks else about[:MOST]
    instance = world.instances.get(instance_id)
    return {"tasks": tasks, "instances": [instance] if instance else []}

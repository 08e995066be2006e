"""What the console shows: of each kind of object the newest few, and whatever is open."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from heapq import nlargest
from typing import Any

from bot.sandbox.secmaster.asked import Looking
from bot.sandbox.secmaster.wire import Record
from bot.sandbox.secmaster.world import World

MOST = 200  # objects of a kind
CREATED = {"task": "create_time", "instance": "start_time"}
# Where the text of the filter is looked for, besides the id and the name.
SAID = {
    "task": ("description", "related_object", "creator_name"),
    "instance": ("workflow.name", "playbook.name"),
}


def overview(world: World, looking: Looking) -> Record:
    """The newest objects that pass the filter, how many there are in all, and their past.

    ``near`` has what is open and what belongs to it, whether or not it is among the newest.
    """
    tasks, instances = list(world.tasks.values()), list(world.instances.values())
    found = {
        "task": _found("task", tasks, looking),
        "instance": _found("instance", instances, looking),
    }
    shown = {noun: _newest(noun, found[noun]) for noun in found}
    near = _near(world, looking.open)
    known = [*shown["task"], *shown["instance"], *near["tasks"], *near["instances"]]
    return {
        "tasks": shown["task"],
        "instances": shown["instance"],
        "near": near,
        "found": {noun: len(found[noun]) for noun in found},
        "counts": {"task": _counts(tasks), "instance": _counts(instances)},
        "looking": looking.model_dump(),
        "history": {one["id"]: _past(world, one["id"]) for one in known},
    }


def _found(noun: str, objects: list[Record], looking: Looking) -> list[Record]:
    if looking.noun != noun:
        return objects
    wanted = looking.text.strip().lower()
    return [
        one
        for one in objects
        if looking.status in ("", one["status"]) and (not wanted or wanted in _said(noun, one))
    ]


def _said(noun: str, one: Record) -> str:
    said = [one["id"], one["name"], *(_field(one, path) for path in SAID[noun])]
    return "\n".join(said).lower()


def _field(one: Record, path: str) -> str:
    outer, _, inner = path.partition(".")
    value: Any = one.get(outer)
    return str((value.get(inner) if inner and value else value) or "")


def _newest(noun: str, objects: list[Record]) -> list[Record]:
    if len(objects) <= MOST:
        return objects
    # Of two that came in the same moment, the later added one.
    aged = enumerate(objects)
    newest = nlargest(MOST, aged, key=lambda one: (one[1][CREATED[noun]] or "", one[0]))
    return [one for _, one in sorted(newest, key=lambda one: one[0])]


def _near(world: World, id_: str) -> dict[str, list[Record]]:
    run_id = world.tasks[id_]["action_instance_id"] if id_ in world.tasks else id_
    about = [one for one in world.tasks.values() if one["action_instance_id"] == id_ != ""]
    tasks = [world.tasks[id_]] if id_ in world.tasks else about[:MOST]
    run = world.instances.get(run_id)
    return {"tasks": tasks, "instances": [run] if run else []}


def _counts(objects: Iterable[Record]) -> Counter[str]:
    return Counter(one["status"] for one in objects)


def _past(world: World, id_: str) -> list[Record]:
    return [asdict(event) for event in world.history.events.get(id_, [])]

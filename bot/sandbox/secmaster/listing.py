"""The two lists: which filters a query may carry, what they let through, and paging."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from bot.sandbox.secmaster.wire import (
    BUSINESS_TYPES,
    INVALID,
    STATUSES,
    TRIGGERS,
    Record,
    Rejection,
    read_stamp,
)
from bot.sandbox.secmaster.world import World

Query = Mapping[str, str]
Test = Callable[[Record], bool]

_TASK_SORTS = {"create_time": "create_time", "update_time": "update_time"}
# Unstated for instances: their own two times, and the tasks' names for them.
_INSTANCE_SORTS = {
    "start_time": "start_time",
    "end_time": "end_time",
    "create_time": "start_time",
    "update_time": "end_time",
}
_MOST_KEPT = 64


class Listing:
    """The two lists of a world. What was found is kept until something changes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._as_of: tuple[int, ...] = ()
        self._kept: dict[tuple[str, ...], list[Record]] = {}

    def tasks(self, query: Query) -> Record:
        """``{total, page, size, data}`` for a ListTasks query."""
        start, limit = _window(query, last=9999)
        found = self._found("tasks", query)
        return {
            "total": len(found),
            "page": start // limit + 1,
            "size": limit,
            "data": found[start : start + limit],
        }

    def instances(self, query: Query) -> Record:
        """``{count, instances}`` for a ListAopWorkflowInstance query, without topologies."""
        start, limit = _window(query, last=10000)
        found = self._found("instances", query)
        shown = [without_topology(one) for one in found[start : start + limit]]
        return {"count": len(found), "instances": shown}

    def _found(self, kind: str, query: Query) -> list[Record]:
        world = self._world
        # A test may take a record away behind the world's back.
        now = (world.changes, len(world.tasks), len(world.instances))
        if now != self._as_of or len(self._kept) >= _MOST_KEPT:
            self._as_of = now
            self._kept.clear()
        asked = (kind, *(f"{key}={query[key]}" for key in query if key not in ("offset", "limit")))
        if asked not in self._kept:
            find = _find_tasks if kind == "tasks" else _find_instances
            self._kept[asked] = find(world, query)
        return self._kept[asked]


def _find_tasks(world: World, query: Query) -> list[Record]:
    found = _passing(world.tasks.values(), _task_tests(query))
    return _sorted(found, query, _TASK_SORTS, "create_time")


def _find_instances(world: World, query: Query) -> list[Record]:
    found = _passing(world.instances.values(), _instance_tests(query))
    return _sorted(found, query, _INSTANCE_SORTS, "start_time")


def _passing(records: Iterable[Record], tests: list[Test]) -> list[Record]:
    found = list(records)
    for test in tests:
        found = [record for record in found if test(record)]
    return found


def without_topology(instance: Record) -> Record:
    return {key: value for key, value in instance.items() if key != "topology"}


def _task_tests(query: Query) -> list[Test]:
    """The tests of what was asked, and no others."""
    todo = _choice(query, "query_type", ("my_todo", "all_handled"), "my_todo") == "my_todo"
    business_type = _choice(query, "business_type", BUSINESS_TYPES)
    return [
        lambda task: (task["status"] == "waiting") is todo,
        *_same(business_type, lambda task: task["business_type"]),
        *_contained(query.get("name", ""), "name"),
        *_contained(query.get("creator_name", ""), "creator_name"),
        *_contained(query.get("note", ""), "notes", "note"),
        *_dates(query, "create_time"),
    ]


def _instance_tests(query: Query) -> list[Test]:
    status = _choice(query, "status", STATUSES)
    trigger = _choice(query, "trigger_type", TRIGGERS)
    return [
        *_same(status, lambda instance: instance["status"]),
        *_same(trigger, lambda instance: instance["trigger_type"]),
        *_contained(query.get("name", ""), "name"),
        *_same(query.get("id", ""), lambda instance: instance["id"]),
        *_same(query.get("dataobject_id", ""), lambda instance: instance["dataobject_id"]),
        *_same(query.get("defence_id", ""), lambda instance: instance["defense_id"]),
        *_same(query.get("workflow_id", ""), lambda instance: instance["workflow"]["id"]),
        *_same(query.get("dataclass_id", ""), lambda instance: instance["dataclass"]["id"]),
        *_same(query.get("playbook_id", ""), lambda instance: instance["playbook"]["id"]),
        *_dates(query, "start_time"),
    ]


def _same(wanted: str, field: Callable[[Record], str]) -> list[Test]:
    return [lambda record: field(record) == wanted] if wanted else []


def _contained(wanted: str, *fields: str) -> list[Test]:
    return [lambda record: wanted in _said(record, *fields)] if wanted else []


def _said(record: Record, *fields: str) -> str:
    return "\n".join(record.get(field) or "" for field in fields)


def _dates(query: Query, field: str) -> list[Test]:
    tests: list[Test] = []
    if since := _moment(query, "from_date"):
        tests.append(lambda record: read_stamp(record[field]) >= since)
    if until := _moment(query, "to_date"):
        tests.append(lambda record: read_stamp(record[field]) <= until)
    return tests


def _moment(query: Query, key: str) -> datetime | None:
    if not query.get(key):
        return None
    try:
        return read_stamp(query[key])
    except ValueError:
        raise Rejection(
            400, INVALID, f"{key} must look like 2025-08-19T14:53:42.424Z+0800"
        ) from None


def _window(query: Query, *, last: int) -> tuple[int, int]:
    return _number(query, "offset", 0, 0, last), _number(query, "limit", 10, 1, 100)


def _number(query: Query, key: str, default: int, low: int, high: int) -> int:
    raw = query.get(key, str(default))
    if not (raw.isascii() and raw.isdigit()) or not low <= int(raw) <= high:
        raise Rejection(400, INVALID, f"{key} must be a whole number from {low} to {high}")
    return int(raw)


def _choice(query: Query, key: str, allowed: tuple[str, ...], default: str = "") -> str:
    value = query.get(key) or default
    if value and value not in allowed:
        raise Rejection(400, INVALID, f"{key} must be one of {', '.join(allowed)}")
    return value


def _sorted(
    records: list[Record], query: Query, fields: dict[str, str], default: str
) -> list[Record]:
    field = fields[_choice(query, "sort_key", tuple(fields), default)]
    descending = _choice(query, "sort_dir", ("ASC", "DESC"), "DESC") == "DESC"
    # The id breaks ties, so that pages neither repeat nor lose a record.
    return sorted(
        records, key=lambda record: (record[field] or "", record["id"]), reverse=descending
    )

"""The lists of tasks and instances: filters, sorting and paging, as a query asks for them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import chain

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
Filter = Callable[[Record], bool]

_PAGING = ("offset", "limit")
_TASK_SORTS = {"create_time": "create_time", "update_time": "update_time"}
# The documents state no sort keys for instances: these are their own two times, and the
# tasks' names for them.
_INSTANCE_SORTS = {
    "start_time": "start_time",
    "end_time": "end_time",
    "create_time": "start_time",
    "update_time": "end_time",
}
_CACHE_SIZE = 64  # queries
LAST_PLAYBOOK_INSTANCE = 10_000  # what offset and limit may not reach together


class Listing:
    """The lists of a world. ``cache`` has results for tasks and instances until a change."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._version: tuple[int, ...] = ()
        self.cache: dict[tuple[str, ...], list[Record]] = {}

    def tasks(self, query: Query) -> Record:
        """Return ``{total, page, size, data}`` for a ListTasks query."""
        start, limit = _window(query, last=9999)
        tasks = self._select("tasks", query)
        return {
            "total": len(tasks),
            "page": start // limit + 1,
            "size": limit,
            "data": tasks[start : start + limit],
        }

    def instances(self, query: Query) -> Record:
        """Return ``{count, instances}`` for a ListAopWorkflowInstance query, no topologies."""
        start, limit = _window(query, last=10000)
        instances = self._select("instances", query)
        page = [without_topology(instance) for instance in instances[start : start + limit]]
        return {"count": len(instances), "instances": page}

    def playbook_instances(self, query: Query) -> Record:
        """Return ``{count, instances}`` for a ListPlaybookInstances query, the newest first."""
        limit = _number(query, "limit", 10, 1, LAST_PLAYBOOK_INSTANCE - 1)
        start = _number(query, "offset", 0, 0, LAST_PLAYBOOK_INSTANCE - limit - 1)
        instances = _filtered(self._world.playbooks.instances.values(), _playbook_filters(query))
        instances.sort(key=lambda one: (one["start_time"], one["id"]), reverse=True)
        return {"count": len(instances), "instances": instances[start : start + limit]}

    def _select(self, kind: str, query: Query) -> list[Record]:
        """Return all records of a kind that pass the query's filters, sorted."""
        world = self._world
        # The number of records counts too: a test may delete one without telling the world.
        version = (world.changes, len(world.tasks), len(world.instances))
        if version != self._version or len(self.cache) >= _CACHE_SIZE:
            self._version = version
            self.cache.clear()
        key = (kind, *(f"{name}={query[name]}" for name in query if name not in _PAGING))
        if key not in self.cache:
            if kind == "tasks":
                tasks = _filtered(world.tasks.values(), _task_filters(query))
                self.cache[key] = _sorted(tasks, query, _TASK_SORTS, "create_time")
            else:
                instances = _filtered(world.instances.values(), _instance_filters(query))
                self.cache[key] = _sorted(instances, query, _INSTANCE_SORTS, "start_time")
        return self.cache[key]


def without_topology(instance: Record) -> Record:
    """Return an instance without its topology."""
    return {key: value for key, value in instance.items() if key != "topology"}


def _filtered(records: Iterable[Record], filters: list[Filter]) -> list[Record]:
    passing = list(records)
    for passes in filters:
        passing = [record for record in passing if passes(record)]
    return passing


def _task_filters(query: Query) -> list[Filter]:
    todo = _choice(query, "query_type", ("my_todo", "all_handled"), "my_todo") == "my_todo"
    business_type = _choice(query, "business_type", BUSINESS_TYPES)
    return [
        lambda task: (task["status"] == "waiting") is todo,
        *_equal(business_type, lambda task: task["business_type"]),
        *_containing(query.get("name", ""), "name"),
        *_containing(query.get("creator_name", ""), "creator_name"),
        *_containing(query.get("note", ""), "notes", "note"),
        *_between(query, "create_time"),
    ]


def _instance_filters(query: Query) -> list[Filter]:
    status = _choice(query, "status", STATUSES)
    trigger = _choice(query, "trigger_type", TRIGGERS)
    return [
        *_equal(status, lambda instance: instance["status"]),
        *_equal(trigger, lambda instance: instance["trigger_type"]),
        *_containing(query.get("name", ""), "name"),
        *_equal(query.get("id", ""), lambda instance: instance["id"]),
        *_equal(query.get("dataobject_id", ""), lambda instance: instance["dataobject_id"]),
        *_equal(query.get("defence_id", ""), lambda instance: instance["defense_id"]),
        *_equal(query.get("workflow_id", ""), lambda instance: instance["workflow"]["id"]),
        *_equal(query.get("dataclass_id", ""), lambda instance: instance["dataclass"]["id"]),
        *_equal(query.get("playbook_id", ""), lambda instance: instance["playbook"]["id"]),
        *_between(query, "start_time"),
    ]


def _playbook_filters(query: Query) -> list[Filter]:
    status = _choice(query, "status", STATUSES)
    trigger = _choice(query, "trigger_type", ("TIMER", "EVENT"))
    date_type = _choice(query, "date_type", ("START", "END"), "START")
    names = [
        _containing_in(query.get(f"{part}_name", ""), part)
        for part in ("playbook", "dataclass", "dataobject")
    ]
    return [
        *_equal(status, lambda instance: instance["status"]),
        *_equal(trigger, lambda instance: instance["trigger_type"]),
        *_containing(query.get("name", ""), "name"),
        *chain.from_iterable(names),
        *_between(query, "start_time" if date_type == "START" else "end_time"),
    ]


def _equal(value: str, field: Callable[[Record], str]) -> list[Filter]:
    """Return the filter that ``field`` equals ``value``; none for an empty value."""
    return [lambda record: field(record) == value] if value else []


def _containing(text: str, *fields: str) -> list[Filter]:
    """Return the filter that one of ``fields`` contains ``text``; none for an empty text."""
    if not text:
        return []
    return [lambda record: text in "\n".join(record.get(field) or "" for field in fields)]


def _containing_in(text: str, part: str) -> list[Filter]:
    """Return the filter that the name of a part contains ``text``; none for an empty text."""
    return [lambda record: text in (record[part].get("name") or "")] if text else []


def _between(query: Query, field: str) -> list[Filter]:
    """Return the filters of the query's ``from_date`` and ``to_date`` on a record's time."""
    filters: list[Filter] = []
    if since := _time(query, "from_date"):
        filters.append(lambda record: bool(record[field]) and read_stamp(record[field]) >= since)
    if until := _time(query, "to_date"):
        filters.append(lambda record: bool(record[field]) and read_stamp(record[field]) <= until)
    return filters


def _time(query: Query, key: str) -> datetime | None:
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

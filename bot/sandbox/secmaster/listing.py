"""The two lists: which filters a query may carry, what they let through, and paging."""

from collections.abc import Callable, Mapping
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


def list_tasks(tasks: list[Record], query: Query) -> Record:
    """``{total, page, size, data}`` for a ListTasks query."""
    start, limit = _window(query, last=9999)
    tests = _task_tests(query)
    found = [task for task in tasks if all(test(task) for test in tests)]
    ordered = _sorted(found, query, _TASK_SORTS, "create_time")
    return {
        "total": len(found),
        "page": start // limit + 1,
        "size": limit,
        "data": ordered[start : start + limit],
    }


def list_instances(instances: list[Record], query: Query) -> Record:
    """``{count, instances}`` for a ListAopWorkflowInstance query, without topologies."""
    start, limit = _window(query, last=10000)
    tests = _instance_tests(query)
    found = [instance for instance in instances if all(test(instance) for test in tests)]
    ordered = _sorted(found, query, _INSTANCE_SORTS, "start_time")
    return {
        "count": len(found),
        "instances": [without_topology(one) for one in ordered[start : start + limit]],
    }


def without_topology(instance: Record) -> Record:
    return {key: value for key, value in instance.items() if key != "topology"}


def _task_tests(query: Query) -> list[Test]:
    todo = _choice(query, "query_type", ("my_todo", "all_handled"), "my_todo") == "my_todo"
    business_type = _choice(query, "business_type", BUSINESS_TYPES)
    return [
        lambda task: (task["status"] == "waiting") is todo,
        lambda task: business_type in ("", task["business_type"]),
        lambda task: query.get("name", "") in _said(task, "name"),
        lambda task: query.get("creator_name", "") in _said(task, "creator_name"),
        lambda task: query.get("note", "") in _said(task, "notes", "note"),
        *_dates(query, "create_time"),
    ]


def _said(record: Record, *fields: str) -> str:
    return "\n".join(record.get(field) or "" for field in fields)


def _instance_tests(query: Query) -> list[Test]:
    status = _choice(query, "status", STATUSES)
    trigger = _choice(query, "trigger_type", TRIGGERS)
    return [
        lambda instance: status in ("", instance["status"]),
        lambda instance: trigger in ("", instance["trigger_type"]),
        lambda instance: query.get("name", "") in instance["name"],
        lambda instance: query.get("id", "") in ("", instance["id"]),
        lambda instance: query.get("dataobject_id", "") in ("", instance["dataobject_id"]),
        lambda instance: query.get("defence_id", "") in ("", instance["defense_id"]),
        lambda instance: query.get("workflow_id", "") in ("", instance["workflow"]["id"]),
        lambda instance: query.get("dataclass_id", "") in ("", instance["dataclass"]["id"]),
        lambda instance: query.get("playbook_id", "") in ("", instance["playbook"]["id"]),
        *_dates(query, "start_time"),
    ]


def _dates(query: Query, field: str) -> list[Test]:
    since, until = _moment(query, "from_date"), _moment(query, "to_date")
    return [
        lambda record: since is None or read_stamp(record[field]) >= since,
        lambda record: until is None or read_stamp(record[field]) <= until,
    ]


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

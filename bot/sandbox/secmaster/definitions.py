"""Definitions of workflows and playbooks with their versions, and the blocks that runs set."""

import base64
import hashlib
import itertools
import json
from collections.abc import Iterable
from typing import Any

from bot.sandbox.secmaster.wire import INVALID, Record, Rejection, find_record

# The only fields that the sandbox filters policy records by; SecMaster's own are unstated.
FILTERS = ("block_target", "workflow_instance_id", "workflow_instance.workflow_instance_id")


class Definitions:
    """Workflows, playbooks and the versions of both, each by id."""

    def __init__(self) -> None:
        self.workflows: dict[str, Record] = {}
        self.workflow_versions: dict[str, Record] = {}
        self.playbooks: dict[str, Record] = {}
        self.playbook_versions: dict[str, Record] = {}

    def workflow(self, id_: str) -> Record:
        return find_record(self.workflows, "workflow", id_)

    def workflow_version(self, id_: str) -> Record:
        return find_record(self.workflow_versions, "workflow version", id_)

    def playbook(self, id_: str) -> Record:
        return find_record(self.playbooks, "playbook", id_)

    def playbook_version(self, id_: str) -> Record:
        return find_record(self.playbook_versions, "playbook version", id_)


def taskflow(steps: Iterable[str], **fields: Any) -> str:
    """Return a workflow's flow as a version holds it: base64 of JSON, whose format is unstated."""
    names = list(steps)
    # A node keeps its id from version to version, as the editor of flows keeps it.
    ids = [f"Activity_{hashlib.sha256(name.encode()).hexdigest()[:7]}" for name in names]
    nodes = [{"id": id_, "name": name} for id_, name in zip(ids, names, strict=True)]
    edges = [{"source": source, "target": target} for source, target in itertools.pairwise(ids)]
    flow = {"nodes": nodes, "edges": edges} | fields
    return base64.b64encode(json.dumps(flow, ensure_ascii=False).encode()).decode()


class Blocks:
    """The policy records that runs leave once they are finished, by the run's id."""

    def __init__(self, runs: dict[str, Record]) -> None:
        self.planned: dict[str, list[Record]] = {}
        self._runs = runs

    def plan(self, run_id: str, target: str, *defenses: Record, category: str = "BLOCK") -> None:
        """Let a run set a block on these lines of defense when it is finished."""
        records = self.planned.setdefault(run_id, [])
        records.append(
            {
                "id": f"policy-{run_id}-{len(records)}",
                "block_target": target,
                "policy_category": category,
                "policy_direction": "INBOUND",
                "block_age": 3600,
                "defense_policy_list": list(defenses),
            }
        )

    def search(self, body: Record) -> Record:
        """Return ``{total, page, size, data}`` for a SearchPolicyRecord request."""
        limit, offset = _count(body, "limit", 10), _count(body, "offset", 0)
        records = [
            record | {"workflow_instance": _reference(self._runs[run_id])}
            for run_id, planned in self.planned.items()
            if run_id in self._runs and self._runs[run_id]["status"] == "FINISHED"
            for record in planned
        ]
        for name, value in _conditions(body):
            records = [record for record in records if _value(record, name) == value]
        page = records[offset : offset + limit]
        return {"total": len(records), "page": offset // limit + 1, "size": limit, "data": page}


def defense(kind: str, failure: str = "") -> Record:
    """Build what one line of defense did with a block: it failed where ``failure`` says why."""
    return {
        "defense_type": kind,
        "defense_block_status": "FAILED" if failure else "SUCCESS",
        "defense_block_action": "BLOCK",
        "defense_failure_description": failure or None,
        "target_project_name": "cn-north-4",
    }


def _reference(run: Record) -> Record:
    return {f"workflow_instance_{field}": run[field] for field in ("id", "name", "status")}


def _value(record: Record, name: str) -> Any:
    field = name.rpartition(".")[2]
    return record["workflow_instance"].get(field, record.get(field))


def _count(body: Record, key: str, default: int) -> int:
    value = body.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < (key == "limit"):
        raise Rejection(400, INVALID, f"{key} must be a whole number")
    return value


def _conditions(body: Record) -> list[tuple[str, str]]:
    """Return the fields and values of a request's conditions, of which "=" alone is known."""
    condition = body.get("condition") or {}
    rows = []
    try:
        for row in condition.get("conditions", []):
            name, operator, value = row["data"]
            if operator != "=" or name not in FILTERS:
                raise Rejection(400, INVALID, f"condition {name} {operator} is not supported")
            rows.append((name, value))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Rejection(400, INVALID, "the condition can not be read") from None
    return rows

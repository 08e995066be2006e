"""Read which nodes a version of a workflow has, and in what order, as far as that is certain.

SecMaster documents a taskflow as base64 of JSON, and nothing of its inner format. So only a list of
nodes with ids, and a list of edges between these, are read; of anything else nothing is known.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.objects import visible
from bot.secmaster import (
    Instance,
    InstanceStatus,
    PlaybookVersion,
    Task,
    VersionChanges,
    WorkflowVersion,
)
from bot.secmaster.values import text

MAX_LENGTH = 2_000_000  # characters of a taskflow: what is longer is not read
MAX_NODES = 1000
MAX_NAME = 100  # characters of a name that are kept
MAX_NAMES = 50  # of the nodes that differ
PLACES = {"id", "x", "y", "position", "width", "height"}  # where a node is drawn changes nothing
EDGE_ENDS = (("source", "target"), ("sourceNodeId", "targetNodeId"), ("from", "to"))


@dataclass(frozen=True, slots=True)
class Flow:
    """The nodes of a version: their names by id, and what is said of each.

    ``followers`` are the ids of the nodes after each node; None where the edges can't be read.
    """

    names: Mapping[str, str]
    contents: Mapping[str, str]
    followers: Mapping[str, tuple[str, ...]] | None


def parse(taskflow: str) -> Flow | None:
    """Read a version's taskflow; None where its nodes can't be told for certain."""
    document = _document(taskflow)
    rows = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_NODES:
        return None
    names: dict[str, str] = {}
    contents: dict[str, str] = {}
    for row in rows:
        id_, name = _node(row)
        if not id_ or id_ in names:
            return None
        names[id_] = name
        content = {key: value for key, value in row.items() if key not in PLACES}
        contents[id_] = json.dumps(content, sort_keys=True)
    return Flow(names, contents, _followers(document.get("edges"), names))


def next_node(flow: Flow | None, task: Task, run: Instance) -> str:
    """Return the name of the node that follows the one that a task waits at; "" if uncertain.

    Where several nodes may follow, nobody can tell which of them an approval leads to.
    """
    waiting = _waiting_node(flow, task, run) if flow else ""
    if not flow or flow.followers is None or not waiting:
        return ""
    followers = flow.followers.get(waiting, ())
    return flow.names[followers[0]][:MAX_NAME] if len(followers) == 1 else ""


def workflow_changes(active: WorkflowVersion, submitted: WorkflowVersion) -> VersionChanges | None:
    """Return which nodes of two versions differ, by name; None where either can't be read.

    A node that was renamed is one that was removed and one that was added.
    """
    before, after = parse(active.taskflow), parse(submitted.taskflow)
    if before is None or after is None:
        return None
    nodes_before, nodes_after = _by_name(before), _by_name(after)
    added, removed = _difference(nodes_after, nodes_before), _difference(nodes_before, nodes_after)
    common = [name for name in nodes_after if name in nodes_before]
    same_size = [name for name in common if len(nodes_after[name]) == len(nodes_before[name])]
    return VersionChanges(
        added=_bounded(added),
        removed=_bounded(removed),
        changed=_bounded(name for name in same_size if nodes_after[name] != nodes_before[name]),
        reordered=not added and not removed and _order(before) != _order(after),
        reconfigured=active.taskconfig != submitted.taskconfig,
    )


def playbook_changes(active: PlaybookVersion, submitted: PlaybookVersion) -> VersionChanges:
    """Return which actions were added to a playbook, and which were removed, by name."""
    before = [action.name or action.id for action in active.actions]
    after = [action.name or action.id for action in submitted.actions]
    added, removed = Counter(after) - Counter(before), Counter(before) - Counter(after)
    return VersionChanges(
        added=_bounded(added.elements()),
        removed=_bounded(removed.elements()),
        reordered=not added and not removed and before != after,
    )


def _document(taskflow: str) -> Any:
    if not taskflow or len(taskflow) > MAX_LENGTH:
        return None
    try:
        return json.loads(base64.b64decode(taskflow, validate=True))
    except (ValueError, RecursionError):
        return None


def _node(row: object) -> tuple[str, str]:
    """Return a node's id and name; "" for each that it has not."""
    if not isinstance(row, dict):
        return "", ""
    return text(row.get("id")), " ".join(visible(text(row.get("name"))).split())


def _followers(rows: object, names: Mapping[str, str]) -> dict[str, tuple[str, ...]] | None:
    if not isinstance(rows, list):
        return None
    followers: dict[str, tuple[str, ...]] = {}
    for row in rows:
        ends = _ends(row, names)
        if ends is None:
            return None
        source, target = ends
        followers[source] = (*followers.get(source, ()), target)
    return followers


def _ends(row: object, names: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the ids of the nodes that an edge joins; None where it does not name two.

    One that has a condition leads nowhere for certain.
    """
    if not isinstance(row, dict) or any(
        value for key, value in row.items() if "condition" in key.casefold()
    ):
        return None
    for source_key, target_key in EDGE_ENDS:
        source, target = row.get(source_key), row.get(target_key)
        if isinstance(source, str) and isinstance(target, str):
            return (source, target) if source in names and target in names else None
    return None


def _waiting_node(flow: Flow, task: Task, run: Instance) -> str:
    """Return the id of the node in the flow that a task waits at; "" if that is uncertain."""
    if task.definition_key in flow.names:
        return task.definition_key
    running = [node for node in run.nodes if node.status == InstanceStatus.RUNNING]
    if len(running) != 1:
        return ""
    if running[0].action_id in flow.names:
        return running[0].action_id
    name = " ".join(running[0].action_name.split())
    alike = [id_ for id_, title in flow.names.items() if title and title == name]
    return alike[0] if len(alike) == 1 else ""


def _by_name(flow: Flow) -> dict[str, list[str]]:
    """Return what is said of nodes by their names, or their ids where they have none."""
    nodes: dict[str, list[str]] = {}
    for id_, name in flow.names.items():
        nodes.setdefault(name or id_, []).append(flow.contents[id_])
    return {name: sorted(contents) for name, contents in nodes.items()}


def _difference(nodes: Mapping[str, list[str]], others: Mapping[str, list[str]]) -> list[str]:
    """Return the names of which there are more nodes than in another version."""
    return [name for name in nodes for _ in range(len(nodes[name]) - len(others.get(name, ())))]


def _order(flow: Flow) -> Counter[tuple[str, str]] | None:
    """Return the names of the nodes that follow one another; None where that can't be read."""
    if flow.followers is None:
        return None
    return Counter(
        (flow.names[source] or source, flow.names[target] or target)
        for source, targets in flow.followers.items()
        for target in targets
    )


def _bounded(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name[:MAX_NAME] for name in names)[:MAX_NAMES]

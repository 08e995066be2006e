"""Read which nodes a version of a workflow has, and in what order, as far as that is certain.

SecMaster documents a taskflow as base64 of JSON, and nothing of its inner format. So only a list of
nodes with ids, and a list of edges between these, are read; of anything else nothing is known.
What two versions say of a node, an edge, an action or a rule is compared as JSON text.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.objects import visible
from bot.secmaster import (
    Instance,
    InstanceStatus,
    Named,
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
JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
# What says when a playbook starts, besides its rules and the type of its trigger.
EVENTS = ("rule_enable", "dataobject_create", "dataobject_update", "dataobject_delete")
NEW_IN_EACH_VERSION = {"playbook_version_id", "create_time", "update_time"}
SUBSTANCE = ("action_id", "rule")  # beside one of these an id is only that of an action or a rule


@dataclass(frozen=True, slots=True)
class Flow:
    """The nodes of a version: their names by id, and what is said of each.

    ``followers`` are the ids of the nodes after each node; None where the edges can't be read.
    ``edges`` are what is said of each edge, with the names of its nodes; None where there is no
    such list.
    """

    names: Mapping[str, str]
    contents: Mapping[str, str]
    followers: Mapping[str, tuple[str, ...]] | None
    edges: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class PlaybookDefinition:
    """The actions of a playbook's version, by name, and its rules; None of what it does not state.

    Of each it has what is said of it.
    """

    actions: list[tuple[str, str]] | None = None
    rules: list[str] | None = None


def parse(taskflow: str) -> Flow | None:
    """Read a version's taskflow; None where its nodes can't be told for certain."""
    document = _document(taskflow)
    rows = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_NODES:
        return None
    names: dict[str, str] = {}
    for row in rows:
        id_, name = _node(row)
        if not id_ or id_ in names:
            return None
        names[id_] = name
    edges = document.get("edges")
    try:
        contents = {id_: _content(row, PLACES) for id_, row in zip(names, rows, strict=True)}
        return Flow(names, contents, _followers(edges, names), _edges(edges, names))
    except RecursionError:  # it was read where the stack was less deep
        return None


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
    nodes_before, nodes_after = _by_name(_nodes(before)), _by_name(_nodes(after))
    added, removed = _difference(nodes_after, nodes_before), _difference(nodes_before, nodes_after)
    # Two empty lists tell nothing: such a flow has its edges elsewhere.
    is_ordered = None not in (before.edges, after.edges) and bool(before.edges or after.edges)
    is_same_size = not added and not removed
    return VersionChanges(
        added=_bounded(added),
        removed=_bounded(removed),
        changed=_bounded(_changed(nodes_before, nodes_after)),
        reordered=is_ordered and is_same_size and before.edges != after.edges,
        reconfigured=active.taskconfig != submitted.taskconfig,
        partial=not is_ordered,
    )


def playbook_changes(active: PlaybookVersion, submitted: PlaybookVersion) -> VersionChanges:
    """Return which actions of two versions of a playbook differ, by name, and whether its rules do.

    What either version does not state is not compared.
    """
    before, after = _definition(active), _definition(submitted)
    has_actions = None not in (before.actions, after.actions)
    has_rules = None not in (before.rules, after.rules)
    actions_before = (before.actions or []) if has_actions else []
    actions_after = (after.actions or []) if has_actions else []
    names_before, names_after = _by_name(actions_before), _by_name(actions_after)
    added, removed = _difference(names_after, names_before), _difference(names_before, names_after)
    is_same_order = [name for name, _ in actions_before] == [name for name, _ in actions_after]
    return VersionChanges(
        added=_bounded(added),
        removed=_bounded(removed),
        changed=_bounded(_changed(names_before, names_after)),
        reordered=not added and not removed and not is_same_order,
        reconfigured=has_rules and before.rules != after.rules,
        partial=not has_actions or not has_rules,
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


def _edges(rows: object, names: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return what is said of each edge, its condition too, with the names of nodes for their ids.

    A name that several nodes have, or one that is another's id, tells none of them: the id stays.
    """
    if not rows:
        return None if rows is None else ()
    count = Counter(names.values())
    texts = {
        json.dumps(id_): json.dumps(name)
        for id_, name in names.items()
        if name and count[name] == 1 and name not in names
    }
    contents = [_content(row, PLACES) for row in (rows if isinstance(rows, list) else [rows])]
    return tuple(
        sorted(
            JSON_STRING.sub(lambda string: texts.get(string[0], string[0]), content)
            for content in contents
        )
    )


def _definition(version: PlaybookVersion) -> PlaybookDefinition:
    if len(version.definition) > MAX_LENGTH:
        return PlaybookDefinition()
    try:
        definition = json.loads(version.definition)
        if not isinstance(definition, dict):
            return PlaybookDefinition()
        return PlaybookDefinition(
            actions=_actions(definition) if "actions" in definition else None,
            rules=_rules(definition) if "rules" in definition else None,
        )
    except (ValueError, RecursionError):
        return PlaybookDefinition()


def _actions(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the names of a playbook's actions, or their ids, and what is said of each."""
    actions = definition["actions"] or []
    pairs = []
    for row in actions if isinstance(actions, list) else [actions]:
        action, content = Named.model_validate(row), _substance(row)
        pairs.append((action.name or action.id or content, content))
    return pairs


def _rules(definition: Mapping[str, Any]) -> list[str]:
    """Return what is said of when a playbook starts."""
    rules = definition["rules"]
    rows = rules if isinstance(rules, list) else [rules]
    others = [_content(definition.get(name)) for name in EVENTS]
    return [*map(_substance, rows), *others]


def _substance(row: object) -> str:
    """Return what is said of an action or a rule, without what is its version's own."""
    has_other_id = isinstance(row, dict) and any(row.get(key) for key in SUBSTANCE)
    return _content(row, NEW_IN_EACH_VERSION | ({"id"} if has_other_id else set()))


def _content(row: object, omitted: Collection[str] = ()) -> str:
    """Return a value as JSON text that is the same for the same value."""
    if isinstance(row, dict):
        row = {key: value for key, value in row.items() if key not in omitted}
    return json.dumps(row, sort_keys=True)


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


def _nodes(flow: Flow) -> list[tuple[str, str]]:
    """Return the names of nodes, or their ids where they have none, and what is said of each."""
    return [(name or id_, flow.contents[id_]) for id_, name in flow.names.items()]


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what is said of nodes or actions by their names."""
    contents: dict[str, list[str]] = {}
    for name, content in pairs:
        contents.setdefault(name, []).append(content)
    return {name: sorted(alike) for name, alike in contents.items()}


def _difference(nodes: Mapping[str, list[str]], others: Mapping[str, list[str]]) -> list[str]:
    """Return the names of which there are more nodes than in another version."""
    return [name for name in nodes for _ in range(len(nodes[name]) - len(others.get(name, ())))]


def _changed(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """Return the names that as many nodes have as before, of which something else is said."""
    common = [name for name in after if len(after[name]) == len(before.get(name, ()))]
    return [name for name in common if after[name] != before[name]]


def _bounded(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name[:MAX_NAME] for name in names)[:MAX_NAMES]

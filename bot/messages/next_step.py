"""Say what a decision leads to: what runs next, what it is about, what a publication changes.

It says what SecMaster's own records tell for certain, and nothing where they do not.
"""

from collections.abc import Iterable

from bot.domain.actions import Action
from bot.domain.evidence import FINDINGS, Subject, class_path
from bot.domain.snapshots import Snapshot
from bot.messages.catalogue import N_, Catalogue
from bot.messages.labels import consequence, labels
from bot.messages.text import bold, clip, code, defang, prose
from bot.secmaster import (
    AopType,
    BusinessType,
    Connection,
    Evidence,
    Finding,
    PlaybookVersion,
    Task,
    TaskStatus,
    VersionChanges,
    WorkflowVersion,
)

NAME = 40  # characters of a name within a sentence
PLAIN_NAME = 30  # and of one in a confirmation, which has few
NAMED = 2  # resources and addresses, or nodes that are removed, that a decision names
MOST_NAMES = 5  # nodes that a card names of those that differ
KINDS: dict[str, str] = {
    AopType.HEMOSTASIS: N_("Workflow type: containment (isolates or blocks)."),
    AopType.SURVEY: N_("Workflow type: investigation (gathers information)."),
    AopType.EASE: N_("Workflow type: mitigation (eases or restores)."),
}
UNREAD: dict[str, str] = {
    Subject.WORKFLOW: N_("The workflow's definition can't be read."),
    Subject.WORKFLOW_VERSION: N_("The workflow's version can't be read."),
    Subject.PLAYBOOK: N_("The playbook's definition can't be read."),
    Subject.PLAYBOOK_VERSION: N_("The playbook's version can't be read."),
}
# What differs between two versions: removed, added, changed.
NODE_CHANGES = (
    N_("Nodes removed: {names}."),
    N_("Nodes added: {names}."),
    N_("Nodes changed: {names}."),
)
ACTION_CHANGES = (
    N_("Actions removed: {names}."),
    N_("Actions added: {names}."),
    N_("Actions changed: {names}."),
)
CHANGE_SIGNS = ("➖", "➕", "✏️")
PUBLISH_TYPES = (BusinessType.WORKFLOWPUBLISH, BusinessType.PLAYBOOKPUBLISH)


def lines(catalogue: Catalogue, snapshot: Snapshot) -> list[str]:
    """Return what a card of a task that waits says of what happens next; [] where nothing is known.

    What silence does is said with the due date.
    """
    evidence = snapshot.evidence
    if evidence is None or not isinstance(snapshot, Task):
        return []
    if snapshot.status != TaskStatus.WAITING:
        return []
    if snapshot.business_type in PUBLISH_TYPES:
        return _publication(catalogue, evidence)
    sentences = []
    if evidence.upcoming:
        node = bold(evidence.upcoming[0])
        next_node = catalogue.gettext("If approved, the workflow continues with {node}.", node=node)
        sentences.append(f"➡️ {next_node}")
    sentences.append(kind_sentence(catalogue, evidence))
    return [sentence for sentence in sentences if sentence]


def playbook_sentence(catalogue: Catalogue, snapshot: Snapshot) -> str:
    """Name the playbook of the run that waits for a task; "" where there is none."""
    evidence = snapshot.evidence
    if evidence is None or not evidence.playbook.name or not isinstance(snapshot, Task):
        return ""
    is_waiting = snapshot.status == TaskStatus.WAITING
    if not is_waiting or snapshot.business_type != BusinessType.WORKFLOWNODEAPPROVE:
        return ""
    playbook = bold(evidence.playbook.name)
    return catalogue.gettext("The run belongs to the playbook {playbook}.", playbook=playbook)


def outcome(
    catalogue: Catalogue, action: Action, snapshot: Snapshot, *, plain: bool = False
) -> str:
    """Say what an action leads to for this object, naming the next node or the version if known.

    It is markup, unless it is to be ``plain`` text.
    """
    words, evidence = labels(action), snapshot.evidence
    if evidence and isinstance(snapshot, Task):
        version = submitted_version(evidence)
        if snapshot.business_type == BusinessType.WORKFLOWNODEAPPROVE and words.node_consequence:
            name = _name(next(iter(evidence.upcoming), ""), plain=plain)
            sentence = catalogue.gettext(words.node_consequence, node=name)
        elif snapshot.business_type in PUBLISH_TYPES and words.version_consequence and version:
            name = _name(version.version, plain=plain)
            sentence = catalogue.gettext(words.version_consequence, version=name)
        else:
            name = sentence = ""
        if name:
            return sentence
    return consequence(catalogue, action, snapshot)


def about(catalogue: Catalogue, snapshot: Snapshot, *, plain: bool = False) -> str:
    """Name the resources and addresses that the alert behind an object names; "" for none."""
    finding = snapshot.evidence.finding if snapshot.evidence else None
    if finding is None:
        return ""
    names = [_name(name, plain=plain) for name in _names(finding)]
    things = catalogue.all_of([name for name in names if name], NAMED)
    if not things:
        return ""
    match FINDINGS.get(class_path(finding.dataclass_)):
        case Subject.ALERT:
            return catalogue.gettext("The alert names {things}.", things=things)
        case Subject.INCIDENT:
            return catalogue.gettext("The incident names {things}.", things=things)
        case _:
            return catalogue.gettext("The data object names {things}.", things=things)


def kind_sentence(catalogue: Catalogue, evidence: Evidence | None) -> str:
    """Say of which type a workflow is, by what its author declared; "" where that says nothing."""
    aop_type = evidence.workflow.aop_type if evidence and evidence.workflow else ""
    return catalogue.gettext(KINDS.get(aop_type, ""))


def removal(catalogue: Catalogue, snapshot: Snapshot, *, plain: bool = False) -> str:
    """Name what a publication removes, which may be an approval; "" for nothing."""
    changes = snapshot.evidence.changes if snapshot.evidence else None
    if changes is None or not changes.removed or not isinstance(snapshot, Task):
        return ""
    is_playbook = snapshot.business_type == BusinessType.PLAYBOOKPUBLISH
    text = (ACTION_CHANGES if is_playbook else NODE_CHANGES)[0]
    names = catalogue.all_of([_name(name, plain=plain) for name in changes.removed], NAMED)
    return catalogue.gettext(text, names=names)


def decision_facts(catalogue: Catalogue, snapshot: Snapshot, *, plain: bool = False) -> list[str]:
    """Return what a decision is about, what it may remove, and of which type its workflow is."""
    facts = (
        about(catalogue, snapshot, plain=plain),
        removal(catalogue, snapshot, plain=plain),
        kind_sentence(catalogue, snapshot.evidence),
    )
    return [fact for fact in facts if fact]


def submitted_version(evidence: Evidence) -> WorkflowVersion | PlaybookVersion | None:
    """Return the version that waits to be published."""
    return evidence.workflow_version or evidence.playbook_version


def _name(name: str, *, plain: bool) -> str:
    """Return a name on one line, defanged: as plain text, or else for markup."""
    return clip(" ".join(defang(name).split()), PLAIN_NAME) if plain else prose(name, NAME)


def _publication(catalogue: Catalogue, evidence: Evidence) -> list[str]:
    """Say which version replaces which, and what differs between the two."""
    active = evidence.active_workflow_version or evidence.active_playbook_version
    submitted = submitted_version(evidence)
    sentences = []
    if submitted:
        text = _version(submitted)
        if submitted.creator_name:
            author = prose(submitted.creator_name, NAME)
            sentence = catalogue.gettext(
                "Submitted version: {version}, by {author}.", version=text, author=author
            )
        else:
            sentence = catalogue.gettext("Submitted version: {version}.", version=text)
        sentences.append(f"🆕 {sentence}")
    definition = evidence.workflow or evidence.playbook_definition
    if active:
        sentences.append(catalogue.gettext("Active version: {version}.", version=_version(active)))
    elif definition and not definition.version_id:
        sentences.append(catalogue.gettext("No version is active yet."))
    if evidence.changes:
        sentences += _changes(catalogue, evidence, evidence.changes)
    elif active and submitted:
        sentences.append(catalogue.gettext("What differs between the two can't be read here."))
    sentences.append(kind_sentence(catalogue, evidence))
    sentences += _unread(catalogue, evidence)
    return [sentence for sentence in sentences if sentence]


def _version(version: WorkflowVersion | PlaybookVersion) -> str:
    """Name a version, with its status as SecMaster writes it."""
    name = bold(version.version or version.id, NAME)
    return f"{name} ({code(version.status, NAME)})" if version.status else name


def _changes(catalogue: Catalogue, evidence: Evidence, changes: VersionChanges) -> list[str]:
    """Say which nodes or actions differ, how a playbook is started, and what is not compared."""
    is_playbook = evidence.playbook_version is not None
    texts = ACTION_CHANGES if is_playbook else NODE_CHANGES
    differences = (changes.removed, changes.added, changes.changed)
    sentences = []
    for sign, text, names in zip(CHANGE_SIGNS, texts, differences, strict=True):
        if names:
            quoted = catalogue.all_of([bold(name, NAME) for name in names], MOST_NAMES)
            sentences.append(f"{sign} {catalogue.gettext(text, names=quoted)}")
    if changes.reordered and is_playbook:
        order = catalogue.gettext("The actions are the same, in another order.")
        sentences.append(f"✏️ {order}")
    elif changes.reordered:
        order = catalogue.gettext(
            "The nodes are the same, but the connections between them or their conditions differ."
        )
        sentences.append(f"✏️ {order}")
    if changes.reconfigured and is_playbook:
        sentences.append(f"✏️ {catalogue.gettext('The rules that start the playbook differ.')}")
    elif changes.reconfigured:
        sentences.append(f"✏️ {catalogue.gettext('The configuration of the nodes differs.')}")
    sentences += _playbook_changes(catalogue, evidence)
    sentences = sentences or _sameness(catalogue, changes, is_playbook=is_playbook)
    if changes.partial:
        sentences.append(_uncompared(catalogue, is_playbook=is_playbook))
    return sentences


def _sameness(catalogue: Catalogue, changes: VersionChanges, *, is_playbook: bool) -> list[str]:
    """Say what is the same in two versions that show no difference; [] where that is unknown."""
    if is_playbook:
        sentence = catalogue.gettext("Both versions have the same actions, rules and trigger.")
        return [] if changes.partial else [sentence]
    if changes.partial:
        return [catalogue.gettext("Both versions have the same nodes.")]
    return [catalogue.gettext("Both versions have the same nodes and connections between them.")]


def _uncompared(catalogue: Catalogue, *, is_playbook: bool) -> str:
    """Say what of two versions could not be compared."""
    if is_playbook:
        sentence = catalogue.gettext("The actions and rules could not all be compared.")
    else:
        sentence = catalogue.gettext("How the nodes follow one another could not be compared.")
    return f"⚠️ {sentence}"


def _playbook_changes(catalogue: Catalogue, evidence: Evidence) -> list[str]:
    """Say how the trigger of a playbook and the order of its actions differ."""
    active, submitted = evidence.active_playbook_version, evidence.playbook_version
    if active is None or submitted is None:
        return []
    sentences = []
    if active.trigger_type != submitted.trigger_type:
        sentence = catalogue.gettext(
            "Trigger: {before} → {after}.",
            before=code(active.trigger_type, NAME),
            after=code(submitted.trigger_type, NAME),
        )
        sentences.append(f"✏️ {sentence}")
    if active.action_strategy != submitted.action_strategy:
        sentence = catalogue.gettext(
            "Action strategy: {before} → {after}.",
            before=code(active.action_strategy, NAME),
            after=code(submitted.action_strategy, NAME),
        )
        sentences.append(f"✏️ {sentence}")
    return sentences


def _unread(catalogue: Catalogue, evidence: Evidence) -> list[str]:
    """Say which definitions can't be read, each once."""
    texts = {}
    for unread in evidence.unread:
        if unread.subject in UNREAD and unread.subject not in texts:
            answer = f" HTTP {unread.status}." if unread.status else ""
            texts[unread.subject] = f"⚠️ {catalogue.gettext(UNREAD[unread.subject])}{answer}"
    return [*texts.values()]


def _names(finding: Finding) -> list[str]:
    """Return the resources' names, and the addresses at the far ends of the connections."""
    resources = [resource.name or resource.id for resource in finding.resources]
    addresses = [address for each in finding.connections for address in _far_ends(each)]
    # One of each kind first: few of them have room.
    names = (*resources[:1], *addresses[:1], *resources[1:], *addresses[1:])
    return [name for name in dict.fromkeys(names) if name.strip()]


def _far_ends(connection: Connection) -> Iterable[str]:
    """Return who is at the other end of a connection; both ends where its direction is unknown."""
    source = connection.src_ip or connection.src_domain
    target = connection.dest_ip or connection.dest_domain
    match connection.direction.upper():
        case "IN":
            return (source,)
        case "OUT":
            return (target,)
        case _:
            return (source, target)

"""Read what SecMaster knows around a task or a run: the run that waits, and the alert behind it.

A card costs two reads at most, and one of a resource and one of a definition where these are not
known yet. What can't be read is said in the evidence, and raises nothing.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Generic, TypeVar, assert_never

from bot.domain.objects import ObjectKind
from bot.domain.snapshots import Run, Snapshot, kind_of
from bot.domain.taskflow import next_node, parse, playbook_changes, workflow_changes
from bot.runtime.clock import Clock
from bot.runtime.timeouts import EvidenceTimeouts
from bot.runtime.ttl_cache import TtlCache
from bot.secmaster import (
    BusinessType,
    Evidence,
    Finding,
    Forbidden,
    Instance,
    Named,
    NotFound,
    NotRouted,
    PlaybookInstance,
    PlaybookVersion,
    SecMaster,
    SecMasterError,
    Task,
    Unread,
    WorkflowVersion,
)

OBJECT_TTL = 60.0  # seconds for which a run and a finding are taken for what they were
DEFINITION_TTL = 600.0  # the same of resources, and of definitions by id and version
TIMED_OUT = "timeout"  # our code for a read that took too long
NOT_ASKED = "unusable_name"  # and for an object or a class that no address can name
CLASS_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
PASSING_STATUSES = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
MAX_ID = 256
MAX_RESOURCES = 20  # that are read of one finding where a rule asks about each
READ_AT_ONCE = 4  # of these: people's clicks need SecMaster's connections too

V = TypeVar("V")
ShowByClass = Callable[[SecMaster, str, str], Awaitable[V]]


class Subject(StrEnum):
    """What a read is about: ``Unread.subject`` names it."""

    RUN = "run"
    PLAYBOOK_RUN = "playbook_run"
    ALERT = "alert"
    INCIDENT = "incident"
    FINDING = "finding"
    RESOURCE = "resource"
    WORKFLOW = "workflow"
    WORKFLOW_VERSION = "workflow_version"
    PLAYBOOK = "playbook"
    PLAYBOOK_VERSION = "playbook_version"


DEFINITIONS = (
    Subject.WORKFLOW,
    Subject.WORKFLOW_VERSION,
    Subject.PLAYBOOK,
    Subject.PLAYBOOK_VERSION,
)
# What is known of a version that waits to be published: all of it is of one reading.
DEFINITION_FACTS = (
    "workflow",
    "workflow_version",
    "active_workflow_version",
    "playbook_definition",
    "playbook_version",
    "active_playbook_version",
    "changes",
)
# What a finding is called, by the path of its class; those of other classes are only findings.
FINDINGS = {"alerts": Subject.ALERT, "incidents": Subject.INCIDENT}


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """What SecMaster answered, and when."""

    value: V
    at: datetime


class Reads(Generic[V]):
    """The reads of one subject: each answer is kept for ``ttl`` seconds, and shared.

    ``show`` is asked with a client, a class of objects ("" where the subject has none) and an id. A
    class that may not be read, or has no such address, is not asked for again for a while.
    """

    def __init__(  # noqa: PLR0913 - whom to ask, about what, and how long that is good for
        self,
        subject: Subject,
        show: ShowByClass[V],
        *,
        client: Callable[[str], SecMaster],
        clock: Clock,
        timeouts: EvidenceTimeouts,
        ttl: float = OBJECT_TTL,
    ) -> None:
        self.ttl = ttl
        self._subject = subject
        self._show = show
        self._client = client
        self._clock = clock
        self._timeouts = timeouts
        self._answers = TtlCache(self._look_up, clock.monotonic, ttl=ttl)
        self._closed: dict[tuple[str, str], tuple[float, Unread]] = {}

    async def read(
        self,
        workspace: str,
        id_: str,
        *,
        class_name: str = "",
        version: str = "",
        fresh: bool = False,
    ) -> Answer[V] | Unread:
        """Return an object, or why it can't be read; a ``fresh`` one is always asked for.

        An answer is kept by its ``version`` as well.
        """
        subject = FINDINGS.get(class_name, self._subject)
        if not 0 < len(id_.strip(" .")) <= MAX_ID:
            return Unread(subject=subject, code=NOT_ASKED)
        until, reason = self._closed.get((workspace, class_name), (0.0, None))
        if reason and not fresh and self._clock.monotonic() < until:
            return reason
        try:
            key = json.dumps([workspace, class_name, id_, version])
            answer = await self._answers.get(key, fresh=fresh)
        except SecMasterError as error:
            unread = unread_by(subject, error)
            if isinstance(error, Forbidden | NotRouted) and not error.unsent:
                until = self._clock.monotonic() + self._timeouts.retry
                self._closed[workspace, class_name] = until, unread
            return unread
        except TimeoutError:
            return Unread(subject=subject, code=TIMED_OUT)
        self._closed.pop((workspace, class_name), None)
        return answer

    async def _look_up(self, key: str) -> Answer[V]:
        workspace, class_name, id_, _version = json.loads(key)
        async with asyncio.timeout(self._timeouts.read):
            value = await self._show(self._client(workspace), class_name, id_)
        return Answer(value, self._clock.now())


class EvidenceReader:
    """Reads evidence: never raises SecMasterError, and puts up with a caller that is cancelled.

    ``client`` returns a workspace's client, or raises NotFound. ``is_decisive`` tells whether a
    rule of the policy in force asks about the evidence of a kind of object, and
    ``reads_all_resources`` whether one asks about each resource of a finding.
    """

    def __init__(
        self,
        client: Callable[[str], SecMaster],
        clock: Clock,
        timeouts: EvidenceTimeouts,
        is_decisive: Callable[[ObjectKind], bool] = lambda _kind: False,
        reads_all_resources: Callable[[ObjectKind], bool] = lambda _kind: False,
    ) -> None:
        def reads(subject: Subject, show: ShowByClass[V], ttl: float) -> Reads[V]:
            return Reads(subject, show, client=client, clock=clock, timeouts=timeouts, ttl=ttl)

        self._clock = clock
        self._is_decisive = is_decisive
        self._reads_all_resources = reads_all_resources
        self._runs = reads(
            Subject.RUN, lambda client, _class, id_: client.show_workflow_instance(id_), OBJECT_TTL
        )
        self._playbook_runs = reads(
            Subject.PLAYBOOK_RUN,
            lambda client, _class, id_: client.show_playbook_instance(id_),
            OBJECT_TTL,
        )
        self._findings = reads(Subject.FINDING, _show_finding, OBJECT_TTL)
        self.resources = reads(
            Subject.RESOURCE, lambda client, _class, id_: client.show_resource(id_), DEFINITION_TTL
        )
        self.workflows = reads(
            Subject.WORKFLOW, lambda client, _class, id_: client.show_workflow(id_), DEFINITION_TTL
        )
        self.workflow_versions = reads(
            Subject.WORKFLOW_VERSION,
            lambda client, _class, id_: client.show_workflow_version(id_),
            DEFINITION_TTL,
        )
        self.playbooks = reads(
            Subject.PLAYBOOK, lambda client, _class, id_: client.show_playbook(id_), DEFINITION_TTL
        )
        self.playbook_versions = reads(
            Subject.PLAYBOOK_VERSION,
            lambda client, _class, id_: client.show_playbook_version(id_),
            DEFINITION_TTL,
        )

    async def read(self, workspace: str, snapshot: Snapshot, *, fresh: bool = False) -> Evidence:
        """Return what SecMaster knows around an object; what it can't tell is in ``unread``.

        What was read up to a minute ago is as good, but not where it must be ``fresh``.
        """
        kind = kind_of(snapshot)
        most_resources = MAX_RESOURCES if self._reads_all_resources(kind) else 1
        reading = _Reading(workspace, fresh=fresh, most_resources=most_resources)
        facts = await self._facts(reading, snapshot)
        return Evidence(
            read_at=min(reading.times, default=self._clock.now()),
            unread=tuple(reading.unread),
            decisive=self._is_decisive(kind),
            **facts,
        )

    async def _facts(self, reading: "_Reading", snapshot: Snapshot) -> dict[str, Any]:
        match snapshot:
            case Task():
                return await self._facts_of_task(reading, snapshot)
            case Instance() | PlaybookInstance():
                return await self._facts_of_run(reading, snapshot)
            case _:
                assert_never(snapshot)

    async def _facts_of_task(self, reading: "_Reading", snapshot: Task) -> dict[str, Any]:
        match snapshot.business_type:
            case BusinessType.WORKFLOWNODEAPPROVE:
                return await self._facts_of_node(reading, snapshot)
            case BusinessType.PLAYBOOKNODEAPPROVE:
                playbook_run = await reading.ask(self._playbook_runs, snapshot.action_instance_id)
                return await self._facts_of_run(reading, playbook_run) if playbook_run else {}
            case BusinessType.WORKFLOWPUBLISH:
                return await self._facts_of_workflow(reading, snapshot)
            case BusinessType.PLAYBOOKPUBLISH:
                return await self._facts_of_playbook(reading, snapshot)
            case _:  # a type that this version does not know: nothing is known around it
                return {}

    async def _facts_of_node(self, reading: "_Reading", task: Task) -> dict[str, Any]:
        """Return what is known around the node of a workflow that a task waits at."""
        run = await reading.ask(self._runs, task.action_instance_id)
        if run is None:
            return {}
        facts = await self._facts_of_run(reading, run)
        if run.workflow.version_id:
            version = await reading.ask(
                self.workflow_versions, run.workflow.version_id, may_change=False
            )
            name = next_node(parse(version.taskflow), task, run) if version else ""
            facts["upcoming"] = (name,) if name else ()
        return facts

    async def _facts_of_workflow(self, reading: "_Reading", task: Task) -> dict[str, Any]:
        """Return what is known of a workflow's version that waits to be published."""
        version_id = task.action_version_id
        workflow = await reading.ask(self.workflows, task.action_id, version=version_id)
        submitted = await reading.ask(self.workflow_versions, version_id)
        active = None
        if workflow and workflow.version_id not in ("", version_id):  # the first one replaces none
            active = await reading.ask(self.workflow_versions, workflow.version_id)
        return {
            "workflow": workflow,
            "workflow_version": _without_taskflow(submitted),
            "active_workflow_version": _without_taskflow(active),
            "changes": workflow_changes(active, submitted) if active and submitted else None,
        }

    async def _facts_of_playbook(self, reading: "_Reading", task: Task) -> dict[str, Any]:
        """Return what is known of a playbook's version that waits to be published."""
        version_id = task.action_version_id
        playbook = await reading.ask(self.playbooks, task.action_id, version=version_id)
        submitted = await reading.ask(self.playbook_versions, version_id)
        active = None
        if playbook and playbook.version_id not in ("", version_id):
            active = await reading.ask(self.playbook_versions, playbook.version_id)
        return {
            "playbook_definition": playbook,
            "playbook_version": _without_definition(submitted),
            "active_playbook_version": _without_definition(active),
            "changes": playbook_changes(active, submitted) if active and submitted else None,
        }

    async def _facts_of_run(self, reading: "_Reading", run: Run) -> dict[str, Any]:
        """Return what is known around a run: its object, the resources of that, its workflow.

        The workflow of a playbook's run is not known: it may have several.
        """
        facts: dict[str, Any] = {
            "run": Named(id=run.id, name=run.name),
            "run_status": run.status,
            "playbook": Named(id=run.playbook.id, name=run.playbook.name),
        }
        object_id, finding = finding_id(run), None
        if object_id:  # a run that was started by hand may be about nothing
            class_name = class_path(run.dataclass_)
            finding = await reading.ask(self._findings, object_id, class_name=class_name)
        facts["finding"] = finding
        if finding and finding.resources:
            ids = list(dict.fromkeys(each.id for each in finding.resources))
            first, *others = await reading.ask_all(self.resources, ids[: reading.most_resources])
            facts["resource"] = first
            facts["other_resources"] = tuple(filter(None, others))
        if isinstance(run, Instance):
            facts["workflow_ref"] = run.workflow
            if run.workflow.id:
                facts["workflow"] = await reading.ask(
                    self.workflows, run.workflow.id, version=run.workflow.version_id
                )
        return facts


@dataclass(slots=True)
class _Reading:
    """One evidence while it is read: when SecMaster answered, and what it did not tell.

    ``times`` are those of what ticks, and not of what is kept for longer.
    """

    workspace: str
    fresh: bool
    most_resources: int = 1
    times: list[datetime] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    async def ask(
        self,
        reads: Reads[V],
        id_: str,
        *,
        class_name: str = "",
        version: str = "",
        may_change: bool = True,
    ) -> V | None:
        """Return an object; None where it can't be read, which is noted.

        No reading asks anew for what may not change.
        """
        fresh = self.fresh and may_change
        answer = await reads.read(
            self.workspace, id_, class_name=class_name, version=version, fresh=fresh
        )
        return self._note(reads, answer)

    async def ask_all(self, reads: Reads[V], ids: Sequence[str]) -> list[V | None]:
        """Return objects in the order of their ids, read a few at once; None as `ask` does.

        Where none must be fresh, the first one that may not be read spares the others.
        """
        limit = asyncio.Semaphore(READ_AT_ONCE)

        async def read(id_: str) -> Answer[V] | Unread:
            async with limit:
                return await reads.read(self.workspace, id_, fresh=self.fresh)

        answers = [] if self.fresh else [await read(id_) for id_ in ids[:1]]
        answers += await asyncio.gather(*map(read, ids[len(answers) :]))
        return [self._note(reads, answer) for answer in answers]

    def _note(self, reads: Reads[V], answer: Answer[V] | Unread) -> V | None:
        """Return what was read, and note when, or that it can't be read."""
        if isinstance(answer, Unread):
            self.unread.append(answer)
            return None
        if reads.ttl == OBJECT_TTL:
            self.times.append(answer.at)
        return answer.value


def finding_id(run: Run) -> str:
    """Return the id of the object that a run is about; "" where that is not stated."""
    match run:
        case Instance():
            return run.dataobject_id
        case PlaybookInstance():
            return run.dataobject.id
        case _:
            assert_never(run)


def class_path(dataclass_: Named) -> str:
    """Return the name of a data class as addresses have it: in small letters, in the plural.

    "" where SecMaster does not name it in letters that an address takes.
    """
    name = (dataclass_.en_name or dataclass_.name).strip().casefold()
    if not CLASS_NAME.fullmatch(name):
        return ""
    if name.endswith("s"):
        return name
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


async def _show_finding(client: SecMaster, class_name: str, id_: str) -> Finding:
    match class_name:
        case "alerts":
            return await client.show_alert(id_)
        case "incidents":
            return await client.show_incident(id_)
        case "":
            raise NotFound("SecMaster does not say of which class the object is", code=NOT_ASKED)
        case _:
            return await client.show_dataobject(class_name, id_)


def _without_taskflow(version: WorkflowVersion | None) -> WorkflowVersion | None:
    """Leave out what may be as long as a workflow is; a reader of it asks for it by the id."""
    return version and version.model_copy(update={"taskflow": "", "taskconfig": ""})


def _without_definition(version: PlaybookVersion | None) -> PlaybookVersion | None:
    """Leave out of a playbook's version what may be long as well."""
    return version and version.model_copy(update={"definition": ""})


def unread_by(subject: Subject, error: SecMasterError) -> Unread:
    """Return that something can't be read, by SecMaster's answer."""
    return Unread(
        subject=subject,
        status=error.status or 0,
        code=error.code,
        request_id=error.request_id,
    )


def may_pass(unread: Unread) -> bool:
    """Return whether something may be read in a moment: SecMaster was in trouble, or silent."""
    if unread.status:
        return (
            unread.status in PASSING_STATUSES or unread.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
    return unread.code != NOT_ASKED


def is_complete(evidence: Evidence) -> bool:
    """Return whether nothing is to be tried again: of what does not exist here all is known."""
    return all(
        unread.status == HTTPStatus.NOT_FOUND or unread.code == NOT_ASKED
        for unread in evidence.unread
    )


def is_gone(unread: Unread) -> bool:
    """Return whether SecMaster itself says that it does not exist: a gateway's 404 says nothing."""
    is_not_found = unread.status == HTTPStatus.NOT_FOUND
    return is_not_found and bool(unread.code) and not unread.code.startswith("APIGW")


def _resources(before: Evidence, after: Evidence) -> dict[str, Any]:
    """Return what is known of the finding's resources, some of which could not be read again."""
    assets = after.finding.resources if after.finding else ()
    known = {each.id: each for each in (*before.resources, *after.resources) if each.id}
    first, *others = [known.get(id_) for id_ in dict.fromkeys(each.id for each in assets)] or [None]
    return {"resource": first, "other_resources": tuple(filter(None, others))}


def merged(before: Evidence | None, after: Evidence) -> Evidence:
    """Return what is known after a reading: what it could not read stays as it was read before."""
    failed = {unread.subject for unread in after.unread if not is_gone(unread)}
    if before is None or not failed:
        return after
    is_finding_unread = not failed.isdisjoint({Subject.FINDING, *FINDINGS.values()})
    is_run_unread = not failed.isdisjoint({Subject.RUN, Subject.PLAYBOOK_RUN})
    if is_run_unread:
        return before.model_copy(update={"unread": after.unread, "decisive": after.decisive})
    update: dict[str, Any] = {}
    if is_finding_unread:
        update = {
            "finding": before.finding,
            "resource": before.resource,
            "other_resources": before.other_resources,
            "read_at": before.read_at if before.finding else after.read_at,
        }
    if Subject.RESOURCE in failed:
        update |= _resources(before, after)
    if Subject.WORKFLOW in failed:
        update["workflow"] = before.workflow
    if Subject.WORKFLOW_VERSION in failed:
        update["upcoming"] = before.upcoming
    if before.changes and not failed.isdisjoint(DEFINITIONS):
        update |= {name: getattr(before, name) for name in DEFINITION_FACTS}
    return after.model_copy(update=update)

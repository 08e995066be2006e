"""Draw people's Homes from what is tracked, and again where that has changed.

Where SecMaster is not polled, Home is drawn from what SecMaster answers at that moment.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Self

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.approvals import ApprovalRequest, OpenRequest
from bot.domain.objects import OBJECT_KINDS, ObjectKind, Ref
from bot.domain.run_results import waiting_kind
from bot.domain.slack import Actor
from bot.domain.snapshots import Snapshot
from bot.domain.stages import stage_at
from bot.domain.tracking import Assignment, TrackedObject
from bot.domain.watch_status import PollStatus
from bot.messages import denials, modals
from bot.messages import home as home_messages
from bot.messages.blocks import RenderContext, Viewer
from bot.messages.home import Home, HomeDecision, HomeOptions, HomeRequest, HomeRow
from bot.messages.oncall import SOON
from bot.operations import authorization
from bot.operations.reading import Reader, ReadRefused, open_reader
from bot.policy.decide import Allowed, decide, may_add_approval
from bot.policy.requirements import deciding_rule, members
from bot.policy.rules import Rule
from bot.secmaster import Instance, NotFound, SecMasterError
from bot.slack import gateway
from bot.slack.directory import LookupFailed, require_identified
from bot.store.history import AuditedAction, audited_actions
from handlers import queries
from handlers.context import AppContext, Recorder
from handlers.errors import UserError, error_message
from handlers.oncall import on_call

log = logging.getLogger(__name__)

RECENTLY_OPENED = timedelta(minutes=15)  # whoever opened their Home longer ago looks elsewhere
AT_ONCE = 20  # Homes drawn again after a poll: Slack takes a hundred a minute
MAX_OBJECTS = 1000  # tasks, and instances, of which the policy is asked who may decide them
MOST_READ = 2 * home_messages.REQUESTS  # objects that are read to draw a Home without polling
DECISIONS = tuple(action for action in TABLE if action.is_decision)
RETRIES = tuple(action for action in TABLE if action.is_retry)
SHARED = tuple(action for action in TABLE if action.claim_group)  # that may need approvals


@dataclass(frozen=True, slots=True)
class HomeSource:
    """What all Homes are drawn from.

    ``requests`` are those that wait for approvals, each with its object as it is known. Of
    ``unchecked`` more tasks the policy is not asked who may decide them.
    """

    tasks: Sequence[TrackedObject]
    unchecked: int
    failed: Sequence[TrackedObject]
    failed_playbooks: Sequence[TrackedObject]
    decisions: Sequence[AuditedAction]
    on_call: Sequence[str] | None
    polls: Sequence[PollStatus]
    requests: Sequence[tuple[OpenRequest, Snapshot]]


async def record_options(recorder: Recorder, actor: Actor, value: str) -> None:
    """Record the options that the pressed button or menu of somebody's Home carries, if any."""
    if not value:
        return
    options = HomeOptions.parse(value)
    if options is None:
        raise UserError(denials.newer_button(recorder.app.catalogue))
    require_identified(actor)
    choose, now = recorder.changes.choose_home_options, recorder.app.services.clock.now()
    chosen = options.model_dump(mode="json")
    await recorder.record(partial(asyncio.to_thread, choose, actor.id, chosen, now))


async def opened(app: AppContext, actor: Actor) -> None:
    """Draw somebody's Home with the options that they chose last."""
    polls = await asyncio.to_thread(_polls, app)
    if not polls:
        requests: Sequence[HomeRequest] = ()
        with suppress(LookupFailed):  # which is said below
            requests = await _read_requests(app, actor)
        await queries.home(app, actor, home_messages.request_sections(app.catalogue, requests))
        return

    # One at a time: a refresh that ends after the notice of a failure has been published would
    # record the Home as drawn, and the notice would stand.
    async with app.home_locks.get(actor.id):
        mark_opened, now = app.services.store.home_views.mark_opened, app.services.clock.now()
        await asyncio.to_thread(mark_opened, actor.id, now)
        try:
            await _draw(app, actor, await _load_source(app, polls))
        except LookupFailed as error:
            view = modals.failed_home(app.catalogue, error_message(error, app).text)
            await gateway.call(app.services.slack.client.views_publish(user_id=actor.id, view=view))


async def _read_requests(app: AppContext, actor: Actor) -> Sequence[HomeRequest]:
    """Return the requests for approvals that are for a person, whose objects are read now.

    Where one can't be read it is taken for what was approved. Raises LookupFailed.
    """
    services, reader = app.services, await open_reader(app.services, actor, *SHARED)
    person = await asyncio.to_thread(PersonalView.load, app, reader)
    origins = await asyncio.to_thread(_open_requests, app)
    allowed = {each.request.id for each in await asyncio.to_thread(person.requests, origins)}

    async def read(origin: OpenRequest, snapshot: Snapshot) -> tuple[OpenRequest, Snapshot] | None:
        try:
            async with asyncio.timeout(services.timeouts.read):
                return origin, await reader.read(origin.ref)
        except (NotFound, ReadRefused):
            return None
        except (SecMasterError, TimeoutError):
            return origin, snapshot

    pairs = [pair for pair in origins if pair[0].request.id in allowed][:MOST_READ]
    readings = await asyncio.gather(*(read(*pair) for pair in pairs))
    requests = await asyncio.to_thread(person.requests, list(filter(None, readings)))
    await asyncio.to_thread(
        _save_snapshots, app, [(each.render_context.ref, each.snapshot) for each in requests]
    )
    return requests


def _save_snapshots(app: AppContext, objects: Sequence[tuple[Ref, Snapshot]]) -> None:
    """Save what is shown with buttons, so that a change before the press is noticed; blocks."""
    for ref, snapshot in objects:
        stored, now = snapshots.stored(snapshot), app.services.clock.now()
        app.services.store.snapshots.save(ref, stored, now)


def _polls(app: AppContext) -> list[PollStatus]:
    """Return each workspace's poll status; none where some workspace has not been read yet.

    There are none either where this process does not poll: what was known then may be over.
    """
    if not app.services.poll_interval:
        return []
    polls = {
        poll.workspace: poll
        for poll in app.services.store.poll_statuses.all()
        if poll.last_success_at
    }
    return list(polls.values()) if polls.keys() >= set(app.services.workspaces) else []


async def _load_source(app: AppContext, polls: Sequence[PollStatus]) -> HomeSource:
    """Read what all Homes are drawn from, of this shift."""
    store, now = app.services.store, app.services.clock.now()
    since = now - app.config.watch.shift
    tasks = await asyncio.to_thread(store.tracked.open_tasks, MAX_OBJECTS)
    counts = await asyncio.to_thread(store.tracked.open_counts, now, SOON)
    failed = await asyncio.to_thread(store.tracked.open_failures, "instance", MAX_OBJECTS)
    playbooks = await asyncio.to_thread(store.tracked.open_failures, "playbook", MAX_OBJECTS)
    audited = await asyncio.to_thread(lambda: list(audited_actions(store.engine, since)))
    requests = await asyncio.to_thread(_open_requests, app)
    return HomeSource(
        tasks=tasks,
        unchecked=max(0, counts.waiting - len(tasks)),
        failed=failed,
        failed_playbooks=playbooks,
        decisions=[action for action in audited if action.certain],
        on_call=await on_call(app),
        polls=polls,
        requests=requests,
    )


def _open_requests(app: AppContext) -> list[tuple[OpenRequest, Snapshot]]:
    """Return every request that waits for approvals, with its object as it is known; blocks."""
    store = app.services.store
    requests = store.claims.open_requests(app.services.clock.now())
    tracked = {each.ref: each for each in store.tracked.get([each.ref for each in requests])}
    pairs = []
    for request in requests:
        snapshot: Snapshot | None
        if request.ref in tracked:
            snapshot = tracked[request.ref].snapshot
        else:
            approved = request.request.approvals[-1].decision_fingerprint
            snapshot = store.snapshots.get(request.ref, approved)
        if snapshot:
            pairs.append((request, snapshot))
    return pairs


async def _draw(
    app: AppContext, actor: Actor, source: HomeSource, shown_fingerprint: str = ""
) -> bool:
    """Draw somebody's Home unless it shows the same already; return whether it was drawn.

    The caller holds the lock of that Home.
    """
    views, drawn_options = app.services.store.home_views, None
    reader = await open_reader(app.services, actor, *SHARED)

    # Whoever turns a page meanwhile, on another replica, must not find the one before.
    while drawn_options != (options := await asyncio.to_thread(views.options, actor.id)):
        home = None
        try:
            reader.require(*OBJECT_KINDS)
            home = await asyncio.to_thread(
                personal_home, app, source, reader, HomeOptions.load(options)
            )
            home = await _with_failed_nodes(reader, home)
            view = home_messages.view(app.catalogue, home)
        except ReadRefused as error:
            message = denials.may_not_read(
                app.catalogue, error.kind, error.refused, app.config.roles
            )
            view = modals.failed_home(app.catalogue, message.text)
        fingerprint = home_messages.view_fingerprint(view)
        if drawn_options is None and fingerprint == shown_fingerprint:
            return False
        if home:
            await asyncio.to_thread(_save_snapshots, app, home_messages.shown_objects(home))
        try:
            await gateway.call(app.services.slack.client.views_publish(user_id=actor.id, view=view))
        except gateway.SlackFailed as error:
            if not error.is_temporary:  # it would be refused for as long as it looks the same
                await asyncio.to_thread(views.save_fingerprint, actor.id, fingerprint)
            raise
        drawn_options = options
    await asyncio.to_thread(views.save_fingerprint, actor.id, fingerprint)
    return True


async def _with_failed_nodes(reader: Reader, home: Home) -> Home:
    """Return a Home whose runs on the chosen page say where they failed, as far as can be read.

    A list of SecMaster's does not say that, and nobody can retry what they have not seen.
    """
    unread = [
        row
        for row in home_messages.failed_page(home).rows
        if isinstance(row.snapshot, Instance) and not row.snapshot.nodes
    ]

    async def read(row: HomeRow) -> Snapshot:
        try:
            async with asyncio.timeout(reader.services.timeouts.read):
                return await reader.read(row.render_context.ref, track=True)
        except (SecMasterError, ReadRefused, TimeoutError):
            return row.snapshot

    runs = await asyncio.gather(*map(read, unread))
    read_rows = {
        row.render_context.ref: replace(
            row,
            snapshot=run,
            actions=tuple(each for each in row.actions if run.status in each.button_statuses),
        )
        for row, run in zip(unread, runs, strict=True)
    }
    failed = [read_rows.get(row.render_context.ref, row) for row in home.failed]
    return replace(home, failed=[row for row in failed if row.actions])


@dataclass(frozen=True, slots=True)
class PersonalView:
    """What one person sees of a source, and may do with it; asks the policy for each object.

    The methods read the database, so they run in a thread.
    """

    app: AppContext
    reader: Reader
    snoozes: Mapping[Ref, datetime]
    assignments: Mapping[Ref, Assignment]

    @classmethod
    def load(cls, app: AppContext, reader: Reader) -> Self:
        """Return what a person sees, with what they have snoozed, and who has claimed what."""
        store, now = app.services.store, app.services.clock.now()
        snoozes = store.personal_snoozes.of(reader.principal.id, now)
        return cls(app, reader, snoozes, store.tracked.assignments(now))

    def row(self, tracked: TrackedObject, actions: Sequence[Action]) -> HomeRow:
        """Return an object with those of the actions that the person may take on it now."""
        context = self._render_context(tracked.ref, tracked.snapshot)
        allowed = self.allowed(tracked.ref, tracked.snapshot, actions)
        assignment = self.assignments.get(tracked.ref)
        claimed_by_another = bool(assignment and assignment.assignee != self.reader.principal.id)
        return HomeRow(context, tracked.snapshot, allowed, claimed_by_another)

    def _render_context(
        self, ref: Ref, snapshot: Snapshot, *requests: ApprovalRequest
    ) -> RenderContext:
        """Return what an object's buttons need: they say how many must approve."""
        cards = self.app.services.cards
        tallies = cards.tallies(ref, snapshot, requests)
        viewer = Viewer(
            reads_runs=self.reader.reads_all(waiting_kind(snapshot)),
            snoozed_until=self.snoozes.get(ref),
        )
        return replace(
            cards.render_context(ref),
            tallies=tallies,
            viewer=viewer,
            assignment=self.assignments.get(ref),
        )

    def allowed(
        self, ref: Ref, snapshot: Snapshot, actions: Sequence[Action]
    ) -> tuple[Action, ...]:
        """Return those of the actions that an object has a button for, and the person may begin."""
        context = authorization.policy_context(self.app.services, ref, snapshot)
        rules, principal = self.reader.config.rules, self.reader.principal
        return tuple(
            action
            for action in actions
            if snapshot.status in action.button_statuses
            and isinstance(decision := decide(rules, principal, action, context), Allowed)
            and decision.may_fill(0)  # nobody has approved yet: what waits for others is a request
        )

    def readable(self, objects: Sequence[TrackedObject]) -> list[TrackedObject]:
        """Return the objects that the person may read."""
        return [each for each in objects if self.reader.may_read(each.ref, each.snapshot)]

    def requests(self, origins: Sequence[tuple[OpenRequest, Snapshot]]) -> list[HomeRequest]:
        """Return those requests that are for the person, ending soonest first."""
        requests = [
            request for origin, snapshot in origins if (request := self.request(origin, snapshot))
        ]
        return sorted(
            requests,
            key=lambda each: each.request.deadline(each.snapshot, each.render_context.now)[0],
        )

    def request(self, origin: OpenRequest, snapshot: Snapshot) -> HomeRequest | None:
        """Return a request as the person sees it; None where it is not for them, or is over."""
        ref, action = origin.ref, BY_NAME[origin.request.action]
        request, principal = origin.request.counted_for(snapshot), self.reader.principal
        is_open = snapshot.status in action.allowed_statuses and request.missing > 0
        if not (is_open and request.approvals and self.reader.may_read(ref, snapshot)):
            return None
        rules = self.reader.config.rules
        context = authorization.policy_context(self.app.services, ref, snapshot)
        approved = any(each.actor.id == principal.id for each in request.approvals)
        may_approve = may_add_approval(rules, principal, action, context, request)
        alone = decide(rules, principal, action, context, break_glass=True)
        may_override = request.break_glass_allowed and isinstance(alone, Allowed)
        if not (approved or may_approve or may_override):
            return None
        others = [each for each in SHARED if each.kind == ref.kind and each != action]
        actions = (action, *self.allowed(ref, snapshot, others)) if may_approve else ()
        return HomeRequest(
            render_context=self._render_context(ref, snapshot, request),
            snapshot=snapshot,
            request=request,
            actions=actions,
            approvers=self.approvers(deciding_rule(rules, action, context), request),
            may_approve=may_approve,
            approved=approved,
            may_override=may_override,
        )

    def approvers(self, rule: Rule | None, request: ApprovalRequest) -> tuple[str, ...]:
        """Return the user groups and people whose turn it is, without those who approved."""
        if rule is None:
            return ()
        ids = members(self.reader.config.roles, stage_at(rule.stages, request.turn).roles)
        return tuple(id_ for id_ in ids if not request.has_approval_of(id_, id_))


def personal_home(
    app: AppContext, source: HomeSource, reader: Reader, options: HomeOptions
) -> Home:
    """Return one person's Home: what they may decide or retry, and what they did last.

    Nothing is in it that they may not read. Reads the database, so it runs in a thread.
    """
    person, principal, store = PersonalView.load(app, reader), reader.principal, app.services.store
    requests = person.requests(source.requests)
    requested = {each.render_context.ref for each in requests}
    tasks = [task for task in source.tasks if task.ref not in requested]
    failed, failed_playbooks = (
        [
            row
            for tracked in person.readable([run for run in runs if run.ref not in requested])
            if (row := person.row(tracked, _retries(tracked.ref.kind))).actions
        ]
        for runs in (source.failed, source.failed_playbooks)
    )
    by_person = [action for action in source.decisions if action.actor.id == principal.id]
    latest = by_person[: -home_messages.DECIDED - 1 : -1]
    names = {
        tracked.ref: tracked.snapshot.name
        for tracked in person.readable(store.tracked.get([action.ref for action in latest]))
    }
    return Home(
        options=options,
        requests=requests,
        tasks=[person.row(tracked, DECISIONS) for tracked in person.readable(tasks)],
        failed=failed,
        failed_playbooks=failed_playbooks,
        decisions=[
            HomeDecision(action.action, action.ref, names.get(action.ref, ""), action.at)
            for action in latest
        ],
        on_call=source.on_call,
        as_of=min(poll.last_success_at for poll in source.polls if poll.last_success_at),
        unchecked=source.unchecked,
        stale=any(poll.failure for poll in source.polls),
        kinds=tuple(filter(reader.reads, OBJECT_KINDS)),
        restricted=not reader.reads_all("task"),
        calls=store.preferences.calls(principal.id),
    )


def _retries(kind: ObjectKind) -> list[Action]:
    return [action for action in RETRIES if action.kind == kind]


@dataclass(slots=True)
class HomeRefresher:
    """Draws Homes again after a poll, if they would look different.

    A few at a time, and everybody's in turn: ``_last`` is the person whose was drawn last.
    """

    app: AppContext
    at_once: int = AT_ONCE
    _last: str = ""
    _busy: bool = False

    async def __call__(self) -> None:
        """Start a refresh, unless the one before is under way: no poll waits for Slack."""

        async def refresh() -> None:
            try:
                await self.refresh()
            finally:
                self._busy = False

        async def log_failure(error: Exception) -> None:
            log.error("Home views are not refreshed", exc_info=error)

        if not self._busy:
            self._busy = True
            self.app.services.background.start(refresh(), log_failure)

    async def refresh(self) -> None:
        """Draw the recently opened Homes that have changed, up to ``at_once`` of them."""
        app, remaining = self.app, self.at_once
        if app.services.slack.token.refusal:
            return
        since = app.services.clock.now() - RECENTLY_OPENED
        views = await asyncio.to_thread(app.services.store.home_views.opened_since, since)
        polls = await asyncio.to_thread(_polls, app) if views else []
        if not polls:
            return
        source = await _load_source(app, polls)
        in_turn = sorted(views, key=lambda view: (view[0] <= self._last, view[0]))
        for user, _options, fingerprint in in_turn:
            try:
                async with app.home_locks.get(user):
                    drawn = await _draw(app, Actor(id=user), source, fingerprint)
            except (LookupFailed, gateway.SlackFailed) as error:
                details = {"user": user, "code": error.code}
                log.warning("Home view not published, by Slack", extra=details)
                if error.is_temporary:
                    return  # the next poll is soon enough
                drawn = False
            except Exception as error:
                # One that can't be drawn must not stand before the others.
                log.warning("Home view not published", exc_info=error, extra={"user": user})
                drawn = False
            if drawn:
                self._last, remaining = user, remaining - 1
            if not remaining:
                return

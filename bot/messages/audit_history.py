"""Tell what the audit log holds, a story for each decision: in Slack, and in reports for people.

The codes of a record are translated here and nowhere else. What a record is made of is in
``bot.store.audit``; one may be of another version, so what is missing or unknown is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from slack_sdk.models.blocks import ButtonElement

from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.audit import OPERATOR, SECMASTER, AuditOutcome, AuditQuery, object_name
from bot.domain.fields import finding_texts, own_decisive_texts
from bot.domain.objects import Ref
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.run_results import RunResult
from bot.domain.snapshots import Snapshot, kind_of
from bot.messages import evidence, run_results
from bot.messages.blocks import Message, actions, context, new_message, section, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.fields import INSTANCE_STATES, TASK_STATES, WORDS, laid_out
from bot.messages.labels import labels
from bot.messages.markup import PERSON_ID, Markup, SlackMarkup
from bot.messages.permissions import REFUSAL_TEXTS
from bot.messages.text import clip, defang, quote, rule_number
from bot.messages.watch import FOR_ALL, FOR_ME
from bot.secmaster import DueHandle, Task, TaskStatus

OLDER = "audit.older"  # the button's action id
PAGE = 10  # stories in a message
NAMED_ASSETS = 10

SIGNS = {
    AuditOutcome.ALLOWED: "⏳",
    AuditOutcome.REFUSED: "🚫",
    AuditOutcome.LOST: "✋",
    AuditOutcome.COUNTED: "🗳️",
    AuditOutcome.WITHDRAWN: "↩️",
    AuditOutcome.DECLINED: "🛑",
    AuditOutcome.REVOKED: "⚠️",
    AuditOutcome.LAPSED: "⌛",
    AuditOutcome.DONE: "✅",
    AuditOutcome.FAILED: "❌",
    AuditOutcome.UNKNOWN: "❓",
    AuditOutcome.RESULT: "🏁",
}
STATES = {**TASK_STATES, **INSTANCE_STATES}
# What was found by SecMaster's answer: it refused; everything else was never sent.
REFUSED_BY_SECMASTER = {
    OutcomeReason.REFUSED,
    OutcomeReason.INVALID,
    OutcomeReason.NOT_FOUND,
    OutcomeReason.FORBIDDEN,
    OutcomeReason.CONFLICT,
}
REASONS = {
    OutcomeReason.NONE: "",
    OutcomeReason.NOT_ALLOWED: N_("The policy refused it."),
    OutcomeReason.PERSON_UNKNOWN: N_("Slack could not say who this person is."),
    OutcomeReason.NOT_NOW: N_("Its status no longer allowed this."),
    OutcomeReason.CHANGED: N_("The object had changed since the person saw it."),
    OutcomeReason.LOST: N_("Somebody else came first."),
    OutcomeReason.TOO_OLD: N_("Too much time had passed."),
    OutcomeReason.ALREADY_APPROVED: N_("This person had approved it before."),
    OutcomeReason.NOT_YOUR_TURN: N_("It was not this person's turn to approve."),
    OutcomeReason.SAME_AUTHORITY: N_("Somebody had approved with the same person's permissions."),
    OutcomeReason.REQUEST_OVER: N_("The request for approvals was over."),
    OutcomeReason.REQUEST_LAPSED: N_("The request for approvals expired."),
    OutcomeReason.NO_REQUEST: N_("There was no open request for approvals."),
    OutcomeReason.ALREADY_SENDING: N_("What was approved was being sent already."),
    OutcomeReason.CANNOT_POST: N_("The bot could not post in the channel."),
    OutcomeReason.ATTRIBUTION_FAILED: N_("The comment that names who decides could not be added."),
    OutcomeReason.FILE_UNAVAILABLE: N_("Slack did not provide the file."),
    OutcomeReason.FILE_TOO_LARGE: N_("The file is too large for SecMaster."),
    OutcomeReason.FILE_DELAYED: N_("Slack did not provide the file in time."),
    OutcomeReason.READ_BACK: N_("The answer was lost; reading the object showed the result."),
    OutcomeReason.NOT_VISIBLE: N_("The answer was lost, and the object does not show the result."),
    OutcomeReason.NOT_READABLE: N_("The answer was lost, and the object could not be read."),
    OutcomeReason.RESTARTED: N_("The bot was restarted in the middle of it."),
    OutcomeReason.GIVEN_UP: N_("It was interrupted, and an operator gave it up."),
    OutcomeReason.UNREACHABLE: N_("SecMaster could not be reached."),
    OutcomeReason.LOST_ANSWER: N_("SecMaster's answer was lost."),
    OutcomeReason.UNAVAILABLE: N_("SecMaster did not answer properly."),
    OutcomeReason.UNREADABLE: N_("SecMaster's answer could not be read."),
    OutcomeReason.REFUSED: N_("SecMaster refused it."),
    OutcomeReason.INVALID: N_("SecMaster found the request invalid."),
    OutcomeReason.NOT_FOUND: N_("SecMaster did not find the object."),
    OutcomeReason.NOT_ROUTED: N_("Huawei Cloud's gateway rejected the request."),
    OutcomeReason.FORBIDDEN: N_("SecMaster denied the bot a permission."),
    OutcomeReason.CONFLICT: N_("SecMaster reported a conflict."),
    OutcomeReason.OWN_FAULT: N_("Something went wrong in the bot."),
}
# What is about no task and no run, by the action's name in the audit and whether it was done.
# {target} is a person or a channel.
OTHER_RECORDS = {
    ("delegate", True): N_("{actor} delegated their permissions to {target} until {until}."),
    ("delegate", False): N_("{actor} was not allowed to delegate their permissions."),
    ("revoke", True): N_("{actor} revoked their delegation to {target}."),
    ("reload", True): N_("{actor} reloaded the policy."),
    ("reload", False): N_("{actor} was not allowed to reload the policy."),
    ("audit", False): N_("{actor} was not allowed to read the audit."),
    ("watch", True): N_("{actor} subscribed a channel to all notifications: {target}."),
    ("watch", False): N_("{actor} was not allowed to subscribe or unsubscribe a channel."),
    ("unwatch", True): N_("{actor} unsubscribed a channel: {target}."),
    ("snooze", True): N_("{actor} snoozed reminders of {object} until {until}."),
    ("wake", True): N_("{actor} ended the snooze of {object}."),
    ("claim", True): N_("{actor} claimed {object} until {until}."),
    ("unclaim", True): N_("{actor} released the claim of {object}."),
    ("mute", True): N_("{actor} muted the workflow {workflow} until {until}."),
    ("mute", False): N_("{actor} was not allowed to mute a workflow."),
    ("unmute", True): N_("{actor} unmuted the workflow {workflow}."),
    ("escalate", True): N_("{actor} escalated {object} at once."),
    ("auto-approve", True): N_("SecMaster auto-approved {object} at its due date: nobody decided."),
    ("auto-cancel", True): N_("SecMaster cancelled {object} at its due date: nobody decided."),
    ("calls", True): N_("{actor} chose how they are notified of approval requests."),
}
# The same where the record says whom it was for, or whose claim it was.
OTHERS_CLAIM = "other"
CONCERNED_RECORDS = {
    ("snooze", FOR_ALL): N_("{actor} snoozed reminders of {object} for everyone until {until}."),
    ("snooze", FOR_ME): N_("{actor} snoozed {object} for themselves alone until {until}."),
    ("wake", FOR_ALL): N_("{actor} ended the snooze of {object} for everyone."),
    ("wake", FOR_ME): N_("{actor} ended their own snooze of {object}."),
    ("claim", OTHERS_CLAIM): N_("{actor} took {object} over from {previous} until {until}."),
    ("unclaim", OTHERS_CLAIM): N_("{actor} released {object}, which {previous} had claimed."),
}


@dataclass(frozen=True, slots=True)
class AuditedRecord:
    """A record with what belongs to its story.

    ``snapshot`` is the object as the person saw it, or else as it was found; None where none is
    kept. ``later`` is the record that says what came of an approval that waited for others, and
    ``current`` what is known of the object of a request that ended at its due date. ``names`` are
    those of people whom the record has by their id alone. ``result`` is the record of what came of
    an operation afterwards.
    """

    record: Mapping[str, Any]
    snapshot: Snapshot | None = None
    later: Mapping[str, Any] | None = None
    current: Snapshot | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What one record tells, in a markup: when, about what, its headline, and labelled facts.

    ``object_name`` and ``object_id`` are "" for what is about no object; ``card`` are the fields of
    the card as the person saw it, ``reason`` is what they wrote, as it is.
    """

    when: str
    object_name: str
    object_id: str
    sign: str
    headline: str
    facts: Sequence[tuple[str, str]]
    card: Sequence[tuple[str, str]] = ()
    card_note: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes sentences about one record."""

    catalogue: Catalogue
    markup: Markup
    record: Mapping[str, Any]
    names: Mapping[str, str]

    @property
    def action(self) -> Action | None:
        return BY_NAME.get(str(self.record.get("action")))

    @property
    def actor(self) -> str:
        return self.person(self.record.get("actor") or {})

    @property
    def object_name(self) -> str:
        name, id_ = object_name(self.record), object_id(self.record)
        return self.markup.bold(name) if name else self.markup.code(id_)

    def person(self, person: Mapping[str, Any]) -> str:
        id_ = str(person.get("id") or "")
        name = str(person.get("name") or self.names.get(id_, ""))
        if id_ == OPERATOR:
            return self.catalogue.gettext("the operator")
        if id_ == SECMASTER:
            return self.markup.text(name)
        return self.markup.person(id_, name)

    def time(self, text: object) -> str:
        try:
            return self.markup.time(datetime.fromisoformat(str(text)))
        except (ValueError, OverflowError):
            return self.markup.text(str(text))

    def sentence(self, sentence: str) -> str:
        return self.catalogue.gettext(sentence, actor=self.actor, object=self.object_name)


def story(catalogue: Catalogue, markup: Markup, audited: AuditedRecord) -> Story:
    """Return what a record tells, in whole sentences and labelled facts."""
    writer = _Writer(catalogue, markup, audited.record, audited.names)
    outcome, snapshot = _outcome(audited.record), audited.snapshot
    card = card_fields(catalogue, markup, snapshot) if snapshot else ()
    note = ""
    if snapshot is None and (
        audited.record.get("decision_fingerprint") or audited.record.get("preflight_fingerprint")
    ):
        note = catalogue.gettext("What the card showed is no longer kept.")
    is_about_object = bool(writer.action or audited.record.get("object_name"))
    return Story(
        writer.time(audited.record.get("at")),
        writer.object_name if is_about_object else "",
        markup.code(object_id(audited.record)) if is_about_object else "",
        SIGNS[outcome] if outcome else "▫️",
        " ".join([*_headline(writer), *_at_due_date(catalogue, audited)]),
        [*_facts(writer, audited)],
        card,
        note,
        str(audited.record.get("reason") or ""),
    )


def object_id(record: Mapping[str, Any]) -> str:
    """Return the id of the object that a record is about; the target if it is none."""
    target = str(record.get("target") or "")
    ref = Ref.parse(target)
    return ref.id if ref else target


def _outcome(record: Mapping[str, Any]) -> AuditOutcome | None:
    try:
        return AuditOutcome(str(record.get("outcome")))
    except ValueError:
        return None


def _headline(writer: _Writer) -> Iterator[str]:
    """Yield the sentences that say what happened."""
    record, catalogue = writer.record, writer.catalogue
    action, outcome = writer.action, _outcome(record)
    if action is None or outcome is None:
        yield _other_record(writer)
        return
    yield from _action_sentences(writer, action, outcome)
    terms = record.get("terms") or {}
    if terms.get("break_glass_channel") and outcome is not AuditOutcome.REFUSED:
        yield catalogue.gettext("Emergency override: {actor} decided alone.", actor=writer.actor)
    if delegator := terms.get("delegator"):
        yield catalogue.gettext(
            "{actor} acted on behalf of {delegator}.",
            actor=writer.actor,
            delegator=writer.person({"id": delegator}),
        )


def _action_sentences(  # noqa: C901, PLR0912 - a sentence for each outcome
    writer: _Writer, action: Action, outcome: AuditOutcome
) -> Iterator[str]:
    """Yield what an outcome of an action says, with why."""
    sentences, catalogue, record = labels(action), writer.catalogue, writer.record
    intent = record.get("intent") or ApprovalIntent.GIVE
    match outcome:
        case AuditOutcome.DONE:
            yield writer.sentence(sentences.past)
        case AuditOutcome.ALLOWED:
            yield writer.sentence(sentences.in_doubt)
        case AuditOutcome.REFUSED:
            is_decline = intent == ApprovalIntent.DECLINE
            yield writer.sentence(sentences.decline_denied if is_decline else sentences.denied)
            yield _refusal(writer)
        case AuditOutcome.LOST:
            yield writer.sentence(sentences.not_sent)
            winner = str(record.get("detail") or "").removeprefix("to ")
            if PERSON_ID.fullmatch(winner):
                person = writer.person({"id": winner})
                yield catalogue.gettext("{person} came first.", person=person)
            else:
                yield catalogue.gettext(REASONS[OutcomeReason.LOST])
        case AuditOutcome.COUNTED:
            yield writer.sentence(sentences.counted)
            yield _tally(writer, action, record.get("request") or {})
        case AuditOutcome.WITHDRAWN:
            yield writer.sentence(sentences.withdrawn)
            if request := record.get("request"):
                yield _tally(writer, action, request)
            else:
                yield catalogue.gettext("No approval is left.")
        case AuditOutcome.DECLINED:
            yield writer.sentence(sentences.declined)
            yield catalogue.gettext("This cancelled all approvals given so far.")
        case AuditOutcome.REVOKED:
            yield catalogue.gettext(
                "The approval by {actor} no longer counts, since they may not give it any more.",
                actor=writer.actor,
            )
        case AuditOutcome.LAPSED:
            request = record.get("ended_request") or {}
            yield writer.sentence(sentences.expired)
            yield _tally(writer, action, request)
        case AuditOutcome.FAILED:
            yield from _failure(writer, action)
        case AuditOutcome.UNKNOWN:
            yield writer.sentence(sentences.unknown)
            yield _reason(writer)
        case AuditOutcome.RESULT:
            yield writer.sentence(sentences.past)
            yield _came_of(writer, record)


def _other_record(writer: _Writer) -> str:
    """Return the sentence of what is about no action on an object."""
    record = writer.record
    name, outcome = str(record.get("action") or ""), str(record.get("outcome") or "")
    sentence = OTHER_RECORDS.get((name, outcome == AuditOutcome.DONE))
    if outcome == AuditOutcome.DONE:
        sentence = CONCERNED_RECORDS.get((name, _concerned(record)), sentence)
    if sentence is None:
        return writer.catalogue.gettext(
            "{actor}: {action}, {outcome}.",
            actor=writer.actor,
            action=writer.markup.code(name),
            outcome=writer.markup.code(outcome),
        )
    target, until = str(record.get("target") or ""), record.get("until")
    place = writer.markup.channel(target)
    return writer.catalogue.gettext(
        sentence,
        actor=writer.actor,
        object=writer.object_name,
        workflow=writer.object_name,
        previous=writer.person({"id": record.get("previous")}),
        target=writer.person({"id": target}) if PERSON_ID.fullmatch(target) else place,
        until=writer.time(until) if until else "—",
    )


def _concerned(record: Mapping[str, Any]) -> str:
    """Return whom a change was for, or that it was about somebody else's claim; "" for neither."""
    previous = record.get("previous")
    if previous and previous != (record.get("actor") or {}).get("id"):
        return OTHERS_CLAIM
    return str(record.get("for") or "")


def _refusal(writer: _Writer) -> str:
    """Say why the policy refused."""
    record, catalogue, markup = writer.record, writer.catalogue, writer.markup
    try:
        reason = RefusalReason(str(record.get("detail")))
    except ValueError:
        return markup.text(str(record.get("detail") or ""))
    roles = [markup.text(str(role)) for role in record.get("allowed_roles") or ()]
    return catalogue.gettext(
        REFUSAL_TEXTS[reason],
        rule=markup.text(rule_number(str(record.get("rule") or "—"))),
        who=catalogue.one_of(roles) or catalogue.gettext("other roles"),
        letters="—",
    )


def _failure(writer: _Writer, action: Action) -> Iterator[str]:
    """Say that something was not done, what, and why."""
    record, sentences = writer.record, labels(action)
    match record.get("intent"):
        case ApprovalIntent.WITHDRAW:
            yield writer.catalogue.gettext(
                "{actor} could not withdraw an approval.", actor=writer.actor
            )
        case ApprovalIntent.DECLINE:
            yield writer.catalogue.gettext(
                "{actor} could not decline the request for approvals.", actor=writer.actor
            )
        case _:
            refused = record.get("reason_code") in REFUSED_BY_SECMASTER
            yield writer.sentence(sentences.refused if refused else sentences.not_sent)
    yield _reason(writer)


def _reason(writer: _Writer) -> str:
    """Say why an operation ended as it did; "" where the record does not say."""
    try:
        sentence = REASONS[OutcomeReason(str(writer.record.get("reason_code") or ""))]
    except ValueError:
        return writer.markup.text(str(writer.record.get("detail") or ""))
    return writer.catalogue.gettext(sentence) if sentence else ""


def _tally(writer: _Writer, action: Action, request: Mapping[str, Any]) -> str:
    """Say how many of the approvals that an action needs were given."""
    sentence = labels(action).tally
    stages = request.get("stages") or ()
    count = len(request.get("approvals") or ())
    needed = sum(stage["count"] for stage in stages) or "—"
    return f"{writer.catalogue.gettext(sentence, count=count, needed=needed)}."


def _at_due_date(catalogue: Catalogue, audited: AuditedRecord) -> Iterator[str]:
    """Say what SecMaster did at the due date at which a request ended, where it is seen to have."""
    task, due_handle = (
        audited.current,
        (audited.record.get("ended_request") or {}).get("due_handle"),
    )
    if not isinstance(task, Task):
        return
    if due_handle == DueHandle.CONTINUE and task.status == TaskStatus.FINISHED:
        yield catalogue.gettext("The task continued at its due date, nobody approved.")
    elif due_handle == DueHandle.INTERRUPT and task.status == TaskStatus.CANCELED:
        yield catalogue.gettext("The task was cancelled at its due date.")


def _facts(writer: _Writer, audited: AuditedRecord) -> Iterator[tuple[str, str]]:
    """Yield what else a record says, each with its label."""
    catalogue, markup, record = writer.catalogue, writer.markup, writer.record
    terms, location = record.get("terms") or {}, record.get("location") or {}
    person = writer.actor
    titles = {param.name: param.title for param in writer.action.params} if writer.action else {}
    if identity := terms.get("identity"):
        in_secmaster = catalogue.gettext("{name} in SecMaster", name=markup.text(str(identity)))
        person = f"{person} · {in_secmaster}"
    is_request = record.get("outcome") == AuditOutcome.LAPSED
    yield catalogue.gettext("Requested by") if is_request else catalogue.gettext("Person"), person
    yield from _requirements(writer)
    for label, approvals in _approvals(catalogue, record):
        yield from ((label, _approval(writer, approval)) for approval in approvals)
    if channel := terms.get("break_glass_channel"):
        yield catalogue.gettext("Announced in"), markup.channel(str(channel))
    for name, value in (record.get("params") or {}).items():
        title = titles.get(str(name))
        label = catalogue.gettext(title) if title else markup.text(str(name))
        yield label, markup.text(str(value))
    if channel := location.get("channel"):
        name = str(location.get("channel_name") or "")
        yield catalogue.gettext("Channel"), markup.channel(str(channel), name)
    statuses = filter(None, (record.get("status_before"), record.get("status_after")))
    if change := " → ".join(_status(writer, status) for status in statuses):
        yield catalogue.gettext("Status"), change
    yield from _answer(writer)
    if audited.later is not None:
        later = _Writer(catalogue, markup, audited.later, audited.names)
        when = later.time(audited.later.get("at"))
        yield catalogue.gettext("Later"), f"{when} · {' '.join(_headline(later))}"
    if audited.result is not None and (text := _came_of(writer, audited.result)):
        yield catalogue.gettext("What came of it"), text


def _came_of(writer: _Writer, record: Mapping[str, Any]) -> str:
    """Say what came of an operation afterwards; "" where the record does not say."""
    try:
        result = RunResult.model_validate(record.get("run_result"))
    except ValidationError:
        return ""
    text = run_results.audit_text(writer.catalogue, writer.markup, result)
    return f"{writer.time(record.get('at'))} · {text}"


def _requirements(writer: _Writer) -> Iterator[tuple[str, str]]:
    """Yield by which rule of which policy an action was decided, and what it counted for."""
    catalogue, markup, record = writer.catalogue, writer.markup, writer.record
    if rule := record.get("rule"):
        yield catalogue.gettext("Rule"), markup.text(rule_number(str(rule)))
    if policy := (record.get("terms") or {}).get("policy"):
        yield catalogue.gettext("Policy"), markup.code(str(policy))
    stages, stage = _stages(record), record.get("stage")
    if isinstance(stage, int) and len(stages) > 1:
        yield catalogue.gettext("Counted for"), _stage(writer, stages, stage)


def _status(writer: _Writer, status: object) -> str:
    """Name a status of SecMaster's as cards do; one that is not known as it is."""
    word = STATES.get(str(status or ""))
    if word is None:
        return writer.markup.text(str(status or "—"))
    return writer.markup.text(writer.catalogue.gettext(word))


def _answer(writer: _Writer) -> Iterator[tuple[str, str]]:
    """Yield SecMaster's answer, how long the operation took, and its reference."""
    catalogue, markup, record = writer.catalogue, writer.markup, writer.record
    parts = [f"HTTP {record['status']}"] if record.get("status") else []
    if request_id := record.get("request_id"):
        parts.append(catalogue.gettext("request {id}", id=markup.code(str(request_id))))
    if parts:
        yield catalogue.gettext("SecMaster"), " · ".join(parts)
    if duration := record.get("duration"):
        length = timedelta(seconds=float(duration))
        short = catalogue.gettext("under a second")
        took = short if length < timedelta(seconds=1) else catalogue.duration(length)
        yield catalogue.gettext("Took"), took
    reference = str(record.get("operation_id") or "")[:6]
    number = markup.text(f"#{record.get('number')}")
    yield catalogue.gettext("Record"), f"{number} · {markup.code(reference)}"


def _approvals(
    catalogue: Catalogue, record: Mapping[str, Any]
) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Yield the approvals by other people that a record names, with a label."""
    yield catalogue.gettext("Approved with"), record.get("co_approvers") or ()
    request = record.get("request") or record.get("ended_request") or {}
    actor = (record.get("actor") or {}).get("id")
    is_own = record.get("outcome") == AuditOutcome.COUNTED
    others = [
        approval
        for approval in request.get("approvals") or ()
        if not (is_own and (approval.get("actor") or {}).get("id") == actor)
    ]
    yield catalogue.gettext("Approval by"), others


def _stages(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the stages of approvals that a record names."""
    request = record.get("request") or record.get("ended_request") or {}
    return request.get("stages") or (record.get("terms") or {}).get("stages") or ()


def _stage(writer: _Writer, stages: Sequence[Mapping[str, Any]], number: int) -> str:
    """Name a stage by its number and roles: "stage 1 (lead)"."""
    roles = stages[number].get("roles") or () if number < len(stages) else ()
    return writer.catalogue.gettext(
        "stage {number} ({roles})",
        number=writer.catalogue.number(number + 1),
        roles=writer.catalogue.one_of([writer.markup.text(str(role)) for role in roles]),
    )


def _approval(writer: _Writer, approval: Mapping[str, Any]) -> str:
    """Return who approved, when, on whose behalf and why."""
    catalogue, markup = writer.catalogue, writer.markup
    parts = [writer.person(approval.get("actor") or {}), writer.time(approval.get("at"))]
    stage = approval.get("stage")
    if isinstance(stage, int) and len(_stages(writer.record)) > 1:
        parts.append(_stage(writer, _stages(writer.record), stage))
    if delegator := approval.get("delegator"):
        person = writer.person({"id": delegator})
        parts.append(catalogue.gettext("on behalf of {person}", person=person))
    if reason := approval.get("reason"):
        parts.append(f"“{markup.text(str(reason))}”")
    return " · ".join(parts)


def card_fields(
    catalogue: Catalogue, markup: Markup, snapshot: Snapshot
) -> Sequence[tuple[str, str]]:
    """Return the fields that matter to a decision as a card showed them, each with its label."""
    words, rows = WORDS[kind_of(snapshot)], []
    for name, text in own_decisive_texts(snapshot).items():
        if not text:
            continue
        row = words[name]
        if row.is_time:
            value = markup.time(datetime.fromisoformat(text))
        elif text in row.values:
            value = markup.text(catalogue.gettext(row.values[text]))
        else:
            value = markup.text(" · ".join(laid_out(text).splitlines()), 1000)
        rows.append((catalogue.gettext(row.label), value))
    return rows + _finding_fields(catalogue, markup, snapshot)


def _finding_fields(
    catalogue: Catalogue, markup: Markup, snapshot: Snapshot
) -> list[tuple[str, str]]:
    """Return what a card showed of the finding behind its object, each with its label."""
    finding = snapshot.evidence.finding if snapshot.evidence else None
    if finding is None:
        return []
    names = catalogue.all_of(evidence.asset_names(finding), NAMED_ASSETS)
    texts = finding_texts(snapshot.evidence) | {"title": finding.title, "resources": names}
    rows = []
    for name, words in evidence.FINDING_WORDS.items():
        if text := texts[name]:
            value = catalogue.gettext(words.values[text]) if text in words.values else defang(text)
            rows.append((catalogue.gettext(words.label), markup.text(value, 1000)))
    return rows


def history(
    catalogue: Catalogue,
    heading: str,
    records: Sequence[AuditedRecord],
    older: str = "",
    *,
    of_one: bool = False,
) -> Message:
    """List records, latest first, under a heading in markup.

    ``older`` is the value of the button that shows the records before these, "" for none. The
    object of each is named unless the heading does, ``of_one``.
    """
    if not records and not older:
        return text_message(f"{heading}\n{catalogue.gettext('No records match.')}")
    markup = SlackMarkup()
    blocks = [section(heading)]
    for audited in records:
        entry = story(catalogue, markup, audited)
        lines = [f"{entry.sign} {entry.when}", entry.headline]
        if entry.object_name and not of_one:
            lines.append(f"{entry.object_name} · {entry.object_id}")
        lines += [f"{label}: {value}" for label, value in entry.facts]
        reason = f"\n{quote(entry.reason, 300)}" if entry.reason else ""
        blocks.append(section("\n".join(lines) + reason))
        card_text = " · ".join(f"{label}: {value}" for label, value in entry.card)
        if card_text or entry.card_note:
            blocks.append(context(card_text or entry.card_note))
    if older:
        label = catalogue.pgettext("button", "Older")
        blocks.append(actions([ButtonElement(text=clip(label, 75), action_id=OLDER, value=older)]))
    return new_message(heading, *blocks)


def heading(
    catalogue: Catalogue, object_text: str, id_: str, filters: Sequence[tuple[str, str]]
) -> str:
    """Return what stands above a list of records, in markup: which object, and the filters.

    ``id_`` is the object's where all records are about one; then the text is its name.
    """
    markup = SlackMarkup()
    if id_:
        is_named = object_text != id_
        name = markup.bold(object_text) if is_named else markup.code(id_)
        lines = [catalogue.gettext("Audit records of {object}", object=name)]
        lines += [markup.code(id_)] if is_named else []
    else:
        lines = [f"*{catalogue.gettext('Audit records')}*"]
        if object_text:
            lines.append(f"{catalogue.gettext('Object')}: {markup.text(object_text)}")
    return "\n".join([*lines, *(f"{label}: {value}" for label, value in filters)])


def filters(catalogue: Catalogue, query: AuditQuery) -> list[tuple[str, str]]:
    """Return the filters of a query beside the object, each with its label, in markup."""
    markup = SlackMarkup()
    is_id = query.person.isupper() and query.person.isalnum()
    person = markup.person(query.person, "") if is_id else markup.text(query.person)
    pairs = (
        (catalogue.gettext("Person"), person),
        (catalogue.gettext("Action"), markup.code(query.action) if query.action else ""),
        (catalogue.gettext("Outcome"), markup.code(query.outcome) if query.outcome else ""),
        (catalogue.gettext("From"), markup.time(query.since) if query.since else ""),
        (catalogue.gettext("Until"), markup.time(query.until) if query.until else ""),
    )
    return [(label, value) for label, value in pairs if value]

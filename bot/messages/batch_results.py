"""Many at once: how far it is, how each ended, and which one a reply is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import Block, RawTextObject, TableBlock
from slack_sdk.models.blocks.basic_components import TableBlockColumnSettings

from bot.domain.actions import BY_NAME
from bot.domain.batches import Batch, Item
from bot.domain.models import Operation, Outcome, State, Verdict
from bot.messages import batch_forms
from bot.messages.blocks import Message, named, say, section
from bot.messages.cards import INSTANCE_STATES, TASK_STATES
from bot.messages.labels import words
from bot.messages.text import clip, line, person, quote

LEFT_OUT = {
    "refused": "Not allowed any more",
    "people": "Left out: asks for several people",
    "name": "Left out: asks for its name to be typed",
    "reason": "Left out: needs a reason",
}
REFUSALS = {
    "changed": "Changed since you looked",
    "too_old": "Not sent: it came too late",
    "voted": "You have said yes to it already",
    "same_right": "That right has said yes already",
    "reason_not_left": "Not done: no comment could be left",
    "own_fault": "Not done: trouble on our side",
    "cannot_post": "Not done: no place to answer",
    "NotFound": "SecMaster knows it no longer",
    **dict.fromkeys(
        ("Unreachable", "Unavailable", "Unreadable", "AnswerLost"),
        "Given up: SecMaster did not answer",
    ),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How one of many ended, None where it has not; ``holder`` or ``standing`` came before it."""

    item: Item
    outcome: Outcome | None = None
    holder: Verdict | None = None
    standing: Verdict | None = None


def progress(batch: Batch, done: int) -> Message:
    """How far it is."""
    cause = batch.cause
    action = BY_NAME[cause.action]
    doing = words(action).doing.capitalize()
    of = len(batch.items)
    what = f"{doing} {batch_forms.count(action, of)} for {person(cause.actor.id)}"
    text = f"⏳ {what}: {done} of {of} done"
    return say(text, section(text))


def results(batch: Batch, ended: Sequence[Ended]) -> Message:
    """The table that takes the place of the progress."""
    cause = batch.cause
    action = BY_NAME[cause.action]
    done = sum(1 for each in ended if each.outcome and each.outcome.state is State.DONE)
    of = len(ended) + len(batch.omitted)
    mark = "✅" if done == of else "⚠️"
    what = f"{words(action).done}: {done} of {batch_forms.count(action, of)}"
    head = f"{mark} *{what}* for {person(cause.actor.id)}"
    reason = f"\n{quote(cause.reason, 1000)}" if cause.reason else ""
    rows = [(one.item.name, result(one), one.item.operation.reference) for one in ended]
    rows += [(one.name, LEFT_OUT.get(one.why, "Left out"), "—") for one in batch.omitted]
    told = "\n".join(f"{line(name, 80)}: {line(said, 80)} ({ref})" for name, said, ref in rows)
    table = _table([(action.noun.capitalize(), "Result", "Ref"), *rows])
    return Message(f"{head}\n{told}", (section(f"{head}{reason}"), table))


def result(ended: Ended) -> str:
    """How one of many ended, in a few plain words."""
    outcome, operation = ended.outcome, ended.item.operation
    if outcome is None:
        return "Not known yet: see the thread"
    if outcome.state is State.FAILED:
        return _refusal(ended, outcome)
    sentences = {
        State.DONE: words(BY_NAME[operation.action]).done,
        State.COUNTED: _waits(outcome),
    }
    return sentences.get(outcome.state, "Unknown: look in SecMaster")


def _refusal(ended: Ended, outcome: Outcome) -> str:
    closed = outcome.trouble == "not_now"
    if first := ended.holder or (ended.standing if closed else None):
        return _second(first)
    if closed:
        return _closed(ended.item.operation, outcome)
    no = f"SecMaster refused ({outcome.code})" if outcome.code else "SecMaster refused"
    return REFUSALS.get(outcome.trouble, no)


def among(name: str, operation: Operation, message: Message) -> Message:
    """What is said of one of many, which has to say of which it speaks."""
    name = name or operation.ref.id
    return Message(f"*{line(name, 120)}*\n{message.text}", (named(name), *message.blocks))


def _waits(ended: Outcome) -> str:
    left = ended.ballot.needed - len(ended.ballot.votes) if ended.ballot else 1
    return f"Waits for {left} more people" if left > 1 else "Waits for a second person"


def _second(first: Verdict) -> str:
    """Who came before, by name: a cell has no mentions."""
    operation = first.operation
    said, who = words(BY_NAME[operation.action]), operation.actor.name or operation.actor.id
    if first.state is State.DONE:
        return f"Already {said.done.lower()} by {who}"
    return f"{who} is {said.doing} it right now"


def _closed(operation: Operation, ended: Outcome) -> str:
    if operation.ref.noun == "task":
        state = TASK_STATES.get(ended.seen, ended.seen).lstrip("🟡✅⛔ ").lower()
        by = f" by {ended.by}" if ended.by else ""
        return f"Already decided{by}: {state}"
    state = INSTANCE_STATES.get(ended.seen, ended.seen).lstrip("🔵🔴✅🔁🟠⛔ ").lower()
    return f"Not now: it is {state}"


def _table(rows: Sequence[tuple[str, ...]]) -> Block:
    wrapped = TableBlockColumnSettings(is_wrapped=True)
    cells = [
        [RawTextObject(text=clip(" ".join(each.split()), 150) or "—") for each in row]
        for row in rows
    ]
    return TableBlock(rows=cells, column_settings=[wrapped, wrapped])

"""Render the summary of a shift, short enough to be read aloud: what is open and urgent first.

It names people without mentioning them: a summary must wake nobody up.
"""

from datetime import timedelta

from bot.domain.shift_digest import ShiftSummary
from bot.messages import evidence, mutes
from bot.messages.blocks import Message, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.labels import LABELS
from bot.messages.oncall import stale_warning
from bot.messages.text import date_token, inline

NAMED = 8  # people in one sentence
NAME = 50  # characters of each: all of it has to fit into one block


def digest(catalogue: Catalogue, summary: ShiftSummary) -> Message:
    """Render a shift's summary in a few sentences; a quiet shift in one line."""
    times = {"since": date_token(summary.since), "until": date_token(summary.until)}
    waiting, failed = _waiting_sentence(catalogue, summary), _failed_sentence(catalogue, summary)
    if summary.quiet:
        quiet = catalogue.gettext(
            "*Quiet shift, {since} – {until}.* Nothing was decided or retried.", **times
        )
        text = f"🌙 {quiet} {waiting} {failed}"
    else:
        lines = (
            catalogue.gettext("*Shift summary, {since} – {until}*", **times),
            waiting,
            f"{failed} {_retried_sentence(catalogue, summary)}".rstrip(),
            _expired_sentence(catalogue, summary),
            _override_sentence(catalogue, summary),
            _decisions_sentence(catalogue, summary),
            _failed_afterwards_sentence(catalogue, summary),
            _speed_sentence(catalogue, summary),
        )
        text = "\n".join(filter(None, lines))
    if claims := _claims_sentence(catalogue, summary):
        text += f"\n{claims}"
    text = "\n".join([text, *mutes.lines(catalogue, summary.muted)])
    text += f"\n{stale_warning(catalogue, summary.stale_since)}" if summary.stale_since else ""
    return text_message(text)


def for_whoever_reads_all(catalogue: Catalogue) -> Message:
    """Say that a summary is for those who may read everything that it sums up."""
    text = catalogue.gettext(
        "The shift summary covers all tasks and runs, and you may read only some of them. Use "
        "`task list` and `instance list`, or ask whoever runs this bot for the permission."
    )
    return text_message(f"🚫 {text}")


def _waiting_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.waiting:
        return f"🟢 {catalogue.gettext('No tasks are waiting.')}"
    if not summary.overdue:
        text = catalogue.ngettext(
            "{count} task is waiting. It is not overdue.",
            "{count} tasks are waiting, none of them overdue.",
            summary.waiting,
        )
        return f"🟡 {text}"
    waiting = catalogue.ngettext(
        "{count} task is waiting.", "{count} tasks are waiting.", summary.waiting
    )
    overdue = catalogue.ngettext("*{count} is overdue.*", "*{count} are overdue.*", summary.overdue)
    oldest = [
        evidence.grade(catalogue, task.severity)
        + f"{inline(task.name, NAME)} ({date_token(task.due)})"
        for task in summary.oldest_overdue
    ]
    longest = catalogue.gettext("Longest overdue: {tasks}.", tasks=catalogue.all_of(oldest))
    return f"⏰ {waiting} {overdue} {longest if oldest else ''}".rstrip()


def _failed_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.failed and not summary.failed_playbooks:
        if summary.playbooks_unlisted:
            return f"🟢 {catalogue.gettext('No failed workflow runs.')}"
        return f"🟢 {catalogue.gettext('No failed runs.')}"
    sentences = []
    if summary.failed:
        sentences.append(
            catalogue.ngettext("{count} failed run.", "{count} failed runs.", summary.failed)
        )
    if summary.failed_playbooks:
        sentences.append(
            catalogue.ngettext(
                "{count} failed playbook run.",
                "{count} failed playbook runs.",
                summary.failed_playbooks,
            )
        )
    return f"🔴 {' '.join(sentences)}"


def _retried_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    """Say who retried how many runs, and how many of these recovered; "" where nobody did."""
    if not summary.retriers:
        return ""
    [first, *others], retried = summary.retriers, summary.retried
    if not others and first.retried == retried:
        return _retried_by_one(catalogue, inline(first.name, NAME), retried, summary.recovered)
    sentences = [
        catalogue.ngettext(
            "{name} retried {count} time.",
            "{name} retried {count} times.",
            retrier.retried,
            name=inline(retrier.name, NAME),
        )
        for retrier in summary.retriers[:NAMED]
    ]
    recovered = catalogue.ngettext(
        "{recovered} of {count} retried run recovered.",
        "{recovered} of {count} retried runs recovered.",
        retried,
        recovered=catalogue.number(summary.recovered),
    )
    return " ".join([*sentences, recovered])


def _retried_by_one(catalogue: Catalogue, name: str, retried: int, recovered: int) -> str:
    if recovered >= retried:
        return catalogue.ngettext(
            "{name} retried {count}, which recovered.",
            "{name} retried {count}, and all recovered.",
            retried,
            name=name,
        )
    if recovered == 0:
        return catalogue.ngettext(
            "{name} retried {count}, which has not recovered.",
            "{name} retried {count}, and none recovered.",
            retried,
            name=name,
        )
    return catalogue.ngettext(
        "{name} retried {count}, and {recovered} recovered.",
        "{name} retried {count}, and {recovered} recovered.",
        retried,
        name=name,
        recovered=catalogue.number(recovered),
    )


def _expired_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    """Say how many tasks SecMaster ended by itself at their due dates, and how; "" for none."""
    sentences = []
    if summary.auto_approved:
        sentences.append(
            catalogue.ngettext(
                "{count} task was auto-approved at its due date, nobody decided.",
                "{count} tasks were auto-approved at their due dates, nobody decided.",
                summary.auto_approved,
            )
        )
    if summary.cancelled:
        sentences.append(
            catalogue.ngettext(
                "{count} task expired and was cancelled automatically by SecMaster.",
                "{count} tasks expired and were cancelled automatically by SecMaster.",
                summary.cancelled,
            )
        )
    return f"⌛ {' '.join(sentences)}" if sentences else ""


def _override_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    users = summary.break_glass_users
    if not users:
        return ""
    text = catalogue.ngettext(
        "{count} emergency override ({people}).",
        "{count} emergency overrides ({people}).",
        len(users),
        people=_some(catalogue, [inline(name, NAME) for name in dict.fromkeys(users)]),
    )
    return f"🔨 {text}"


def _decisions_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    """Say who decided how many tasks from here, and how many were decided elsewhere."""
    sentences = []
    if total := sum(sum(decider.decisions.values()) for decider in summary.deciders):
        sentences.append(
            catalogue.ngettext(
                "{count} task was decided in Slack.", "{count} tasks were decided in Slack.", total
            )
        )
    for decider in summary.deciders[:NAMED]:
        sentences += [
            catalogue.ngettext(*LABELS[action].decided, number, actor=inline(decider.name, NAME))
            for action, number in decider.decisions.items()
        ]
    if (others := len(summary.deciders) - NAMED) > 0:
        sentences.append(
            catalogue.ngettext(
                "{count} other person decided the rest.",
                "{count} other people decided the rest.",
                others,
            )
        )
    if summary.decided_outside:
        sentences.append(
            catalogue.ngettext(
                "{count} task was decided in SecMaster, outside Slack.",
                "{count} tasks were decided in SecMaster, outside Slack.",
                summary.decided_outside,
            )
        )
    return f"✅ {' '.join(sentences)}" if sentences else ""


def _failed_afterwards_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.failed_afterwards:
        return ""
    text = catalogue.ngettext(
        "After {count} decision the run failed.",
        "After {count} decisions the run failed.",
        summary.failed_afterwards,
    )
    return f"🔴 {text}"


def _speed_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    if not summary.timed:
        return ""
    text = catalogue.ngettext(
        "Time to the decision: {duration}.",
        "Median time to a decision: {duration} ({count} tasks).",
        summary.timed,
        duration=catalogue.duration(timedelta(seconds=summary.median)),
    )
    return f"⏱️ {text}"


def _claims_sentence(catalogue: Catalogue, summary: ShiftSummary) -> str:
    """Say what open tasks and runs are claimed, and by whom; "" for none."""
    if not summary.claimed:
        return ""
    claims = [
        f"{inline(claimed.name, NAME)} ({inline(claimed.assignee, NAME)})"
        for claimed in summary.claimed
    ]
    text = catalogue.gettext("Claimed now: {claims}.", claims=_some(catalogue, claims))
    return f"🙋 {text}"


def _some(catalogue: Catalogue, names: list[str]) -> str:
    """Return the first names as a list in a sentence, with "…" for others."""
    return catalogue.all_of([*names[:NAMED], *["…"] * (len(names) > NAMED)])

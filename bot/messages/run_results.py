"""Say what came of an operation: how the run went on that it retried or let continue.

Names, errors and the targets of blocks may be an attacker's: errors and targets stand in code.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from bot.domain.actions import BY_NAME, Action
from bot.domain.cards import DecidedTask
from bot.domain.objects import ByKind
from bot.domain.run_results import BlockResult, RunResult, RunStatus
from bot.messages import approvals
from bot.messages.blocks import Message, link, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.labels import labels
from bot.messages.markup import Markup
from bot.messages.text import clip, code, code_block, error_line, inline, mention_user

ERROR = 400
ERROR_LINE = 200
REASON = 60  # characters of why a block failed
TARGET = 120
SHOWN_BLOCKS = 3
SHOWN_DEFENSES = 4  # lines of defense that are named for one block

SIGNS = {
    RunStatus.FINISHED: "✅",
    RunStatus.FAILED: "🔴",
    RunStatus.TERMINATED: "⛔",
    RunStatus.NEXT_TASK: "➡️",
    RunStatus.STILL_RUNNING: "⏳",
    RunStatus.GONE: "❓",
    RunStatus.NO_END: "❓",
}


def _by_kind(run: str, playbook_run: str) -> ByKind[str]:
    """Return two marked sentences by the kind of a run; no task is one."""
    return ByKind(task=run, instance=run, playbook=playbook_run)


# {name} is the run's, with a link to its card where it has one.
SENTENCES = {
    RunStatus.FINISHED: _by_kind(
        N_("The run finished after {duration}: {name}."),
        N_("The playbook run finished after {duration}: {name}."),
    ),
    RunStatus.FAILED: _by_kind(
        N_("The run failed after {duration}: {name}."),
        N_("The playbook run failed after {duration}: {name}."),
    ),
    RunStatus.TERMINATED: _by_kind(
        N_("The run was terminated after {duration}: {name}."),
        N_("The playbook run was terminated after {duration}: {name}."),
    ),
    RunStatus.STILL_RUNNING: _by_kind(
        N_(
            "The run is still running after {duration}: {name}. Its end will be posted here, or "
            "after a day that it is no longer followed."
        ),
        N_(
            "The playbook run is still running after {duration}: {name}. Its end will be posted "
            "here, or after a day that it is no longer followed."
        ),
    ),
    RunStatus.GONE: _by_kind(
        N_(
            "SecMaster no longer has the run: {name}. It is no longer followed, and how it went on "
            "is unknown."
        ),
        N_(
            "SecMaster no longer has the playbook run: {name}. It is no longer followed, and how "
            "it went on is unknown."
        ),
    ),
    RunStatus.NO_END: _by_kind(
        N_(
            "No end of the run was seen in {duration}: {name}. It is no longer followed: look at "
            "it in SecMaster."
        ),
        N_(
            "No end of the playbook run was seen in {duration}: {name}. It is no longer followed: "
            "look at it in SecMaster."
        ),
    ),
}
FAILED_AT = _by_kind(
    N_("The run failed at {node} after {duration}: {name}."),
    N_("The playbook run failed at {node} after {duration}: {name}."),
)

# How a retry ended, where it did; {name} is the run's.
RETRIES = {
    RunStatus.FINISHED: _by_kind(
        N_("*Retry finished* after {duration}: {name}."),
        N_("*Retry finished* after {duration}: {name}."),
    ),
    RunStatus.FAILED: _by_kind(
        N_("*Retry failed again* after {duration}: {name}."),
        N_("*Retry failed again* after {duration}: {name}."),
    ),
    RunStatus.TERMINATED: _by_kind(
        N_("The run was terminated {duration} after the retry: {name}."),
        N_("The playbook run was terminated {duration} after the retry: {name}."),
    ),
}


def thread_message(
    catalogue: Catalogue, action: Action, actor_id: str, result: RunResult, url: str = ""
) -> Message:
    """Tell the thread of an operation what came of it; ``url`` is that of the card to go to.

    Whoever asked for it is mentioned where there may be something to do.
    """
    if action.is_retry and result.status in RETRIES:
        return _retry_ended(catalogue, actor_id, result)
    sentence = _sentence(catalogue, result, url)
    is_good = result.status is RunStatus.FINISHED and not any(
        block.failed for block in result.blocks
    )
    mention = f"{mention_user(actor_id)} " if actor_id and not is_good else ""
    lines = [f"{mention}{SIGNS[result.status]} *{sentence}*"]
    lines += [code_block(result.error, ERROR)] if result.error.strip() else []
    return text_message("\n".join([*lines, *block_lines(catalogue, result)]))


def _retry_ended(catalogue: Catalogue, actor_id: str, result: RunResult) -> Message:
    """Say how a run ended that was retried from Slack."""
    params = {
        "duration": _duration(catalogue, result),
        "name": inline(_name(result)),
    }
    if result.status is RunStatus.FAILED and result.node:
        text = catalogue.gettext(
            "*Retry failed again* at {node} after {duration}: {name}.",
            node=inline(result.node),
            **params,
        )
    else:
        text = catalogue.gettext(RETRIES[result.status][result.run.kind], **params)
    mention = f"{mention_user(actor_id)} " if actor_id else ""
    lines = [f"{mention}{SIGNS[result.status]} {text}"]
    lines += [code_block(result.error, ERROR)] if result.error.strip() else []
    return text_message("\n".join([*lines, *block_lines(catalogue, result)]))


def card_lines(catalogue: Catalogue, result: RunResult, links: Mapping[str, str]) -> list[str]:
    """Return what a task's card says of what came of the decision, with a link to it."""
    sentence = _sentence(catalogue, result, links.get(str(result.next_task or result.run), ""))
    is_bad = result.status is RunStatus.FAILED
    lines = [f"{SIGNS[result.status]} {f'*{sentence}*' if is_bad else sentence}"]
    if error := error_line(result.error):
        lines.append(code(error, ERROR_LINE))
    return [*lines, *block_lines(catalogue, result)]


def decision_line(catalogue: Catalogue, decided: DecidedTask, links: Mapping[str, str]) -> str:
    """Return what a run's card says of the decision that let it continue, with a link to it."""
    operation, title = decided.operation, decided.cards[0].title
    task = link(links.get(str(operation.ref), ""), title) or inline(title)
    words = labels(BY_NAME[operation.action])
    return catalogue.gettext(
        words.past, actor=approvals.actor_names(catalogue, operation), object=task
    )


def audit_text(catalogue: Catalogue, markup: Markup, result: RunResult) -> str:
    """Return what the audit says of what came of an operation."""
    name = markup.bold(_name(result))
    duration = _duration(catalogue, result)
    if result.status is RunStatus.NEXT_TASK:
        sentence = catalogue.gettext("Next: {name} is waiting.", name=name)
    elif result.node:
        sentence = catalogue.gettext(
            FAILED_AT[result.run.kind], node=markup.text(result.node), duration=duration, name=name
        )
    else:
        sentence = catalogue.gettext(
            SENTENCES[result.status][result.run.kind], duration=duration, name=name
        )
    parts = [f"{SIGNS[result.status]} {sentence}"]
    if error := error_line(result.error):
        parts.append(markup.text(error))
    parts += [" ".join(_block_sentences(catalogue, block, markup.code)) for block in result.blocks]
    parts += _coverage_sentences(catalogue, result)
    return " · ".join(parts)


def block_lines(catalogue: Catalogue, result: RunResult) -> list[str]:
    """Return what came of a run's blocks, a line each, and what of them is not known.

    Of many it is said how many failed or have no result.
    """
    blocks = sorted(result.blocks, key=lambda block: (not block.failed, block.is_settled))
    lines = []
    for block in blocks[:SHOWN_BLOCKS]:
        sentences = " ".join(_block_sentences(catalogue, block, code))
        lines.append(f"{_block_sign(block)} {sentences}")
    if len(blocks) > SHOWN_BLOCKS:
        lines.append(" ".join(_summary(catalogue, result)))
    return [line for line in (*lines, *_coverage_sentences(catalogue, result)) if line]


def _summary(catalogue: Catalogue, result: RunResult) -> list[str]:
    """Return how many of many blocks failed or have no result; that none did only if all are known.

    [] where that can't be said.
    """
    total = len(result.blocks)
    failed = sum(bool(block.failed) for block in result.blocks)
    unsettled = sum(not block.is_settled for block in result.blocks)
    sentences = []
    if failed:
        sentence = catalogue.ngettext(
            "{failed} of {count} block failed.",
            "{failed} of {count} blocks failed.",
            total,
            failed=catalogue.number(failed),
        )
        sentences.append(sentence)
    if unsettled:
        sentence = catalogue.ngettext(
            "{pending} of {count} block is still pending.",
            "{pending} of {count} blocks are still pending.",
            total,
            pending=catalogue.number(unsettled),
        )
        sentences.append(sentence)
    if not sentences and result.block_coverage.is_complete:
        sentence = catalogue.ngettext(
            "{count} block, none failed.", "{count} blocks, none failed.", total
        )
        sentences.append(sentence)
    return sentences


def _coverage_sentences(catalogue: Catalogue, result: RunResult) -> list[str]:
    """Say how much of what may tell of the blocks was read, where that is not all of it."""
    coverage, sentences = result.block_coverage, []
    if 0 < coverage.runs_read < coverage.runs:
        sentence = catalogue.ngettext(
            "Blocks were looked up for {read} of {count} workflow run.",
            "Blocks were looked up for {read} of {count} workflow runs.",
            coverage.runs,
            read=catalogue.number(coverage.runs_read),
        )
        sentences.append(sentence)
    if coverage.records_read < coverage.records:
        sentence = catalogue.ngettext(
            "{read} of {count} block record was read.",
            "{read} of {count} block records were read.",
            coverage.records,
            read=catalogue.number(coverage.records_read),
        )
        sentences.append(sentence)
    return sentences


def _block_sign(block: BlockResult) -> str:
    if block.failed:
        return "⚠️" if block.done else "❌"
    return "✅" if block.is_settled else "⏳"


def _block_sentences(
    catalogue: Catalogue, block: BlockResult, literal: Callable[[str], str]
) -> list[str]:
    """Return the sentences about one target: where it is blocked, and where not and why."""
    target, sentences = literal(clip(block.target, TARGET)), []
    if block.done:
        lines = _defenses(catalogue, block.done)
        sentences.append(
            catalogue.gettext("{target} is blocked on {lines}.", target=target, lines=lines)
        )
    for failed in block.failed[:SHOWN_DEFENSES]:
        names = {"target": target, "line": inline(failed.defense, REASON) or "—"}
        if failed.reason:
            reason = literal(clip(failed.reason, REASON))
            sentences.append(
                catalogue.gettext(
                    "{target} is not blocked on {line}: {reason}.", **names, reason=reason
                )
            )
        else:
            sentences.append(catalogue.gettext("{target} is not blocked on {line}.", **names))
    if block.pending:
        lines = _defenses(catalogue, block.pending)
        sentences.append(
            catalogue.gettext("No result yet for {target} on {lines}.", target=target, lines=lines)
        )
    return sentences or [catalogue.gettext("No result yet for {target}.", target=target)]


def _defenses(catalogue: Catalogue, names: Sequence[str]) -> str:
    return catalogue.all_of([inline(name, REASON) or "—" for name in names], SHOWN_DEFENSES)


def _sentence(catalogue: Catalogue, result: RunResult, url: str) -> str:
    """Return the sentence that says how a run went on, with a link if there is an address."""
    name = _name(result)
    name = link(url, name) or inline(name)
    if result.status is RunStatus.NEXT_TASK:
        return catalogue.gettext("Next: {name} is waiting.", name=name)
    params = {"duration": _duration(catalogue, result), "name": name}
    kind = result.run.kind
    if result.status is RunStatus.FAILED and result.node:
        return catalogue.gettext(FAILED_AT[kind], node=inline(result.node), **params)
    return catalogue.gettext(SENTENCES[result.status][kind], **params)


def _duration(catalogue: Catalogue, result: RunResult) -> str:
    return catalogue.duration(timedelta(seconds=result.seconds))


def _name(result: RunResult) -> str:
    """Return the name of the run, or of the task that it waits for, as plain text.

    A run without a name has its id.
    """
    if result.status is RunStatus.NEXT_TASK:
        return result.next_name or "—"
    return result.name or result.run.id

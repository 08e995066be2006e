"""Say what is wrong with the words of a command, and how it is written.

What is wrong is a sentence that is rendered at the door: whatever reads words knows no reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.actions import Param
from bot.domain.json_faults import FaultyPlace, JsonFault
from bot.domain.objects import ByKind, ObjectKind
from bot.messages.blocks import Message, actions, text_message
from bot.messages.catalogue import N_, Catalogue, Sentence
from bot.messages.command_help import start_buttons
from bot.messages.text import code, inline

COMMAND_LENGTH = 150  # of a command that stands in a message
QUOTED = 60  # characters of what somebody typed

ONLY_COMMANDS = Sentence(
    N_("I only understand commands. Press a button, or paste the ID of a task or run.")
)
STANDS_ALONE = Sentence(N_("A command that changes something must stand alone."))
ONE_ID = Sentence(N_("One ID at a time."))
ID_ALONE = Sentence(
    N_("An ID alone shows its card. To do something with it, write the command first.")
)
NOT_A_LINK = Sentence(N_("That link doesn't lead to a task or run."))
SEARCH_WHAT = Sentence(N_("What should I search for?"))
EMPTY = Sentence(N_("This can't be empty."))
JSON_TOO_DEEP = Sentence(N_("That isn't JSON that can be read: it is nested too deeply."))
NOT_AN_ARRAY = Sentence(N_("The JSON must be an array: [ … ]."))
UNTIL_WHEN = Sentence(N_("Until when? Write “until 18:00” or “for 2h”."))
SNOOZE_UNTIL_WHEN = Sentence(N_("For how long? Write 45m, 2h30m, 3d, or “until 9:00”."))
MUTE_WHAT = Sentence(N_("Which workflow? Write its name, or the ID of one of its runs."))
MUTE_HOW_LONG = Sentence(N_("For how long? Write 45m, 2h or 1d after the workflow."))
MUTE_WHY = Sentence(N_("Why is it muted? Write the reason."))
MUTE_TOO_LONG = Sentence(N_("A workflow can be muted for 7 days at most."))
WHO_GETS_RIGHTS = Sentence(N_("Who should get your rights?"))
WHOSE_RIGHTS = Sentence(N_("Who should lose your rights?"))
OVERRIDE_WHAT = Sentence(
    N_("What is the emergency override for? Write the command of that action after it.")
)
JSON_FAULTS = {
    JsonFault.VALUE: N_("Not JSON at line {line}, column {column}: a value is missing."),
    JsonFault.COMMA: N_(
        "Not JSON at line {line}, column {column}: a comma or a closing bracket is missing."
    ),
    JsonFault.COLON: N_("Not JSON at line {line}, column {column}: a colon is missing."),
    JsonFault.NAME: N_(
        "Not JSON at line {line}, column {column}: a name in double quotes is missing."
    ),
    JsonFault.TRAILING_COMMA: N_(
        "Not JSON at line {line}, column {column}: no comma may stand before a closing bracket."
    ),
    JsonFault.QUOTE: N_(
        "Not JSON: the text that begins at line {line}, column {column} has no closing quote."
    ),
    JsonFault.CONTROL_CHARACTER: N_(
        "Not JSON at line {line}, column {column}: a line break or tab within a text must be "
        "written as \\n or \\t."
    ),
    JsonFault.BACKSLASH: N_(
        "Not JSON at line {line}, column {column}: a backslash must be written as \\\\."
    ),
    JsonFault.END: N_("Not JSON at line {line}, column {column}: the array has ended before this."),
    JsonFault.OTHER: N_("Not JSON at line {line}, column {column}."),
}
JSON_CONSTANT = N_("{name} isn't JSON: a number or null is expected.")
# By the kind of object that a command is about, and for one about any kind.
WHICH_OBJECT = ByKind(
    task=Sentence(N_("Which task? Add its ID.")),
    instance=Sentence(N_("Which run? Add its ID.")),
    playbook=Sentence(N_("Which playbook run? Add its ID.")),
)
WHICH_OF_ANY_KIND = Sentence(N_("Which task or run? Add its ID."))
NOT_AN_ID = ByKind(
    task=Sentence(N_("That isn't a task ID.")),
    instance=Sentence(N_("That isn't a run ID.")),
    playbook=Sentence(N_("That isn't a playbook run ID.")),
)
NOT_AN_ID_OF_ANY_KIND = Sentence(N_("That isn't the ID of a task or run."))
WHICH_COMMAND = ByKind(
    task=Sentence(N_("Which task command?")),
    instance=Sentence(N_("Which run command?")),
    playbook=Sentence(N_("Which playbook command?")),
)
ONE_AT_A_TIME = ByKind(
    task=N_("One task at a time. For several tasks: {command}"),
    instance=N_("One run at a time. For several runs: {command}"),
    playbook=N_("One playbook run at a time. For several playbook runs: {command}"),
)


def which_object(kind: ObjectKind | None) -> Sentence:
    """Return that an id is missing; ``kind`` is None where any kind of object is meant."""
    return WHICH_OBJECT[kind] if kind else WHICH_OF_ANY_KIND


def not_an_id(kind: ObjectKind | None) -> Sentence:
    """Return that something is no id; ``kind`` is None where any kind of object is meant."""
    return NOT_AN_ID[kind] if kind else NOT_AN_ID_OF_ANY_KIND


@dataclass(frozen=True, slots=True)
class CommandText:
    """The words of a command within a sentence, without what is typed before them."""

    words: str


def json_fault(place: FaultyPlace) -> Sentence:
    """Say where JSON ends to be any, and what is wrong there."""
    return Sentence(JSON_FAULTS[place.fault], {"line": place.line, "column": place.column})


def json_constant(name: str) -> Sentence:
    """Say that a constant of JavaScript's is no JSON."""
    return Sentence(JSON_CONSTANT, {"name": name})


def unknown_words(words: str) -> Sentence:
    """Return that nothing is called by these words."""
    return Sentence(N_("I don't know “{words}”."), {"words": words[:QUOTED]})


def unexpected(words: str) -> Sentence:
    """Return that a command is complete without these words."""
    return Sentence(N_("I didn't expect “{words}” there."), {"words": words[:QUOTED]})


def one_at_a_time(kind: ObjectKind, several: str) -> Sentence:
    """Return that a command is about one object; ``several`` are the words of one about more."""
    return Sentence(ONE_AT_A_TIME[kind], {"command": CommandText(several)})


def search_instead(search: str) -> Sentence:
    """Return that words are no id, and by which command they are searched for."""
    message = N_("Expected one ID. To search: {command}")
    return Sentence(message, {"command": CommandText(search)})


def date_missing(word: str) -> Sentence:
    """Say that a date must follow a word."""
    return Sentence(
        N_("Expected a date after “{word}”, such as 2026-03-01 or 7d."), {"word": word[:QUOTED]}
    )


def search_too_long(count: int, limit: int) -> Sentence:
    """Say that what is searched for is longer than a button can carry."""
    problem = N_("The search has {count} characters; the limit is {limit}.")
    return Sentence(problem, {"count": count, "limit": limit})


def not_a_date(text: str) -> Sentence:
    """Say that something is no date, and how one is written."""
    return Sentence(
        N_("“{text}” is not a date. Write 2026-03-01, 2026-03-01 08:00, or 7d."),
        {"text": text[:QUOTED]},
    )


def missing(param: Param) -> Sentence:
    """Return that a parameter is missing, as the usage writes it."""
    return Sentence(N_("“{param}” is missing."), {"param": f"<{param.label}>"})


def too_long(length: int, limit: int) -> Sentence:
    """Return that a text has too many characters."""
    params = {"count": length, "limit": limit}
    return Sentence(N_("Too long: {count} characters, and the limit is {limit}."), params)


def reason_too_long(length: int, limit: int) -> Sentence:
    """Return that a reason has too many characters."""
    params = {"count": length, "limit": limit}
    message = N_("The reason is too long: {count} characters, and the limit is {limit}.")
    return Sentence(message, params)


def not_a_person(word: str) -> Sentence:
    """Return that a word mentions nobody."""
    message = N_("“{word}” isn't a person. Mention them with @.")
    return Sentence(message, {"word": word[:QUOTED]})


def not_a_time(words: str) -> Sentence:
    """Return that words are neither a time nor a duration."""
    message = N_("“{words}” is not a time or a duration (use 18:00, 30m, 1h).")
    return Sentence(message, {"words": words[:QUOTED]})


def in_the_past(words: str) -> Sentence:
    """Return that a time is over."""
    return Sentence(N_("“{words}” is in the past."), {"words": words[:QUOTED]})


def problem_text(catalogue: Catalogue, problem: Sentence, root: str = "") -> str:
    """Return what is wrong as markup; ``root`` is typed before the words of a command."""
    params: dict[str, str] = {}
    for name, value in problem.params.items():
        match value:
            case CommandText():
                params[name] = code(f"{root} {value.words}".strip(), COMMAND_LENGTH)
            case int():
                params[name] = catalogue.number(value)
            case _:
                params[name] = inline(str(value), 200)
    return catalogue.render(Sentence(problem.message, params))


def not_understood(  # noqa: PLR0913 - what a reader of words learns of them
    catalogue: Catalogue,
    root: str,
    problem: Sentence,
    *,
    usage: str = "",
    nearest: str = "",
    sends: bool = False,
) -> Message:
    """Say what is wrong with a command and how it is written.

    ``nearest`` is the command that was perhaps meant, "" for none; it takes the place of the
    ``usage``, and so does a command in the problem's own words. Where neither is known and nothing
    could have been sent, buttons offer what can be read. ``sends`` says that the words may have
    meant something that is sent to SecMaster.
    """
    says_how = any(isinstance(value, CommandText) for value in problem.params.values())
    lines = [f"🤔 {problem_text(catalogue, problem, root)}"]
    if nearest:
        command = code(f"{root} {nearest}", COMMAND_LENGTH)
        lines[0] += f" {catalogue.gettext('Did you mean {command}?', command=command)}"
    elif usage and not says_how:
        command = code(f"{root} {usage}", COMMAND_LENGTH)
        lines.append(catalogue.gettext("Usage: {command}", command=command))
    if sends:
        lines.append(catalogue.gettext("Nothing was sent to SecMaster."))
    message = text_message("\n".join(lines))
    if nearest or usage or sends:
        return message
    return Message(message.text, (*message.blocks, actions(start_buttons(catalogue))))


def which_kind(catalogue: Catalogue, root: str, commands: Mapping[ObjectKind, str]) -> Message:
    """Ask which object an id is, by the commands to copy: nothing is sent by likeness."""
    if "task" in commands:
        question = catalogue.gettext("Is that a task or a run? Copy the command that you mean:")
    else:
        question = catalogue.gettext(
            "Is that a run of a workflow or of a playbook? Copy the command that you mean:"
        )
    copies = (code(f"{root} {command}", 500) for command in commands.values())
    lines = [f"❓ {question}", *copies]
    lines.append(catalogue.gettext("Nothing was sent to SecMaster."))
    return text_message("\n".join(lines))


def no_such_object(catalogue: Catalogue) -> Message:
    """Say that SecMaster knows neither a task nor a run by an id."""
    return text_message(f"🔎 {catalogue.gettext('No task or run with that ID in this workspace.')}")

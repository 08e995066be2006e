"""What claims, escalations, snoozes and mutes say is missing, in a card's thread and outside."""

import pytest

from bot.domain.objects import Ref
from bot.messages import command_problems
from bot.messages.catalogue import Sentence
from handlers.assignments import Claim, parse_claim
from handlers.command_row import Arguments
from handlers.command_table import BY_NAME
from handlers.escalations import Escalate, parse_escalate
from handlers.mutes import MutedWorkflow, MuteWorkflow, UnmuteWorkflow, parse_mute, parse_unmute
from handlers.parsing import ParseError
from handlers.watch import parse_unsnooze

THREAD = Ref(kind="instance", id="r1")
WHICH_OBJECT = command_problems.which_object(None)


def problem_of(command: str, thread: Ref | None = None) -> tuple[Sentence, str]:
    """Return what is wrong with a command, and the usage that is told with it."""
    name, _, words = command.partition(" ")
    with pytest.raises(ParseError) as caught:
        BY_NAME[None][name].read(Arguments(words, thread))
    return caught.value.problem, caught.value.usage


@pytest.mark.parametrize("name", ["claim", "unclaim", "escalate", "snooze", "unsnooze"])
@pytest.mark.parametrize(
    "words",
    ["", "2h", "2H", "2h30m", "for 2h", "until 9:00", "9:00", "2026-11-27 08:00", "2h for me"],
)
def test_a_moment_is_no_id_and_what_is_missing_is_the_object(name: str, words: str) -> None:
    problem, usage = problem_of(f"{name} {words}".strip())
    assert problem == WHICH_OBJECT
    assert usage.startswith(f"{name} <id>")


def test_a_moment_is_read_in_a_thread_without_an_id() -> None:
    assert parse_claim(Arguments("2h", THREAD)) == Claim("r1", THREAD, "2h")
    assert parse_claim(Arguments("2026-11-27 08:00", THREAD)).moment == "2026-11-27 08:00"
    assert parse_claim(Arguments("t2 2h", None)) == Claim("t2", None, "2h")
    escalate = parse_escalate(Arguments("for the bank", THREAD))
    assert escalate == Escalate("r1", THREAD, "for the bank")
    assert problem_of("snooze for me", THREAD)[0] == command_problems.SNOOZE_UNTIL_WHEN
    assert problem_of("unsnooze 2h", THREAD)[0] == command_problems.unexpected("2h")
    assert parse_unsnooze(Arguments("", THREAD)).id == "r1"


@pytest.mark.parametrize(
    ("command", "thread", "problem"),
    [
        ("mute", None, command_problems.MUTE_WHAT),
        ("mute 2h", None, command_problems.MUTE_WHAT),
        ("mute for 2h", None, command_problems.MUTE_WHAT),
        ("mute 2h noisy", None, command_problems.MUTE_WHAT),
        ("mute Isolate host", None, command_problems.MUTE_HOW_LONG),
        ("mute Isolate host 2h", None, command_problems.MUTE_WHY),
        ("mute", THREAD, command_problems.MUTE_HOW_LONG),
        ("mute 2h", THREAD, command_problems.MUTE_WHY),
        ("unmute", None, command_problems.MUTE_WHAT),
        ("unmute 2h", None, command_problems.MUTE_WHAT),
        ("unmute 2h", THREAD, command_problems.unexpected("2h")),
    ],
)
def test_a_mute_says_which_of_its_parts_is_missing(
    command: str, thread: Ref | None, problem: Sentence
) -> None:
    assert problem_of(command, thread)[0] == problem


def test_a_mute_is_read_with_its_workflow_its_length_and_its_reason() -> None:
    workflow = MutedWorkflow(name="Isolate host")
    for words in ("Isolate host 2h noisy API", "Isolate host for 2H noisy API"):
        assert parse_mute(Arguments(words)) == MuteWorkflow(workflow, "2h", "noisy API")
    of_thread = MutedWorkflow(thread_object=THREAD)
    assert parse_mute(Arguments("2h noisy", THREAD)) == MuteWorkflow(of_thread, "2h", "noisy")
    assert parse_unmute(Arguments("", THREAD)) == UnmuteWorkflow(of_thread)

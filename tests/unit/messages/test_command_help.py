"""Help and usage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME
from bot.domain.objects import OBJECT_KINDS, ByKind
from bot.domain.slack import SlackFile
from bot.messages import Message, command_help, command_problems, text_message
from bot.messages.command_help import LISTS, HelpCommands, HelpLine, HelpSection
from bot.policy.config import parse
from bot.policy.decide import Principal
from bot.policy.rules import Rule
from handlers.command_table import help_lines
from tests.support.rendered import read
from tests.support.samples import ENGLISH
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, principals, rules, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

roots = st.sampled_from(["/secmaster", "@bot", "/" + "a" * 31])


COMMANDS = HelpCommands(
    {kind: HelpLine(f"{kind} list", LISTS[kind]) for kind in OBJECT_KINDS},
    "help all",
    ["help runs"],
)


def help_message(root: str, task: str, instance: str) -> Message:
    sections = {name: help_lines(name) for name in HelpSection}
    short_commands = dict(ByKind(task=task, instance=instance, playbook="").items())
    return command_help.help_message(ENGLISH, root, short_commands, sections)


def test_help_lists_every_command_with_its_aliases() -> None:
    text = read(help_message("/soc", "/t", ""))
    for action in BY_NAME.values():
        assert f"/soc {action.usage}".replace("<", "&lt;").replace(">", "&gt;") in text
        assert all(alias in text for alias in action.aliases)
    for command in ("task list", "task show", "instance list", "instance show", "whoami", "help"):
        assert f"`/soc {command}" in text
    assert "`/t` is short for `/soc task`" in text
    assert text.count("is short for") == 1


@given(roots, st.sampled_from(["", "/t", "/" + "a" * 31]))
def test_help_is_one_that_slack_takes(root: str, short: str) -> None:
    assert_slack_takes(help_message(root, short, short))


@FEW
@given(words, words, roots, st.booleans())
def test_whatever_was_not_understood_can_be_told(
    problem: str, usage: str, root: str, sends: bool
) -> None:
    for sentence in (
        command_problems.unknown_words(problem),
        command_problems.search_instead(problem),
    ):
        for nearest in (usage, ""):
            message = command_problems.not_understood(
                ENGLISH, root, sentence, usage=usage, nearest=nearest, sends=sends
            )
            assert_slack_takes(message)


def test_a_link_in_what_was_typed_is_no_link_in_what_is_said() -> None:
    sentence = command_problems.unknown_words("<https://evil.example|Approve> `x` <!channel>")
    text = command_problems.not_understood(ENGLISH, "/secmaster", sentence).text
    assert "&lt;https://evil.example|Approve&gt; ˋxˋ &lt;!channel&gt;" in text


@FEW
@given(principals, roots, st.lists(rules, max_size=5))
def test_anybody_can_be_told_how_to_begin(
    principal: Principal, root: str, policy_rules: list[Rule]
) -> None:
    message = command_help.short_help(ENGLISH, root, COMMANDS, principal, policy_rules)
    assert_slack_takes(message)
    assert len(message.blocks) <= 3


SHORT_HELP = """
[roles.approver]
[roles.oncall]
[[rules]]
actions = ["task.read"]
roles = ["approver", "oncall"]
[[rules]]
actions = ["task.approve", "task.terminate"]
roles = ["approver"]
when = { name = "x" }
[[rules]]
actions = ["task.*", "instance.*"]
roles = ["oncall"]
[[rules]]
effect = "deny"
actions = ["instance.debug"]
"""


def short_help(principal: Principal | None) -> str:
    message = command_help.short_help(ENGLISH, "/soc", COMMANDS, principal, parse(SHORT_HELP).rules)
    return read(message)


def test_the_short_help_is_true_for_whoever_reads_it() -> None:
    approver = short_help(Principal("U0ALICE", frozenset({"approver"})))
    assert "*You may*: Read tasks · Approve tasks · Terminate tasks\n" in approver
    assert "`/soc task list` lists waiting tasks (only visible to you)" in approver
    assert "`/soc approve &lt;id&gt;` approves a task" in approver
    assert "instance" not in approver
    on_call = short_help(Principal("U0CAROL", frozenset({"oncall"})))
    assert "Comment on tasks" in on_call
    assert "Debug" not in on_call
    assert "`/soc instance retry &lt;id&gt;` retries a run from the node that failed" in on_call
    # What was lent counts, and helps no guest.
    lender = Principal("U0CAROL", frozenset({"oncall"}))
    assert "Retry runs" in short_help(Principal("U0BOB", delegators=(lender,)))
    guest = short_help(Principal("U0GUEST", guest=True, delegators=(lender,)))
    assert "Guests can't read or change anything here." in guest
    assert "`" not in guest
    assert "People from other organisations" in short_help(Principal("U0OUT", outsider=True))
    assert "Your roles don't let you" in short_help(Principal("U0DAVE"))
    unknown = short_help(None)
    assert "You may" not in unknown
    assert "`/soc approve &lt;id&gt;`" in unknown


def test_of_many_files_three_are_named_and_the_others_counted() -> None:
    files = [SlackFile(id=f"F{number}", name=f"{number}.txt") for number in range(5)]
    text = command_help.how_to_attach(ENGLISH, files).text
    assert (
        "`0.txt`, `1.txt`, and `2.txt` were not attached to any task. 2 more files were not" in text
    )
    assert "`task attach &lt;id&gt;`" in text
    assert "*Attach to task*" in text


def test_an_answer_says_below_its_words_which_files_were_not_taken() -> None:
    answer, file = text_message("Done."), SlackFile(id="F1", name="host.png")
    assert command_help.with_unused_files(ENGLISH, answer, []) is answer
    assert command_help.with_unused_files(ENGLISH, None, []) is None
    assert command_help.with_unused_files(ENGLISH, None, [file]) == command_help.how_to_attach(
        ENGLISH, [file]
    )
    both = command_help.with_unused_files(ENGLISH, answer, [file])
    assert both
    assert both.text.startswith("Done.\n📎 `host.png` was not attached")
    assert "`host.png` was not attached" in str([block.to_dict() for block in both.blocks])

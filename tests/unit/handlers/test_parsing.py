"""Words to a request: the grammar, what it forgives, and what it refuses as a whole."""

import json
import re
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, MAX_REASON, TABLE, Action, Param
from bot.domain.approvals import ApprovalIntent
from bot.domain.objects import (
    MAX_SEARCH,
    OBJECT_KINDS,
    RUN_KINDS,
    ListQuery,
    ObjectKind,
    Ref,
)
from bot.messages import command_problems
from bot.messages.blocks import Message
from bot.messages.catalogue import Catalogue
from bot.messages.command_help import HelpSection
from bot.messages.command_problems import problem_text
from bot.sandbox.slack.blocks import check_blocks
from handlers import command_table
from handlers.audit import ShowAudit
from handlers.command_row import RecordsOperation
from handlers.command_table import ShowHelp
from handlers.either_kind import SendToEither, ShowEither
from handlers.everyday_words import Talk
from handlers.oncall import ShowOnCall
from handlers.parsing import ParseError, check_param, identifier
from handlers.permissions import (
    CreateDelegation,
    ExplainPolicy,
    ListDelegations,
    ReloadPolicy,
    RevokeDelegation,
    Whoami,
)
from handlers.requests import ActionRequest, ChangeApproval, ShowCard
from tests.support.examples import examples
from tests.support.rendered import button_ids
from tests.support.samples import ENGLISH

ID = "909494e3-558e-46b6-a9eb-07a4e1a1d4ac"
OTHER = "7f3c1a52-0d4e-4b8a-9c11-5a0e4f2b6d77"
CONSOLE = f"https://console.huaweicloud.com/secmaster/?region=cn-north-4#/task/{ID}"
NBSP = "\u00a0"
WHICH = {
    "task": "Which task? Add its ID.",
    "instance": "Which run? Add its ID.",
    "playbook": "Which playbook run? Add its ID.",
    "either": "Which task or run? Add its ID.",
}
TASK = Ref(kind="task", id=ID)
RUN = Ref(kind="instance", id=ID)
BOMB = "[" * 100_000


def parse(text: str, ref: Ref | None = None) -> Any:
    return command_table.parse(text, ref).request


def listing(noun: Any, state: Any = "", text: str = "") -> ListQuery:
    return ListQuery(kind=noun, filter=state, text=text)


def given_for(param: Param) -> str:
    """Something that may stand for a parameter in a command."""
    if param.json:
        return '[{"name": "ip"}]'
    return "seen before" if param.rest else "c-17"


def ref_of(action: Action, object_id: str = ID) -> Ref:
    return Ref(kind=action.kind, id=object_id)


def needed_by(action: Action) -> dict[str, str]:
    return {param.name: given_for(param) for param in action.params}


def tail(action: Action) -> str:
    return " ".join(needed_by(action).values())


def refused(text: str, ref: Ref | None = None) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(text, ref)
    return caught.value


def error_text(text: str, ref: Ref | None = None) -> str:
    """What the person reads who wrote something that makes no sense."""
    return not_understood(refused(text, ref)).text


def not_understood(error: ParseError) -> Message:
    return command_problems.not_understood(
        ENGLISH,
        "/secmaster",
        error.problem,
        usage=error.usage,
        nearest=error.nearest,
        sends=error.sends,
    )


def problem(error: ParseError) -> str:
    return problem_text(ENGLISH, error.problem, "/secmaster")


COMMANDS = [(action, verb) for action in TABLE for verb in (action.verb, *action.aliases)]
every_command = pytest.mark.parametrize(
    ("action", "verb"), COMMANDS, ids=[f"{action.kind}-{verb}" for action, verb in COMMANDS]
)
every_action = pytest.mark.parametrize("action", TABLE, ids=list(BY_NAME))
with_needs = pytest.mark.parametrize(
    "action", [action for action in TABLE if action.params], ids=lambda action: action.name
)
with_reason = pytest.mark.parametrize(
    "action", [action for action in TABLE if action.takes_reason], ids=lambda action: action.name
)


# The grammar.


@pytest.mark.parametrize("text", ["", "  ", "help", "HELP", "?", "`help`", NBSP])
def test_nothing_or_help_asks_for_help(text: str) -> None:
    assert parse(text) == ShowHelp()


@pytest.mark.parametrize("text", ["whoami", "WhoAmI", " whoami "])
def test_whoami_asks_who_i_am(text: str) -> None:
    assert parse(text) == Whoami()


@every_command
def test_every_action_is_understood_by_its_name_and_its_aliases(action: Action, verb: str) -> None:
    request = parse(f"{action.kind} {verb} {ID} {tail(action)}")
    assert request == ActionRequest(action, ref_of(action), needed_by(action))


@every_command
def test_case_does_not_matter_in_the_words_of_a_command(action: Action, verb: str) -> None:
    request = parse(f"{action.kind.upper()} {verb.title()} {ID} {tail(action)}")
    assert request == ActionRequest(action, ref_of(action), needed_by(action))


@every_action
def test_the_plural_of_a_noun_is_understood(action: Action) -> None:
    request = parse(f"{action.kind}s {action.verb} {ID} {tail(action)}")
    assert request == ActionRequest(action, ref_of(action), needed_by(action))


@with_reason
def test_what_follows_the_id_of_a_decision_is_the_reason(action: Action) -> None:
    request = parse(f"{action.kind} {action.verb} {ID}  looks fine\nto <me> ")
    assert request.reason == "looks fine\nto <me>".replace("<me>", "me")


@with_reason
def test_a_decision_needs_no_reason_to_be_understood(action: Action) -> None:
    assert parse(f"{action.kind} {action.verb} {ID}").reason == ""


@pytest.mark.parametrize("noun", ["task", "instance"])
def test_show_names_one_object(noun: Any) -> None:
    assert parse(f"{noun} show {ID}") == ShowCard(Ref(kind=noun, id=ID))


def test_ids_that_are_no_uuids_are_taken_as_they_are() -> None:
    assert parse("task show Task_7.b-1") == ShowCard(Ref(kind="task", id="Task_7.b-1"))


@pytest.mark.parametrize(
    ("text", "listing"),
    [
        ("task list", listing("task")),
        ("tasks list", listing("task")),
        ("task list todo", listing("task", "todo")),
        ("task list HANDLED", listing("task", "handled")),
        ("task list waiting", listing("task", "todo")),
        ("task list Open host", listing("task", "todo", "host")),
        ("task list decided", listing("task", "handled")),
        ("task list finished", listing("task", "handled")),
        ("task list todo isolate host", listing("task", "todo", "isolate host")),
        ("task list isolate host", listing("task", "", "isolate host")),
        ("task list failed", listing("task", "", "failed")),
        ("instance list", listing("instance")),
        ("instance list Failed", listing("instance", "failed")),
        ("instance list running &lt;b&gt; &amp; co", listing("instance", "running", "<b> & co")),
        ("instance list todo", listing("instance", "", "todo")),
        ("task list <https://evil.example|evil>", listing("task", "", "https://evil.example")),
    ],
)
def test_lists_take_a_filter_and_a_text(text: str, listing: Any) -> None:
    assert parse(text) == listing


def test_the_text_of_a_list_is_short_enough_for_a_button() -> None:
    assert parse(f"task list {'x' * 200}") == listing("task", "", "x" * 200)
    with pytest.raises(ParseError):
        parse(f"task list {'x' * 201}")


# What is forgiven around an id.


@pytest.mark.parametrize(
    "written",
    [
        f"`{ID}`",
        f"```{ID}```",
        f'"{ID}"',
        f"'{ID}'",
        f"“{ID}”",
        f"‘{ID}’",
        f"„{ID}“",
        f"«{ID}»",
        f"*{ID}*",
        f"({ID})",
        f"{ID},",
        f"&lt;{ID}&gt;",
        f"<{ID}>",
        CONSOLE,
        f"<{CONSOLE}>",
        f"<{CONSOLE}|the-task>",
        f"<{CONSOLE}|{ID[:8]}…>",
        f"`<{CONSOLE}|{ID}>`",
        f"“<{CONSOLE}>”",
        f"<https://console.huaweicloud.com/x?a=1&amp;taskId={ID}>",
        f"<https://console.huaweicloud.com/x/{ID}/>",
        f"<https://console.huaweicloud.com/x%2F{ID}>",
        f"<https://console.huaweicloud.com/x/{ID}?tab=history>",
    ],
)
@pytest.mark.parametrize("between", [" ", NBSP, "\t", "  \n"], ids=["space", "nbsp", "tab", "line"])
def test_an_id_is_found_in_whatever_it_was_pasted_with(written: str, between: str) -> None:
    assert parse(f"task{between}show{between}{written}") == ShowCard(TASK)


def test_the_last_id_of_a_console_link_is_the_objects_own() -> None:
    assert identifier(f"https://console.huaweicloud.com/{OTHER}/task/{ID}") == ID


def test_a_link_to_an_id_that_is_no_uuid_gives_its_last_part() -> None:
    assert parse("task show <https://console.example/task/t-17>") == ShowCard(
        Ref(kind="task", id="t-17")
    )
    assert parse("task show <https://console.example/?id=t-17>") == ShowCard(
        Ref(kind="task", id="t-17")
    )


def test_a_link_whose_label_has_spaces_is_one_word() -> None:
    assert parse(f"task show <{CONSOLE}|Isolate host 10.0.0.7>") == ShowCard(TASK)
    request = parse(f"task approve <{CONSOLE}|Isolate host> looks fine")
    assert request == ActionRequest(BY_NAME["task.approve"], TASK, reason="looks fine")


def test_the_zero_width_spaces_of_a_copied_command_are_nothing() -> None:
    assert parse(f"\u200btask show \u200b{ID}\u200b") == ShowCard(TASK)


def test_a_whole_command_in_code_marks_is_understood() -> None:
    assert parse(f"`task show {ID}`") == ShowCard(TASK)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("🔥", "That isn't a task ID."),
        ("…", "That isn't a task ID."),
        ("<>", "That isn't a task ID."),
        ("x" * 101, "That isn't a task ID."),
        ("<https://console.example/tasks>", "That isn't a task ID."),
        ("Block IP", "Expected one ID. To search: `/secmaster task list Block IP`"),
        ("<@U0BOB|bob> now", "Expected one ID. To search: `/secmaster task list @bob now`"),
        ("隔离 主机", "Expected one ID. To search: `/secmaster task list 隔离 主机`"),
        ("a/b", "Expected one ID. To search: `/secmaster task list a/b`"),
        ("firewall", "Expected one ID. To search: `/secmaster task list firewall`"),
        ("10.0.0.7 now", "Expected one ID. To search: `/secmaster task list 10.0.0.7 now`"),
    ],
)
def test_what_cannot_be_an_id_is_never_acted_on(written: str, said: str) -> None:
    error = refused(f"task approve {written}")
    assert problem(error) == said
    assert (error.usage, error.sends) == (BY_NAME["task.approve"].usage, True)


@every_command
def test_an_id_in_capitals_names_the_same_task(action: Action, verb: str) -> None:
    request = parse(f"{action.kind} {verb} {ID.upper()} {tail(action)}")
    assert request == ActionRequest(action, ref_of(action), needed_by(action))


@pytest.mark.parametrize(
    "written", [ID.upper(), ID.title(), f"`{ID.upper()}`", CONSOLE.replace(ID, ID.upper())]
)
def test_an_id_in_capitals_is_found_in_whatever_it_was_pasted_with(written: str) -> None:
    assert parse(f"task show {written}") == ShowCard(TASK)


@with_reason
def test_in_a_cards_thread_its_own_id_in_capitals_is_no_reason(action: Action) -> None:
    request = parse(f"{action.verb} {ID.upper()} looks fine", ref_of(action))
    assert request == ActionRequest(action, ref_of(action), reason="looks fine")


def test_an_id_that_is_no_uuid_keeps_its_capitals() -> None:
    assert parse("task show T-17") == ShowCard(Ref(kind="task", id="T-17"))


# Text that people wrote.


@pytest.mark.parametrize(
    ("arrives", "meant"),
    [
        ("ask <@U0BOB|bob> first", "ask @bob first"),
        ("ask <@U0BOB> first", "ask @U0BOB first"),
        ("see <#C0SOC|soc>", "see #soc"),
        ("<!channel> look", "@channel look"),
        ("<!subteam^S0SOC|@soc-team> look", "@soc-team look"),
        ("see <https://x.example/a?b=1&amp;c=2>", "see https://x.example/a?b=1&c=2"),
        ("mail <mailto:a@b.example|a@b.example>", "mail a@b.example"),
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("typed &amp;lt; as it is", "typed &lt; as it is"),
        ("two\nlines", "two\nlines"),
        ("“quoted” as typed", "“quoted” as typed"),
    ],
)
def test_a_comment_is_what_the_person_typed_without_slacks_escapes(
    arrives: str, meant: str
) -> None:
    assert parse(f"task comment {ID} {arrives}").params == {"comment": meant}


def test_a_comment_that_is_too_long_is_refused_with_both_numbers() -> None:
    no = refused(f"task comment {ID} {'x' * 10_000}")
    assert problem(no) == "Too long: 10,000 characters, and the limit is 3,000."
    assert no.usage == "task comment <id> <text>"


def test_a_comment_of_the_longest_size_is_taken_whole() -> None:
    assert parse(f"task comment {ID} {'x' * 3000}").params["comment"] == "x" * 3000


def test_the_length_of_a_comment_counts_what_was_typed_and_not_its_escapes() -> None:
    assert parse(f"task comment {ID} {'&amp;' * 3000}").params["comment"] == "&" * 3000


@with_reason
def test_a_reason_that_is_too_long_is_refused_with_both_numbers(action: Action) -> None:
    text = f"{action.kind} {action.verb} {ID} {'y' * (MAX_REASON + 1)}"
    said = "The reason is too long: 1,001 characters, and the limit is 1,000."
    assert problem(refused(text)) == said
    assert parse(text[:-1]).reason == "y" * MAX_REASON


def test_a_comments_id_may_be_quoted() -> None:
    assert parse(f"task uncomment {ID} `c-17`").params == {"comment_id": "c-17"}


# One object at a time.


@with_reason
@pytest.mark.parametrize(
    "words",
    [
        OTHER,
        OTHER.upper(),
        f"`{OTHER}`",
        f"{OTHER} confirmed by phone",
        f"and {OTHER}",
        f", {OTHER}",
        f"&amp; {OTHER} both",
        ID,
        f"<{CONSOLE.replace(ID, OTHER)}>",
        f"<{CONSOLE.replace(ID, OTHER)}|the other one> too",
        OTHER[:-1],
        OTHER.replace("-", ""),
    ],
)
def test_a_second_id_is_not_the_reason_for_deciding_the_first(action: Action, words: str) -> None:
    text = f"{action.kind} {action.verb} {ID} {words}"
    said = {
        "task": "One task at a time. For several tasks: `/secmaster task several`",
        "instance": "One run at a time. For several runs: `/secmaster instance several`",
        "playbook": (
            "One playbook run at a time. For several playbook runs: `/secmaster playbook several`"
        ),
    }[action.kind]
    assert said in error_text(text)
    assert refused(text).usage == action.usage
    assert said in error_text(f"break-glass {text}")
    assert said in error_text(f"{action.verb} {ID} {words}", ref_of(action))


@pytest.mark.parametrize("verb", ["withdraw", "decline", "refuse"])
def test_a_second_id_is_not_the_reason_for_changing_an_approval(verb: str) -> None:
    assert "One task at a time." in error_text(f"task {verb} {ID} {OTHER}")


@with_reason
@pytest.mark.parametrize(
    "reason",
    [
        f"same host as {OTHER}",
        f"see {CONSOLE}",
        "2026-11-26 confirmed by phone",
        "10023456 is the ticket",
        "https://tickets.example/browse/INC-7 has all of it",
        "and so on",
        "10.0.0.7 is a decoy",
    ],
)
def test_a_reason_may_speak_of_other_objects_and_numbers(action: Action, reason: str) -> None:
    assert parse(f"{action.kind} {action.verb} {ID} {reason}").reason == reason


def test_a_comment_may_begin_with_an_id_since_it_decides_nothing() -> None:
    text = f"{OTHER} is the same host"
    assert parse(f"task comment {ID} {text}").params == {"comment": text}


@every_command
@pytest.mark.parametrize(
    "first",
    [
        f"{ID},{OTHER}",
        f"{ID};{OTHER}",
        f"{ID}/{OTHER}",
        f"<{CONSOLE}>,<{CONSOLE.replace(ID, OTHER)}>",
        f"<{CONSOLE}|a>,{OTHER}",
    ],
)
def test_two_ids_in_one_word_are_refused_and_neither_is_chosen(
    action: Action, verb: str, first: str
) -> None:
    text = error_text(f"{action.kind} {verb} {first} {tail(action)}")
    assert "at a time. For several" in text


# In a card's thread.


@every_command
def test_in_a_cards_thread_the_noun_and_the_id_may_be_left_out(action: Action, verb: str) -> None:
    ref = ref_of(action)
    assert parse(f"{verb} {tail(action)}", ref) == ActionRequest(action, ref, needed_by(action))


@every_command
def test_in_a_cards_thread_the_id_alone_may_be_left_out(action: Action, verb: str) -> None:
    ref = ref_of(action)
    request = parse(f"{action.kind} {verb} {tail(action)}", ref)
    assert request == ActionRequest(action, ref, needed_by(action))


@every_action
def test_in_a_cards_thread_another_objects_id_still_means_the_other(action: Action) -> None:
    request = parse(f"{action.verb} {OTHER} {tail(action)}", ref_of(action))
    if isinstance(request, SendToEither):  # several kinds have it: the id says which
        assert action.verb in {"terminate", "retry"}
        request = request.commands[action.kind].request
    assert request == ActionRequest(action, ref_of(action, OTHER), needed_by(action))


@every_action
def test_in_a_cards_thread_its_own_id_is_not_taken_for_a_parameter(action: Action) -> None:
    ref = Ref(kind=action.kind, id="t-17")
    request = parse(f"{action.verb} t-17 {tail(action)}", ref)
    assert request == ActionRequest(action, ref, needed_by(action))


@with_reason
def test_in_a_cards_thread_the_words_after_a_decision_are_the_reason(action: Action) -> None:
    request = parse(f"{action.verb} looks fine", ref_of(action))
    assert request == ActionRequest(action, ref_of(action), reason="looks fine")


def test_in_a_cards_thread_show_is_the_card_again() -> None:
    assert parse("show", TASK) == ShowCard(TASK)


@every_action
def test_in_a_thread_of_the_other_noun_the_id_is_still_needed(action: Action) -> None:
    other = Ref(kind="instance" if action.kind == "task" else "task", id=OTHER)
    no = refused(f"{action.kind} {action.verb}", other)
    assert (problem(no), no.usage) == (WHICH[action.kind], action.usage)


def test_help_and_whoami_mean_the_same_in_a_thread() -> None:
    assert parse("help", TASK) == ShowHelp()
    assert parse("whoami", TASK) == Whoami()


# What is refused.


@every_command
def test_a_missing_id_gives_the_usage(action: Action, verb: str) -> None:
    no = refused(f"{action.kind} {verb}")
    assert (problem(no), no.usage) == (WHICH[action.kind], action.usage)


@with_needs
def test_each_missing_parameter_is_named_and_gives_the_usage(action: Action) -> None:
    have = [ID]
    for param in action.params:
        no = refused(" ".join([action.kind, action.verb, *have]))
        assert (problem(no), no.usage) == (f"“&lt;{param.label}&gt;” is missing.", action.usage)
        have.append(given_for(param))


@pytest.mark.parametrize("blank", ["<> ", "``", '""', "&lt;&gt;"])
def test_a_comments_id_of_marks_alone_is_empty(blank: str) -> None:
    assert problem(refused(f"task uncomment {ID} {blank}")) == "This can't be empty."


@pytest.mark.parametrize(("noun", "kind"), [("task", "task"), ("instance", "run"), ("run", "run")])
def test_a_noun_alone_asks_which_command(noun: str, kind: str) -> None:
    error = refused(noun)
    assert problem(error) == f"Which {kind} command?"
    assert error.usage == {"task": "task list", "run": "instance list"}[kind]
    assert not error.sends


@pytest.mark.parametrize(
    "text",
    [f"task show {ID} please", f"task uncomment {ID} c-17 please", f"task attach {ID} a b"],
)
def test_words_that_are_left_over_are_refused(text: str) -> None:
    assert problem(refused(text)).startswith("I didn't expect “")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        # What reads is offered by likeness.
        ("taks list", "task list"),
        ("tsk", "task"),
        ("instnace failed", "instance failed"),
        ("hlep", "help"),
        ("whoam", "whoami"),
        ("lst", "list"),
        ("lsit firewall", "list firewall"),
        ("task lst", "task list"),
        ("shwo x", "show x"),
        ("instance shwo x", "instance show x"),
        ("digets", "digest"),
        ("onncall", "oncall"),
        # What sends is offered for a plain typo of its own word, with what was typed after it.
        ("aprove x", "task approve x"),
        ("approev x", "task approve x"),
        ("teminate x because", "terminate x because"),
        ("termniate x", "terminate x"),
        ("rerty x", "retry x"),
        ("task aprove x", "task approve x"),
        ("task contineu x", "task continue x"),
        ("instance rerty x", "instance retry x"),
        ("comment-", "task comment"),
        ("wathc", "watch"),
        # And otherwise never, however like it is.
        ("batch", ""),
        ("who may approve", ""),
        ("approval x", ""),
        ("app x", ""),
        ("terminator", ""),
        ("continuous", ""),
        ("rejection", ""),
        ("stpo x", ""),
        ("sop", ""),
        ("attachment", ""),
        ("mnie", ""),
        ("delegation", "delegations"),
        ("task trminat x", ""),
        ("instance approve x", ""),
        ("zzz qqq", ""),
    ],
)
def test_what_is_offered_for_an_unknown_word(typed: str, meant: str) -> None:
    assert refused(typed).nearest == meant


def test_what_was_perhaps_meant_is_text_to_copy_and_no_button() -> None:
    error = refused(f"aprove {ID} looks fine")
    message = not_understood(error)
    assert f"Did you mean `/secmaster task approve {ID} looks fine`?" in message.text
    assert "Nothing was sent to SecMaster." in message.text
    assert [block.type for block in message.blocks] == ["section"]
    assert refused(f"aprove {ID} {'x' * 200}").nearest == "task approve"


@pytest.mark.parametrize(
    ("typed", "sends"),
    [
        ("mnie", False),
        ("zzz", False),
        ("task zzz", False),
        ("task", False),
        ("task show 🔥", False),
        (f"show {ID} please", False),
        ("why", False),
        ("routes foo", False),
        ("reload now", False),
        ("delegate bob", False),
        ("can you look at the firewall", False),
        ("task approve", True),
        ("aprove", True),
        ("please approve this", True),
        ("can you teminate it", True),
        (f"hi approve {ID}", True),
        (f"{ID} approve", True),
        ("task comment", True),
        ("break-glass", True),
        ("terminate", True),
        ("tsk approve 1", True),
    ],
)
def test_that_nothing_was_sent_is_said_where_something_could_have_been(
    typed: str, sends: bool
) -> None:
    assert refused(typed).sends is sends
    assert ("Nothing was sent to SecMaster." in error_text(typed)) is sends


def test_where_nothing_is_known_buttons_offer_what_can_be_read() -> None:
    for words in ("zzz", "can you look at the firewall"):
        assert button_ids(not_understood(refused(words))) == [
            "start.waiting",
            "start.oncall",
            "start.help",
        ]
    assert error_text("can you look at it").startswith("🤔 I only understand commands.")
    assert "Usage: `/secmaster task comment &lt;id&gt; &lt;text&gt;`" in error_text("task comment")


@every_action
def test_an_action_of_the_other_noun_is_not_guessed_into_this_one(action: Action) -> None:
    other = "instance" if action.kind == "task" else "task"
    if f"{other}.{action.verb}" not in BY_NAME:
        assert f"“{other} {action.verb}”" in problem(refused(f"{other} {action.verb} {ID}"))


def test_the_first_word_is_quoted_only_in_part() -> None:
    assert len(problem(refused("z" * 100_000))) < 100


# Without the noun, and in everyday words.

OF_ONE_KIND = [row for row in TABLE if [each.verb for each in TABLE].count(row.verb) == 1]


@pytest.mark.parametrize("action", OF_ONE_KIND, ids=lambda action: action.name)
def test_a_verb_of_one_kind_needs_no_noun(action: Action) -> None:
    for verb in (action.verb, *action.aliases):
        request = parse(f"{verb} {ID} {tail(action)}")
        assert request == ActionRequest(action, ref_of(action), needed_by(action))
    other = Ref(kind="instance" if action.kind == "task" else "task", id=OTHER)
    assert parse(f"{action.verb} {ID} {tail(action)}", other).ref == ref_of(action)
    assert refused(action.verb, other).usage == action.usage


@pytest.mark.parametrize("verb", ["terminate", "retry", "stop", "withdraw", "decline", "refuse"])
def test_a_verb_of_several_kinds_is_of_none_before_the_id_is_looked_up(verb: str) -> None:
    request = parse(f"{verb} {ID} it spreads")
    assert isinstance(request, SendToEither)
    kinds = RUN_KINDS if verb in {"retry", "stop"} else OBJECT_KINDS
    assert (request.id, set(request.commands)) == (ID, set(kinds))
    for kind, parsed in request.commands.items():
        assert parsed.request == parse(f"{kind} {verb} {ID} it spreads")
    assert (problem(refused(verb)), refused(verb).usage) == (WHICH["either"], f"{verb} <id>")
    assert problem(refused(f"{verb} Block IP")).startswith("Expected one ID.")
    assert not isinstance(parse(f"{verb} it spreads", RUN), SendToEither)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("waiting", listing("task")),
        ("What is waiting?", listing("task")),
        ("what’s waiting ?", listing("task")),
        ("pending!", listing("task")),
        ("mine", listing("task", "", "mine")),
        ("task mine", listing("task", "", "mine")),
        ("overdue", listing("task", "", "overdue")),
        ("what's overdue?", listing("task", "", "overdue")),
        ("list", listing("task")),
        ("list overdue", listing("task", "", "overdue")),
        ("list handled", listing("task", "handled")),
        ("handled", listing("task", "handled")),
        ("failed", listing("instance", "failed")),
        ("instance failed?", listing("instance", "failed")),
        ("runs running", listing("instance", "running")),
        ("search Block IP", listing("task", "", "Block IP")),
        ("find 隔离", listing("task", "", "隔离")),
        ("task search host", listing("task", "", "host")),
        ("run search host", listing("instance", "", "host")),
        ("show Block IP", listing("task", "", "Block IP")),
        ("task show Block IP", listing("task", "", "Block IP")),
        ("instance show isolate", listing("instance", "", "isolate")),
        ("details firewall", listing("task", "", "firewall")),
        ("show 203.0.113.77", listing("task", "", "203.0.113.77")),
        ("who is on call?", ShowOnCall()),
        ("oncall?", ShowOnCall()),
        ("whoami?", Whoami()),
        ("What can you do?", ShowHelp()),
        ("hey help", ShowHelp()),
        ("hello, task list", listing("task")),
        ("hi what is waiting?", listing("task")),
        ("help tasks", ShowHelp((HelpSection.TASKS,))),
        ("help run", ShowHelp((HelpSection.RUNS,))),
        ("help watch", ShowHelp((HelpSection.WATCH,))),
        ("help rights", ShowHelp((HelpSection.RIGHTS,))),
        ("help all", ShowHelp(tuple(HelpSection))),
        ("help me", ShowHelp()),
        ("task help", ShowHelp((HelpSection.TASKS,))),
        ("instance help", ShowHelp((HelpSection.RUNS,))),
        (f"details {ID}", ShowEither(ID)),
        (f"show {ID}", ShowEither(ID)),
        (ID, ShowEither(ID)),
        (f" `{ID.upper()}` ", ShowEither(ID)),
        (f"<{CONSOLE}>", ShowEither(ID)),
        (f"<{CONSOLE}|the task>", ShowEither(ID)),
        ("<https://console.example/x?id=3e4>", ShowEither("3e4")),
        (f"hi {ID}", ShowEither(ID)),
        (f"task {ID}", ShowCard(TASK)),
        (f"run <{CONSOLE}>", ShowCard(RUN)),
        (f"task details {ID}", ShowCard(TASK)),
        *((text, Talk.GREETING) for text in ("hi", "Hello!", "HEY there", "你好", "您好！", "👋")),
        *(
            (text, Talk.GREETING)
            for text in ("good morning", "Hello, good morning team!", "hi :wave:")
        ),
        *((text, Talk.THANKS) for text in ("thanks", "Thanks a lot!", "thx.", "thank you so much")),
        *(
            (text, Talk.THANKS)
            for text in ("👍", "👍🏽", ":+1:", ":+1::skin-tone-3:", "谢谢！", "🙏 ")
        ),
        *((text, Talk.THANKS) for text in ("thanks for your help", "great, thanks", "ok thanks")),
    ],
)
def test_what_people_say_is_understood(text: str, meant: Any) -> None:
    assert parse(text) == meant


def test_an_id_with_other_words_is_not_shown_and_never_acted_on() -> None:
    said = "An ID alone shows its card. To do something with it, write the command first."
    assert problem(refused(f"{ID} approve")) == said
    assert problem(refused(f"{ID} {OTHER}")) == said
    assert problem(refused(f"{ID},{OTHER}")) == "One ID at a time."
    assert problem(refused("<https://example.com/>")) == "That link doesn't lead to a task or run."
    assert problem(refused("search")) == "What should I search for?"


def test_a_write_is_not_found_within_a_sentence() -> None:
    error = refused(f"hi approve {ID}")
    assert problem(error) == "A command that changes something must stand alone."
    assert error.nearest == f"approve {ID}"
    assert refused("approve?", None).sends
    for words in ("please approve it", "thanks, approve it", "ok terminate", "I would approve"):
        refused(words, TASK)


# JSON for debugging.


def debug(written: str) -> Any:
    return parse(f"instance debug {ID} node-1 {written}").params["input_dataobject"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("[]", []),
        ('[{"a": 1}]', [{"a": 1}]),
        ("“[]”"[1:-1], []),
        ("[{“a”: “b”}]", [{"a": "b"}]),
        ("[{„a“: «b»}]", [{"a": "b"}]),
        ('`[{"a": 1}]`', [{"a": 1}]),
        ('```[{"a": 1}]```', [{"a": 1}]),
        ('```\n[\n {"a": 1}\n]\n```', [{"a": 1}]),
        ('[{"a":\u00a01}]', [{"a": 1}]),
        ('["a &lt; b &amp;&amp; c"]', ["a < b && c"]),
        ('["“as typed”"]', ["“as typed”"]),
        ('["中文 🙂"]', ["中文 🙂"]),
    ],
)
def test_debug_takes_a_json_array_as_people_paste_it(written: str, sent: Any) -> None:
    assert json.loads(debug(written)) == sent


def test_debug_unescapes_what_was_typed_only_once() -> None:
    assert json.loads(debug('["&amp;lt;"]')) == ["&lt;"]


def test_json_typed_into_a_form_is_taken_as_it_is() -> None:
    node_input = BY_NAME["instance.debug"].params[-1]
    assert json.loads(check_param(node_input, '["&lt;"]')) == ["&lt;"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('["<https://x.example/a>"]', ["https://x.example/a"]),
        ('["<http://x.example|x.example>"]', ["http://x.example"]),
        ('["<mailto:a@b.example|a@b.example>"]', ["a@b.example"]),
    ],
)
def test_debug_takes_the_addresses_that_slack_made_links_of(written: str, sent: Any) -> None:
    assert json.loads(debug(written)) == sent


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("{", "line 1, column 2: a name in double quotes is missing"),
        ("[1,", "line 1, column 4: a value is missing"),
        ("nope", "line 1, column 1: a value is missing"),
        ("[1] [2]", "line 1, column 5: the array has ended before this"),
        ("['a']", "line 1, column 2: a value is missing"),
        ('["a" "b"]', "line 1, column 6: a comma or a closing bracket is missing"),
        ('[{"a" 1}]', "line 1, column 7: a colon is missing"),
        ('["a]', "line 1, column 2 has no closing quote"),
        (r'["\q"]', "line 1, column 3: a backslash must be written as"),
        ("[“a” “b”]", "line 1, column 6: a comma or a closing bracket is missing"),
        ("`", "line 1, column 1: a value is missing"),
        (BOMB[:2999], "nested too deeply"),
        ("[1]" + BOMB[:2990], "line 1, column 4: the array has ended before this"),
    ],
)
def test_broken_json_is_refused_with_the_usage_and_where_it_is_broken(
    written: str, fault: str
) -> None:
    no = refused(f"instance debug {ID} node-1 {written}")
    assert fault in problem(no)
    assert no.usage == "instance debug <id> <node id> <json>"


def test_a_fault_is_counted_in_what_was_typed_with_its_empty_lines_and_code_marks() -> None:
    node_input = BY_NAME["instance.debug"].params[-1]
    for typed in ('\n[{"a": 1\n  "b": 2}]', '```\n[{"a": 1\n  "b": 2}]\n```'):
        with pytest.raises(ParseError) as error:
            check_param(node_input, typed)
        sentence = Catalogue.english().render(error.value.problem)
        where = "line 3, column 3: a comma or a closing bracket is missing."
        assert sentence == f"Not JSON at {where}"


@pytest.mark.parametrize("written", ["[NaN]", "[Infinity]", "[-Infinity]"])
def test_numbers_that_json_does_not_have_are_refused(written: str) -> None:
    text = problem(refused(f"instance debug {ID} node-1 {written}"))
    assert text == f"{written[1:-1]} isn't JSON: a number or null is expected."


@pytest.mark.parametrize("written", ['{"a": 1}', "1", '"a"', "null", "true", "{“a”: 1}"])
def test_json_that_is_no_array_is_refused(written: str) -> None:
    assert "must be an array" in problem(refused(f"instance debug {ID} node-1 {written}"))


def test_json_that_is_too_long_is_refused() -> None:
    error = refused(f'instance debug {ID} n ["{"x" * 5000}"]')
    assert problem(error) == "Too long: 5,004 characters, and the limit is 3,000."


# Whatever is written.

VOCABULARY = [
    *("task", "tasks", "instance", "list", "show", "help", "whoami", "todo", "failed"),
    *(verb for _action, verb in COMMANDS),
    *(ID, OTHER, "t-17", f"<{CONSOLE}|{ID}>", f"`{ID}`", CONSOLE, "<@U0BOB|bob>", "<!channel>"),
    *("[]", "{}", '[{"a": 1}]', "[“a”]", "```", "`", "“", "<", ">", "<|>", "<a|", "|", "&lt;"),
    *("&amp;amp;", "://", "<://>", "%", "%00", "%ff", "\0", NBSP, "\u200b", "\u202e", "🙂", "中"),
    *("x" * 70, "x" * 1001, "x" * 3001, "&amp;" * 700, BOMB[:5000]),
]
ANYTHING = st.one_of(
    st.text(),
    st.lists(st.sampled_from(VOCABULARY) | st.text(max_size=5), max_size=9).map(" ".join),
    st.lists(st.sampled_from(VOCABULARY) | st.text(max_size=5), max_size=9).map("".join),
    st.builds(lambda text, times: text * times, st.text(max_size=5), st.integers(0, 20_000)),
)
HERE = st.sampled_from([None, TASK, RUN, Ref(kind="task", id="t-17")])


def assert_slack_takes(message: Message) -> None:
    payload = message.payload
    json.dumps(payload, ensure_ascii=False).encode()
    check_blocks(payload["blocks"])
    assert 0 < len(payload["text"]) <= 4000


@examples(400)
@example("instance debug x y " + BOMB, None)
@example("x" * 1_000_000, None)
@example("task " + "aprove" * 10_000, TASK)
@example("task approve " + "<" * 20_000, TASK)
@example("task comment x " + "<a" * 20_000, TASK)
@given(ANYTHING, HERE)
def test_whatever_is_written_is_a_request_or_is_not_understood(text: str, ref: Ref | None) -> None:
    try:
        parsed = command_table.parse(text, ref)
    except ParseError as no:
        assert_slack_takes(not_understood(no))
        return
    request = parsed.request
    if not isinstance(request, Talk | ShowEither | SendToEither):
        assert parsed.command in command_table.TABLE
    if isinstance(request, ActionRequest):
        assert_within_the_table(request)


READING_WORDS = [
    word
    for word in VOCABULARY
    if not any(command_table.means_a_write(part) for part in re.split(r"\W+", word))
]


@examples(200)
@example("approval", TASK)
@example("stpo", RUN)
@example("looks good, ship it", TASK)
@given(
    st.lists(st.sampled_from(READING_WORDS) | st.text(max_size=5), max_size=9).map(" ".join), HERE
)
def test_without_the_word_of_a_write_nothing_is_ever_sent(text: str, ref: Ref | None) -> None:
    assume(not any(map(command_table.means_a_write, text.replace("\u200b", "").split())))
    try:
        parsed = command_table.parse(text, ref)
    except ParseError as error:
        assert not error.sends  # noqa: PT017 - either way out is right
        return
    assert not isinstance(parsed.command.handler, RecordsOperation)


def assert_within_the_table(request: Any) -> None:
    assert request.ref.kind == request.action.kind
    assert Ref.parse(str(request.ref)) == request.ref
    assert list(request.params) == [param.name for param in request.action.params]
    for param in request.action.params:
        value = request.params[param.name]
        assert value.strip()
        assert len(value) <= param.max_length
        assert not param.json or isinstance(json.loads(value), list)
    assert len(request.reason) <= (MAX_REASON if request.action.takes_reason else 0)


@examples(150)
@given(st.text(), st.sampled_from([param for action in TABLE for param in action.params]))
def test_whatever_is_typed_into_a_form_is_taken_or_refused(text: str, param: Param) -> None:
    try:
        value = check_param(param, text)
    except ParseError as no:
        assert no.problem  # noqa: PT017 - either way out is right, and this one has words
        return
    assert value.strip()
    assert len(value) <= param.max_length


# Rights.


def about(word: str, id_: str, kinds: tuple[ObjectKind, ...]) -> ShowAudit | ExplainPolicy:
    """What ``why`` or ``audit`` asks for about one object."""
    is_audit = word.lower() == "audit"
    return ShowAudit(kinds=kinds, object=id_) if is_audit else ExplainPolicy(id_, kinds)


@pytest.mark.parametrize("word", ["why", "WHY", "audit"])
@pytest.mark.parametrize(
    "words",
    [ID, f"`{ID}`", f"<{CONSOLE}>", f"<{CONSOLE}|the task>", f" {ID.upper()} ", f"“{ID}”"],
)
def test_why_and_audit_take_an_id_of_either_noun(word: str, words: str) -> None:
    assert parse(f"{word} {words}") == about(word, ID, OBJECT_KINDS)


@pytest.mark.parametrize("noun", OBJECT_KINDS)
@pytest.mark.parametrize("word", ["why", "audit"])
def test_why_and_audit_take_a_noun_before_the_id(word: str, noun: Any) -> None:
    assert parse(f"{word} {noun} {ID}") == about(word, ID, (noun,))
    assert parse(f"{word} {noun.upper()} {ID}") == about(word, ID, (noun,))


def test_the_audit_is_narrowed_by_the_word_of_a_command_that_it_has_under_another_name() -> None:
    assert parse("audit unsnooze") == ShowAudit(action="wake")


def test_what_no_button_could_carry_is_not_searched_for_in_the_audit() -> None:
    assert parse(f"audit {'x' * MAX_SEARCH}") == ShowAudit(object="x" * MAX_SEARCH)
    for sign in ("", "@"):
        with pytest.raises(ParseError):
            parse(f"audit {sign}{'x' * (MAX_SEARCH + 1)}")


@pytest.mark.parametrize("ref", [TASK, RUN])
@pytest.mark.parametrize("word", ["why", "audit"])
def test_in_a_thread_why_and_audit_are_about_its_object_or_the_one_that_is_named(
    word: str, ref: Ref
) -> None:
    assert parse(word, ref) == about(word, ID, (ref.kind,))
    assert parse(f"{word} {OTHER}", ref) == about(word, OTHER, OBJECT_KINDS)


@pytest.mark.parametrize("words", ["", "task", "instance", "not an id", f"{ID} and more", "<>"])
def test_why_without_one_id_is_refused_with_how_it_is_written(words: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse(f"why {words}")
    assert refused.value.usage == "why <id>"


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("", ShowAudit()),
        ("<@U0BOB>", ShowAudit(person="U0BOB")),
        ("by <@U0BOB|bob> approve", ShowAudit(person="U0BOB", action="approve")),
        ("@bob declined", ShowAudit(person="bob", outcome="declined")),
        (
            "from 2026-03-01 until 2026-03-02 18:00",
            ShowAudit(edges={"since": "2026-03-01", "until": "2026-03-02 18:00"}),
        ),
        ("since 7d delegate", ShowAudit(edges={"since": "7d"}, action="delegate")),
        ("Block “203.0.113.77”", ShowAudit(object="Block 203.0.113.77")),
        ("task 封禁 refused", ShowAudit(("task",), object="封禁", outcome="refused")),
        (f"{ID} terminate", ShowAudit(object=ID, action="terminate")),
    ],
)
def test_audit_takes_filters_in_any_order(words: str, request_: ShowAudit) -> None:
    assert parse(f"audit {words}") == request_


def test_audit_asks_for_the_date_that_a_word_announces() -> None:
    said = "Expected a date after “until”, such as 2026-03-01 or 7d."
    assert problem(refused("audit @bob until")) == said


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("delegate <@U0BOB|bob> until 18:00", CreateDelegation("U0BOB", "until 18:00")),
        ("delegate <@U0BOB> for 2h", CreateDelegation("U0BOB", "for 2h")),
        ("DELEGATE <@W0BOB|bob>, 18:00", CreateDelegation("W0BOB", "18:00")),
        ("delegate <@U0BOB|b o b> until 18:00", CreateDelegation("U0BOB", "until 18:00")),
        ("revoke <@U0BOB|bob>", RevokeDelegation("U0BOB")),
        ("reload", ReloadPolicy()),
        ("delegations", ListDelegations()),
        ("`delegations`", ListDelegations()),
    ],
)
def test_rights_are_lent_and_read_by_these_words(words: str, request_: Any) -> None:
    assert parse(words) == request_


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("delegate", "Who should get your rights?"),
        ("revoke", "Who should lose your rights?"),
        ("delegate bob until 18:00", "“bob” isn't a person. Mention them with @."),
        ("delegate @bob until 18:00", "“@bob” isn't a person."),
        ("delegate U0BOB until 18:00", "“U0BOB” isn't a person."),
        ("delegate <!subteam^S0SOC|@soc> until 18:00", "isn't a person."),
        ("delegate <!channel> until 18:00", "isn't a person."),
        ("delegate <#C0SOC|soc> until 18:00", "isn't a person."),
        ("delegate <@U0BOB|bob>", "Until when?"),
        ("revoke <@U0BOB|bob> now", "I didn't expect “now” there."),
        ("reload now", "I didn't expect “now” there."),
        ("delegations of bob", "I didn't expect “of bob” there."),
        ("break-glass", "What is the emergency override for?"),
        (f"break-glass task show {ID}", "What is the emergency override for?"),
        (f"break-glass why {ID}", "What is the emergency override for?"),
    ],
)
def test_what_makes_no_sense_about_rights_is_refused_as_a_whole(words: str, said: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse(words)
    assert said in problem(refused.value)


def test_a_decision_alone_is_asked_for_by_a_word_before_it() -> None:
    request = parse(f"break-glass task approve {ID} it spreads")
    assert (request.action, request.ref, request.reason, request.break_glass) == (
        BY_NAME["task.approve"],
        TASK,
        "it spreads",
        True,
    )
    assert parse("break-glass approve it spreads", TASK) == request
    assert not parse(f"task approve {ID} break-glass").break_glass


@pytest.mark.parametrize(
    ("verb", "say"), [("withdraw", ApprovalIntent.WITHDRAW), ("decline", ApprovalIntent.DECLINE)]
)
def test_a_yes_is_taken_back_or_refused_with_or_without_a_reason(verb: str, say: Any) -> None:
    assert parse(f"task {verb} {ID}") == ChangeApproval(say, TASK)
    assert parse(f"task {verb} {ID} on second thought") == ChangeApproval(
        say, TASK, "on second thought"
    )
    assert parse(f"{verb} on second thought", TASK) == ChangeApproval(
        say, TASK, "on second thought"
    )


@examples(200)
@given(
    st.sampled_from(["delegate", "revoke", "why", "audit", "reload", "break-glass", "task refuse"]),
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(["<@U0BOB|bob>", "<@", ">", "|", ID, "task", "until", "18:00", "<!here>"]),
        max_size=5,
    ).map(" ".join),
    st.sampled_from([None, TASK, RUN]),
)
@example("break-glass", "break-glass " * 300 + f"task approve {ID}", None)
def test_any_words_about_rights_make_a_request_or_are_refused(
    word: str, words: str, ref: Ref | None
) -> None:
    try:
        request = parse(f"{word} {words}", ref)
    except ParseError as wrong:
        check_blocks(not_understood(wrong).payload["blocks"])
        return
    assert request

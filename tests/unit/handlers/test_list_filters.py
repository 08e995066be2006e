"""The words of a list command: states, filters, pages, and what makes no query."""

import pytest

from bot.domain.objects import ListQuery, ObjectKind
from bot.messages.lists import parse_page_button
from handlers.list_filters import is_open_list, parse_list_words
from handlers.parsing import ParseError
from tests.support.samples import ENGLISH


@pytest.mark.parametrize(
    ("kind", "words", "state", "text", "offset"),
    [
        ("task", "done", "handled", "", 0),
        ("task", "mine waiting overdue", "todo", "mine overdue", 0),
        ("task", "mine done", None, "", 0),
        ("task", "port open", "", "port open", 0),
        ("task", '"open" port', "", '"open" port', 0),
        ("task", "block ip page 2", "", "block ip", 8),
        ("task", "Page 3", "", "", 16),
        ("task", '"page" 3', "", '"page" 3', 0),
        ("task", "landing page", "", "landing page", 0),
        ("task", "page 123456789", "", "", 79992),
        ("task", "“Block IP” due:2h", "", '"Block IP" due:2h', 0),
        ("instance", "", "", "", 0),
        ("instance", "open mine", "", "mine", 0),
        ("instance", "all enrichment", "all", "enrichment", 0),
        ("instance", "done page 2", "finished", "", 8),
    ],
)
def test_a_list_command_is_read(
    kind: ObjectKind, words: str, state: str | None, text: str, offset: int
) -> None:
    if state is None:
        with pytest.raises(ParseError):
            parse_list_words(kind, words)
        return
    query = ListQuery(kind=kind, filter=state, text=text, offset=offset)
    assert parse_list_words(kind, words) == query
    assert parse_page_button(f"1|{kind}|{state}|{offset}|{text}") == query
    assert is_open_list(query) is (state in ("", "todo"))


@pytest.mark.parametrize(
    ("kind", "words", "sentence"),
    [
        (
            "task",
            "due:soon",
            (
                "“due:soon” is not a filter. Filters: mine, overdue, due:2h, severity:high, done, "
                "page 2. To search for it, put it in quotes."
            ),
        ),
        (
            "instance",
            "state:new",
            "“state:new” is not a filter. Filters: mine, severity:high, failed, ",
        ),
        ("instance", "overdue", "Runs have no due date. Use this filter on tasks."),
        (
            "task",
            "done overdue",
            "“mine”, “overdue”, “due:” and “severity:” filter waiting tasks only.",
        ),
        ("instance", "running mine", "“mine” and “severity:” filter failed runs only."),
        ("task", "page 0", "Pages are counted from 1."),
        ("task", "x" * 201, "The search has 201 characters; the limit is 200."),
    ],
)
def test_what_makes_no_query_is_said(kind: ObjectKind, words: str, sentence: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_list_words(kind, words)
    assert sentence in ENGLISH.render(caught.value.problem)

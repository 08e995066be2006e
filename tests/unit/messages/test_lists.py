"""Lists of tasks and instances, a page at a time."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.objects import ListQuery
from bot.domain.snapshots import ListPage
from bot.messages import Message, listing, lists
from bot.secmaster import Instance, Task
from tests.support.examples import examples
from tests.support.rendered import blocks_of, button_ids, elements, read, text_types
from tests.support.samples import ENGLISH, NOW, WAITING
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, list_queries, runs, tasks, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

MARKUP = "*Approved* `by` <!channel> _x_ &amp; ~y~"
totals = st.sampled_from([0, 1, 8, 9, 10**9])


def list_page(count: int, total: int, offset: int, text: str = "") -> Message:
    snapshots = [Task(id=f"t-{number}", name=f"name {number}") for number in range(count)]
    query = ListQuery(kind="task", filter="todo", text=text, offset=offset)
    return listing(ENGLISH, query, ListPage(snapshots, total), "main", NOW)


def test_a_list_says_what_it_shows_and_turns_its_pages() -> None:
    middle = list_page(8, 30, 8, "host")
    assert "9-16 of 30 waiting tasks with “host”" in read(middle)
    assert button_ids(middle) == ["page.previous", "page.next"]
    queries = [lists.parse_page_button(each["value"]) for each in elements(middle)]
    assert queries == [
        ListQuery(kind="task", filter="todo", text="host", offset=offset) for offset in (0, 16)
    ]
    assert button_ids(list_page(8, 30, 0)) == ["page.next"]
    assert button_ids(list_page(6, 30, 24)) == ["page.previous"]
    assert button_ids(list_page(3, 3, 0)) == []


def test_a_list_of_what_somebody_may_read_counts_nothing_else() -> None:
    rows = [Task(id=f"t-{number}", name="n") for number in range(8)]
    query = ListQuery(kind="task")
    text = read(listing(ENGLISH, query, ListPage(rows, 11, restricted=True), "main", NOW))
    assert "1-8 of 11 waiting tasks" in text
    assert "Only what you may read is listed and counted." in text
    page = ListPage(rows, 11, restricted=True, looked_through=1000)
    message = listing(ENGLISH, query, page, "main", NOW)
    assert "1-8 waiting tasks" in read(message)
    assert "Only what you may read is listed, of the first 1,000." in read(message)
    assert button_ids(message) == ["page.next"]


def test_every_row_has_a_button_that_shows_it_unless_its_id_is_odd() -> None:
    rows = [Task(id="t-1", name="n"), Task(id="a b", name="n"), Task(name="n")]
    message = listing(ENGLISH, ListQuery(kind="task"), ListPage(rows, 3), "main", NOW)
    sections = [block for block in blocks_of(message)[1:] if block["type"] == "section"]
    values = [block.get("accessory", {}).get("value") for block in sections]
    assert values == ["1:task:main:t-1", None, None]


def test_in_a_list_a_name_is_plain_text() -> None:
    for row in (Task(id="t-1", name=MARKUP), Task(id="a b", name=MARKUP)):
        message = listing(ENGLISH, ListQuery(kind="task"), ListPage([row], 1), "main", NOW)
        assert MARKUP in read(message)
        assert text_types(message, "channel") == {"plain_text"}
        assert len(blocks_of(message)[1]["text"]["text"].splitlines()) == 1
    run = Instance(id="i-1", name=f"{MARKUP}\nx")
    message = listing(ENGLISH, ListQuery(kind="instance"), ListPage([run], 1), "main", NOW)
    assert MARKUP in read(message)
    assert text_types(message, "channel") == {"plain_text"}


def test_an_empty_list_says_so() -> None:
    assert "No waiting tasks." in read(list_page(0, 0, 0))
    query = ListQuery(kind="instance", filter="failed", text="<x>")
    empty = listing(ENGLISH, query, ListPage([], 0), "main", NOW)
    assert "No failed instances with “&lt;x&gt;”." in read(empty)


def test_a_page_beyond_the_end_leads_back() -> None:
    assert button_ids(list_page(0, 8, 8)) == ["page.previous"]


@pytest.mark.parametrize(
    "value", ["", "2|task||0|", "1|task||x|", "1|task||-1|", "1|alert||0|", "1|task|0"]
)
def test_a_paging_button_of_another_version_is_not_guessed_at(value: str) -> None:
    assert lists.parse_page_button(value) is None


def test_a_paging_button_keeps_a_text_with_bars() -> None:
    query = ListQuery(kind="instance", filter="failed", text="a|b", offset=8)
    assert lists.parse_page_button("1|instance|failed|8|a|b") == query


def test_what_is_late_in_a_list_is_not_due_as_well() -> None:
    late = WAITING.model_copy(update={"due_date": NOW - timedelta(hours=1)})
    snapshots = [late, WAITING, WAITING.model_copy(update={"due_date": None})]
    text = read(
        listing(ENGLISH, ListQuery(kind="task"), ListPage(snapshots, 3), "main", NOW).payload
    )
    assert "due ⏰" not in text
    assert "no due date" in text


@pytest.mark.parametrize(
    ("snapshots", "expected"),
    [
        ([Task(id="t-1", name="a", status="waiting")], True),
        ([Task(id="t-1", name="a", status="finished")], False),
        ([Instance(id="i-1", name="a", status="FAILED")], True),
        ([Instance(id="i-1", name="a", status="RUNNING")], False),
        ([], False),
    ],
)
def test_a_list_offers_it_where_something_can_be_chosen(
    snapshots: list[Any], *, expected: bool
) -> None:
    kind = "instance" if snapshots and isinstance(snapshots[0], Instance) else "task"
    message = listing(
        ENGLISH, ListQuery(kind=kind, text="host"), ListPage(snapshots, len(snapshots)), "main", NOW
    )
    text = json.dumps(message.payload)
    assert (f'"1|{kind}|main|host|"' in text) is expected


@FEW
@given(st.lists(tasks, max_size=8), totals, list_queries("task"))
def test_any_page_of_tasks_is_one_that_slack_takes(
    snapshots: list[Task], total: int, query: ListQuery
) -> None:
    assert_slack_takes(listing(ENGLISH, query, ListPage(snapshots, total), "main", NOW))


@FEW
@given(st.lists(runs, max_size=8), totals, list_queries("instance"))
def test_any_page_of_instances_is_one_that_slack_takes(
    snapshots: list[Instance], total: int, query: ListQuery
) -> None:
    assert_slack_takes(listing(ENGLISH, query, ListPage(snapshots, total), "main", NOW))


def test_a_page_that_secmaster_made_too_long_is_one_that_slack_takes() -> None:
    snapshots = [Task(id=f"t-{number}", name="n") for number in range(100)]
    assert_slack_takes(
        listing(ENGLISH, ListQuery(kind="task"), ListPage(snapshots, 100), "main", NOW)
    )


@examples(150)
@given(words | st.lists(st.sampled_from(["1", "task", "|", "9" * 1000, "²", "-1"])).map("|".join))
def test_any_value_of_a_paging_button_is_read_or_refused(value: str) -> None:
    query = lists.parse_page_button(value[:2000])
    assert query is None or 0 <= query.offset <= 9999

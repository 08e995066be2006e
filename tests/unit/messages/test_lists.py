"""Lists of tasks and instances, a page at a time."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.objects import ListQuery
from bot.domain.snapshots import ListPage, ListSource
from bot.messages import Message, listing, lists
from bot.messages.text import ago_token, date_token
from bot.secmaster import Instance, Task
from tests.support.examples import examples
from tests.support.rendered import blocks_of, button_ids, elements, read, text_types
from tests.support.samples import ENGLISH, FAILED, NOW, WAITING
from tests.support.slack_limits import assert_slack_takes
from tests.support.strategies import FEW, list_queries, runs, tasks, words

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

MARKUP = "*Approved* `by` <!channel> _x_ &amp; ~y~"
totals = st.sampled_from([0, 1, 8, 9, 10**9])


def list_page(count: int, total: int, offset: int, text: str = "") -> Message:
    snapshots = [Task(id=f"t-{number}", name=f"name {number}") for number in range(count)]
    query = ListQuery(kind="task", filter="todo", text=text, offset=offset)
    return listing(ENGLISH, query, ListPage(snapshots, total, offset), "main", NOW)


def test_a_list_says_what_it_shows_and_turns_its_pages() -> None:
    middle = list_page(8, 30, 8, "host")
    assert "Waiting tasks · 9–16 of 30" in middle.text
    assert "🔎 `host`" in read(middle)
    assert button_ids(middle) == ["page.previous", "page.next"]
    queries = [lists.parse_page_button(each["value"]) for each in elements(middle)]
    assert queries == [
        ListQuery(kind="task", filter="todo", text="host", offset=offset) for offset in (0, 16)
    ]
    assert button_ids(list_page(8, 30, 0)) == ["page.next"]
    assert button_ids(list_page(6, 30, 24)) == ["page.previous"]
    everything = list_page(3, 3, 0)
    assert everything.text == "Waiting tasks · 3"
    assert button_ids(everything) == []


def test_a_list_of_what_somebody_may_read_counts_nothing_else() -> None:
    rows = [Task(id=f"t-{number}", name="n") for number in range(8)]
    query = ListQuery(kind="task")
    text = read(listing(ENGLISH, query, ListPage(rows, 11, restricted=True), "main", NOW))
    assert "*Waiting tasks* · 1–8 of 11" in text
    assert "Only what you may read is listed and counted." in text
    page = ListPage(rows, 11, restricted=True, looked_through=1000)
    message = listing(ENGLISH, query, page, "main", NOW)
    assert "*Waiting tasks* · 1–8\n" in read(message)
    assert "only the first 1,000 were searched for what you may read" in read(message)
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
    assert list_page(0, 0, 0).text == "No tasks are waiting."
    query = ListQuery(kind="instance", filter="failed", text="<x>")
    empty = listing(ENGLISH, query, ListPage([], 0), "main", NOW)
    assert empty.text == "No run was found."
    assert "🔎 `&lt;x&gt;`" in read(empty)


def test_a_page_beyond_the_end_leads_back() -> None:
    beyond = list_page(0, 8, 8)
    assert beyond.text == "This page is empty now."
    assert button_ids(beyond) == ["page.previous"]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (ListSource.SYNC, "As of <!date^"),
        (ListSource.SYNC_OFF, "Read from SecMaster just now, since sync is off."),
        (ListSource.SYNC_LATE, "Read from SecMaster just now, since sync is late."),
        (ListSource.SECMASTER, "SecMaster searches names only, and its search is case-sensitive."),
    ],
)
def test_a_list_says_where_its_rows_come_from(source: ListSource, sentence: str) -> None:
    page = ListPage([WAITING], 1, source=source, as_of=NOW)
    query = ListQuery(kind="task", text="host")
    assert sentence in read(listing(ENGLISH, query, page, "main", NOW).payload)


@pytest.mark.parametrize(
    "value", ["", "2|task||0|", "1|task||x|", "1|task||-1|", "1|alert||0|", "1|task|0"]
)
def test_a_paging_button_of_another_version_is_not_guessed_at(value: str) -> None:
    assert lists.parse_page_button(value) is None


def test_a_paging_button_keeps_a_text_with_bars() -> None:
    query = ListQuery(kind="instance", filter="failed", text="a|b", offset=8)
    assert lists.parse_page_button("1|instance|failed|8|a|b") == query


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("due", "handle", "sentence"),
    [
        (HOUR, "CONTINUE", "⚠️ *Auto-approves* {when} ({ago}) if nobody decides"),
        (HOUR, "INTERRUPT", "Due {when} ({ago}), then cancelled automatically"),
        (HOUR, "", "Due {when} ({ago})"),
        (
            -HOUR,
            "CONTINUE",
            "⏰ *Overdue* since {when} ({ago}), may be auto-approved at any moment",
        ),
        (-HOUR, "INTERRUPT", "⏰ *Overdue* since {when} ({ago}), may be cancelled at any moment"),
        (-HOUR, "NEW", "⏰ *Overdue* since {when} ({ago})"),
        (None, "CONTINUE", "No due date"),
    ],
)
def test_a_row_says_when_a_task_is_due_and_what_happens_then(
    due: timedelta | None, handle: str, sentence: str
) -> None:
    at = NOW + due if due is not None else None
    task = WAITING.model_copy(update={"due_date": at, "due_handle": handle})
    [_name, small_print] = lists.object_row(ENGLISH, task, "main", NOW, lists.SHOW)
    expected = sentence.format(when=date_token(at), ago=ago_token(at) if at else "")
    facts, id_ = (element["text"] for element in small_print.to_dict()["elements"])
    assert facts == f"{expected} · Ransomware"
    assert id_ == "`t-1`"


@pytest.mark.parametrize(
    ("status", "handle", "approver", "expected"),
    [
        ("finished", "CONTINUE", "system", "⌛ Auto-approved {when}, nobody decided"),
        ("canceled", "INTERRUPT", "", "⌛ Expired {when}: cancelled automatically"),
        ("finished", "CONTINUE", "Evera", "✅ Finished · {when}"),
    ],
)
def test_a_row_tells_what_ran_out_from_what_was_decided(
    status: str, handle: str, approver: str, expected: str
) -> None:
    ended = {"status": status, "due_handle": handle, "approver": approver}
    task = WAITING.model_copy(update={**ended, "due_date": NOW, "update_time": NOW})
    [_name, small_print] = lists.object_row(ENGLISH, task, "main", NOW, lists.SHOW)
    facts = small_print.to_dict()["elements"][0]["text"]
    assert facts.startswith(expected.format(when=date_token(NOW)))


def test_the_row_of_a_run_says_since_when_and_where_it_failed() -> None:
    [name, small_print] = lists.object_row(ENGLISH, FAILED, "main", NOW, lists.SHOW)
    assert name.to_dict()["text"]["text"] == "Phishing response"
    facts = small_print.to_dict()["elements"][0]["text"]
    failed = f"🔴 Failed · {ago_token(NOW)} · Phishing · failed at Block sender · 2 retries"
    assert facts == failed


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

"""The pages of a list are the sorted set of what its reader may read, in a few statements."""

import asyncio
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.objects import ListQuery, Ref
from bot.domain.ordering import most_urgent_first
from bot.domain.slack import Actor
from bot.domain.snapshots import ListPage, ListSource
from bot.domain.tracking import ListedObject
from bot.domain.watch_status import PollStatus
from bot.messages import lists
from bot.operations.reading import LATE, Reader, open_reader
from bot.secmaster import Evidence, Task
from bot.services import Services
from bot.store.tables import tracked_objects
from handlers import queries
from handlers.context import AppContext
from tests.support.clock import FakeClock
from tests.support.examples import examples
from tests.support.people import ALICE, DAVE
from tests.support.samples import ENGLISH, NOW

INTERVAL = 60


@pytest.fixture
def rules() -> str:
    return f"""
[watch]
every = {INTERVAL}

[roles.all]
users = ["{ALICE}"]
[roles.some]
users = ["{DAVE}"]

[[rules]]
actions = ["task.read"]
roles = ["some", "all"]
when = {{ name = "b.*" }}

[[rules]]
actions = ["task.approve"]
roles = ["some"]

[[rules]]
actions = ["task.read"]
roles = ["all"]
"""


due_dates = st.none() | st.integers(-3, 3).map(lambda hours: NOW + timedelta(hours=hours))
open_tasks = st.lists(
    st.builds(
        Task,
        name=st.sampled_from(["a host", "b host", "b IP"]),
        status=st.just("waiting"),
        due_date=due_dates,
        create_time=due_dates,
        due_handle=st.sampled_from(["CONTINUE", "INTERRUPT", ""]),
    ),
    max_size=30,
).map(lambda rows: [row.model_copy(update={"id": f"t-{n}"}) for n, row in enumerate(rows)])


def track(services: Services, rows: list[Task]) -> datetime:
    """Let sync know these tasks, and no others; return as of when it does."""
    now = services.clock.now()
    refs = [Ref(kind="task", id=row.id) for row in rows]
    listed = [ListedObject(ref, row, "") for ref, row in zip(refs, rows, strict=True)]
    with services.store.engine.begin() as connection:
        connection.execute(sa.delete(tracked_objects))
    services.store.tracked.add(listed, [], now)
    polled = {"since": now, "attempted_at": now, "last_success_at": now}
    services.store.poll_statuses.save(PollStatus(workspace="main", **polled))
    return now


async def pages(app: AppContext, reader: Reader, text: str = "") -> list[ListPage]:
    """Turn all pages of a list."""
    found = [await queries.list_page(app, reader, ListQuery(kind="task", text=text))]
    while (end := found[-1].offset + len(found[-1].rows)) < found[-1].total:
        query = ListQuery(kind="task", text=text, offset=end)
        found.append(await queries.list_page(app, reader, query))
    return found


async def test_all_pages_together_are_the_sorted_set_of_what_somebody_may_read(
    services: Services,
) -> None:
    app, loop = AppContext(services), asyncio.get_running_loop()
    everything = await open_reader(services, Actor(id=ALICE), *queries.DECISIONS)
    some = await open_reader(services, Actor(id=DAVE), *queries.DECISIONS)

    @examples(100)
    @given(open_tasks)
    def check(rows: list[Task]) -> None:
        track(services, rows)
        readable = [row for row in rows if row.name.startswith("b")]
        for reader, text, expected in (
            (everything, "", rows),
            (some, "", readable),
            (some, "HOST", [row for row in readable if row.name == "b host"]),
            (some, "mine", readable),
            (everything, "mine", []),
        ):
            turned = asyncio.run_coroutine_threadsafe(pages(app, reader, text), loop).result()
            listed = [row for page in turned for row in page.rows]
            assert listed == most_urgent_first(expected)
            assert {page.total for page in turned} == {len(expected)}
            assert {page.source for page in turned} == {ListSource.SYNC}

    await asyncio.to_thread(check)


async def test_a_list_costs_as_many_statements_however_long_it_is(services: Services) -> None:
    app, counts = AppContext(services), []
    reader = await open_reader(services, Actor(id=DAVE), *queries.DECISIONS)
    for length in (1, 40):
        rows = [Task(id=f"t-{number}", name="b", status="waiting") for number in range(length)]
        track(services, rows)
        statements: list[str] = []

        def note(*details: object, statements: list[str] = statements) -> None:
            statements.append(str(details[2]))

        sa.event.listen(services.store.engine, "before_cursor_execute", note)
        await queries.list_page(app, reader, ListQuery(kind="task", text="mine b"))
        sa.event.remove(services.store.engine, "before_cursor_execute", note)
        counts.append(len(statements))
    assert counts == [4, 4]


async def test_a_search_by_severity_counts_those_of_which_nobody_knows_it(
    services: Services,
) -> None:
    app, rows = AppContext(services), []
    for name, severity in (("b one", "High"), ("b two", "Low"), ("b three", ""), ("c", "")):
        rows.append(Task(id=name.replace(" ", "-"), name=name, status="waiting"))
        if severity:
            around = Evidence(finding={"severity": severity})
            ref = Ref(kind="task", id=rows[-1].id)
            services.store.evidence.save(ref, around, services.clock.now())
    rows.append(Task(id="b-four", name="b four", status="waiting"))
    track(services, rows)
    reader = await open_reader(services, Actor(id=ALICE), *queries.DECISIONS)
    query = ListQuery(kind="task", text="severity:high b")
    page = await queries.list_page(app, reader, query)
    assert ([row.name for row in page.rows], page.unrated) == (["b one"], 2)
    text = lists.listing(ENGLISH, query, page, "main", NOW).payload
    assert "2 more tasks are not listed: how severe they are has not been read." in str(text)


async def test_a_page_beyond_the_last_one_is_the_last_one(services: Services) -> None:
    track(services, [Task(id=f"t-{n}", name="b", status="waiting") for n in range(9)])
    reader = await open_reader(services, Actor(id=DAVE))
    page = await queries.list_page(AppContext(services), reader, ListQuery(kind="task", offset=800))
    assert (page.offset, len(page.rows), page.total) == (8, 1, 9)


async def test_what_sync_knew_too_long_ago_is_read_from_secmaster(
    services: Services, clock: FakeClock
) -> None:
    app, query = AppContext(services), ListQuery(kind="task")
    reader = await open_reader(services, Actor(id=ALICE))
    before = await queries.list_page(app, reader, query)
    as_of = track(services, [Task(id="t-1", name="b", status="waiting")])
    clock.forward(seconds=2 * INTERVAL + LATE.total_seconds() - 1)
    known = await queries.list_page(app, reader, query)
    clock.forward(seconds=2)
    late = await queries.list_page(app, reader, query)
    assert (before.source, before.total) == (ListSource.SYNC_LATE, 12)
    assert (known.source, known.total, known.as_of) == (ListSource.SYNC, 1, as_of)
    assert (late.source, late.total, late.as_of) == (ListSource.SYNC_LATE, 12, None)

"""What is open comes in one order wherever people look, and is found by whatever they type."""

from datetime import timedelta
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster.wire import stamp
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, DAVE, SOC
from tests.support.watch import first_poll_finished

WATCHING = '[watch]\nevery = 0.02\noncall = ["S0ONCALL"]\n'
# By name: due in so many hours, None for never; what SecMaster does then; how old it is.
TASKS: dict[str, tuple[float | None, str, int]] = {
    "undated, new": (None, "INTERRUPT", 1),
    "later": (30, "CONTINUE", 9),
    "first, cancelled": (1, "INTERRUPT", 9),
    "overdue": (-1, "INTERRUPT", 2),
    "first, auto-approved": (1, "CONTINUE", 1),
    "undated, old": (None, "CONTINUE", 8),
    "second": (2, "CONTINUE", 3),
    "overdue longest": (-5, "CONTINUE", 6),
    "第三 Firewall": (3, "CONTINUE", 3),
    "fourth": (4, "INTERRUPT", 30),
}
ORDER = [
    "overdue longest",
    "overdue",
    "first, auto-approved",
    "first, cancelled",
    "second",
    "第三 Firewall",
    "fourth",
    "later",
    "undated, old",
    "undated, new",
]


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", POLICY + WATCHING))


@postgres_in_full
@pytest.mark.parametrize(
    "rules", [POLICY + WATCHING, POLICY], ids=["synced", "sync-off"], indirect=True
)
async def test_whatever_is_looked_at_the_most_urgent_comes_first(
    environment: BotEnvironment, rules: str
) -> None:
    is_synced = WATCHING in rules
    await add_tasks(environment, is_synced=is_synced)
    listed = await listed_names(environment, "/task list")
    assert listed == ORDER
    await environment.slack.shortcut(ALICE, "waiting")
    view = await environment.slack.until(
        lambda: next((v for v in environment.slack.views(ALICE) if ORDER[0] in str(v)), None)
    )
    assert names(view)[:8] == ORDER[:8]
    await environment.slack.close(ALICE, view["id"])
    await environment.slack.open_home(ALICE)
    home = await environment.slack.until(
        lambda: (home := environment.slack.home(ALICE)) and ORDER[0] in str(home) and home
    )
    assert names(home)[:8] == ORDER[:8]
    await environment.slack.command(ALICE, SOC, "/task several")
    form = await environment.slack.until(
        lambda: next((v for v in environment.slack.views(ALICE) if ORDER[0] in str(v)), None)
    )
    [menu] = [part["element"] for part in form["blocks"] if part.get("block_id") == "objects"]
    assert [option["text"]["text"] for option in menu["options"]] == ORDER
    if is_synced:
        await environment.answer(DAVE, "/secmaster oncall")
        assert names(environment.slack.ephemerals(DAVE)[-1]) == ORDER[:3]
        report = await environment.answer(DAVE, "/secmaster digest")
        assert "2 are overdue*, longest: overdue longest since " in report

    found = {
        "FIREWALL": ["第三 Firewall"],
        "第三 ｆｉｒｅｗａｌｌ": ["第三 Firewall"],
        "203.0.113.77 FIRST": ["first, auto-approved", "first, cancelled"],
        '"first cancelled"': [],
        "overdue mine": ORDER[:2],
        "due:2h first": ORDER[2:4],
        "page 2": ORDER[8:],
    }
    for words, expected in found.items():
        assert await shown_names(environment, f"/task list {words}") == expected
    answer = await environment.answer(ALICE, "/task list due:soon")
    assert "“due:soon” is not a filter. Filters: mine, overdue, due:2h" in answer
    mine = await environment.answer(CAROL, "/task list mine")
    assert mine == "No task was found."
    texts = str(environment.slack.ephemerals(ALICE))
    assert ("As of <!date^" in texts) is is_synced
    assert ("since sync is off" in texts) is not is_synced


async def test_runs_begin_with_what_failed_and_searched_runs_keep_their_filter(
    environment: BotEnvironment,
) -> None:
    world, now = environment.secmaster.world, environment.clock.now()
    for id_ in list(world.instances):
        world.delete_instance(id_)
    for name, status, hours in (
        ("Finished", "FINISHED", 1),
        ("Running", "RUNNING", 2),
        ("Failed before", "FAILED", 9),
        ("Failed last", "FAILED", 3),
    ):
        at = stamp(now - timedelta(hours=hours))
        ended = at if status != "RUNNING" else None
        world.add_instance(name=name, status=status, start_time=at, end_time=ended)
    open_runs = ["Failed last", "Failed before", "Running"]
    await first_poll_finished(environment)
    tracked = environment.app.services.store.tracked
    await environment.secmaster.until(lambda: tracked.count("main", "instance") == 2)
    assert await shown_names(environment, "/instance list") == open_runs
    assert await shown_names(environment, "/instance list LAST") == open_runs[:1]
    assert await shown_names(environment, "/instance list failed") == open_runs[:2]
    assert await shown_names(environment, "/instance list done") == ["Finished"]
    assert len(await shown_names(environment, "/instance list all")) == 4


async def add_tasks(environment: BotEnvironment, *, is_synced: bool) -> None:
    """Put the story's tasks into SecMaster in the place of all others, and let sync know them."""
    world, now = environment.secmaster.world, environment.clock.now()
    for id_ in list(world.tasks):
        world.delete_task(id_)
    for name, (due_in, handle, age) in TASKS.items():
        due = stamp(now + timedelta(hours=due_in)) if due_in is not None else None
        created = stamp(now - timedelta(hours=age))
        world.add_task(
            name=name,
            due_date=due,
            due_handle=handle,
            create_time=created,
            view_parameters='[{"name": "ip", "value": "203.0.113.77"}]',
        )
    if is_synced:
        await first_poll_finished(environment)
        tracked = environment.app.services.store.tracked
        await environment.secmaster.until(
            lambda: (
                {each.snapshot.name for each in tracked.open_in("main", "task", 99)} == set(TASKS)
            )
        )


async def listed_names(environment: BotEnvironment, command: str) -> list[str]:
    """Type a list's command, turn its pages, and return all names."""
    first = await shown_names(environment, command)
    page = environment.slack.ephemerals(ALICE)[-1]
    await environment.slack.press(ALICE, SOC, page["ts"], "page.next")
    last = await environment.slack.until(
        lambda: (
            (page := environment.slack.ephemerals(ALICE)[-1]) and "9–10 of" in page["text"] and page
        )
    )
    return first + names(last)


async def shown_names(environment: BotEnvironment, command: str) -> list[str]:
    await environment.answer(ALICE, command)
    return names(environment.slack.ephemerals(ALICE)[-1])


def names(message_or_view: dict[str, Any]) -> list[str]:
    """The names of the rows: sections of plain text."""
    return [
        part["text"]["text"]
        for part in message_or_view["blocks"]
        if part["type"] == "section" and part.get("text", {}).get("type") == "plain_text"
    ]

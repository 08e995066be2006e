"""Cards are drawn from what SecMaster says: against a local Slack and SecMaster, and SQLite."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from bot.domain.cards import Card, CardGroup
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import ListedObject
from bot.domain.workspaces import Workspaces
from bot.policy.config import PolicyHolder, parse
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.secmaster import NotFound, SecMaster, TaskComment, TokenAuth, Unavailable
from bot.slack.cards import Cards
from bot.slack.channels import Channels
from bot.slack.client import SlackClient
from bot.slack.gateway import SlackFailed, SlackGateway
from bot.store import Store, close, connect, migrate
from tests.support.clock import FakeClock
from tests.support.databases import postgres_in_full
from tests.support.people import BOT, ONCALL, SOC
from tests.support.rendered import button_ids, read
from tests.support.samples import ENGLISH
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

pytestmark = postgres_in_full

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
RUNS = [
    Ref(kind="instance", id=id_)
    for id_ in (seed.INSTANCE_FAILED, seed.INSTANCE_FAILED_AGAIN, seed.INSTANCE_FAILED_SCRIPT)
]
GROUP, SINCE = CardGroup(SOC, "workflow"), datetime(2000, 1, 1, tzinfo=UTC)
LIN = Person("console-lin", "Lin Yue")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = connect(database_url)
    migrate(engine)
    yield engine
    close(engine)


@pytest.fixture
def store(engine: sa.Engine) -> Store:
    return Store(engine)


@pytest.fixture
def transactions(engine: sa.Engine) -> Callable[[], int]:
    """Return a function that returns how many transactions there were since its last call."""
    begun: list[sa.Connection] = []
    sa.event.listen(engine, "begin", begun.append)

    def count() -> int:
        number = len(begun)
        begun.clear()
        return number

    return count


@dataclass(frozen=True)
class Stage:
    """Cards between a local Slack and a local SecMaster; one card is posted, of ``snapshot``."""

    cards: Cards
    store: Store
    slack: SlackRecorder
    secmaster: SecMasterSandbox
    client: SecMaster
    clock: FakeClock
    snapshot: Snapshot

    @property
    def posted(self) -> Card:
        """The task's card that was there first."""
        return self.store.cards.cards_of(TASK)[-1]

    def message(self, card: Card | None = None) -> dict[str, Any]:
        """Return the message of a card, by default the posted one's."""
        card = card or self.posted
        return self.slack.stored(card.channel, card.ts)

    def updates(self) -> list[str]:
        """Return the ts of each message that was updated, once for each time."""
        return [
            call.args["ts"] for call in self.slack.calls if call.method == "chat.update" and call.ok
        ]

    def reads(self) -> int:
        """Return how often the task was read."""
        return sum(request.endpoint == "ShowTask" for request in self.secmaster.requests)

    def comment(self, text: str) -> None:
        command = {"action": "ADD_COMMENT", "comment": text}
        self.secmaster.world.update_task(TASK.id, command, LIN)

    def answer(self, text: str) -> Snapshot:
        """Return the task as SecMaster answers right after somebody has commented on it."""
        return self.snapshot.model_copy(update={"comments": (TaskComment(id="c-9", message=text),)})

    def track(self) -> None:
        """Let the task be one that the poller knows."""
        self.store.tracked.add([ListedObject(TASK, self.snapshot, "f")], [], self.clock.now())


@pytest.fixture
async def client(secmaster: SecMasterSandbox) -> AsyncIterator[SecMaster]:
    async with SecMaster(
        endpoint=secmaster.url,
        project_id="demo-project",
        workspace_id="demo-workspace",
        auth=TokenAuth("demo-token"),
    ) as client:
        yield client


@pytest.fixture
async def cards(
    slack: SlackRecorder, client: SecMaster, store: Store, clock: FakeClock
) -> AsyncIterator[Cards]:
    async with aiohttp.ClientSession() as session:
        slack_client = SlackClient(
            token="xoxb-demo", base_url=f"{slack.url}/api/", session=session, retry_handlers=[]
        )
        policy = PolicyHolder(
            parse(f'[channels]\nallow = ["{SOC}", "{ONCALL}"]'), Path("none.toml")
        )
        channels = Channels(slack_client, policy, clock)
        cards = Cards(
            SlackGateway(
                slack_client,
                BOT,
                "https://demo.slack.com/",
                channels=channels,
                mark_key=b"key",
            ),
            store,
            Workspaces({"main": client}, {"main": "SOC workspace"}),
            policy,
            clock=clock,
            timeouts=QUICK_TIMEOUTS,
            catalogue=ENGLISH,
        )
        yield cards
        await cards.close()


@pytest.fixture
async def stage(  # noqa: PLR0917 - pytest passes fixtures by name
    cards: Cards,
    store: Store,
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    client: SecMaster,
    clock: FakeClock,
) -> Stage:
    snapshot = await cards.read_and_track(TASK)
    await cards.post_new(TASK, snapshot, SOC)
    return Stage(cards, store, slack, secmaster, client, clock, snapshot)


# What SecMaster says.


async def test_a_card_shows_what_secmaster_says_now(stage: Stage) -> None:
    stage.comment("wrong host")
    await stage.cards.redraw(TASK)
    assert "wrong host" in read(stage.message())


async def test_the_card_of_a_task_that_is_gone_says_so_and_has_no_buttons(
    stage: Stage,
) -> None:
    task = stage.secmaster.world.delete_task(TASK.id)
    await stage.cards.redraw(TASK)
    assert "no longer exists in SecMaster" in read(stage.message())
    assert button_ids(stage.message()) == []
    assert await stage.cards.redraw_outdated(TASK) == 0
    stage.secmaster.world.tasks[TASK.id] = task  # a gateway can lose it for a moment
    assert await stage.cards.redraw_outdated(TASK) == 1
    assert "task.approve" in button_ids(stage.message())


async def test_nothing_is_asked_about_an_object_that_nobody_follows(
    cards: Cards, secmaster: SecMasterSandbox
) -> None:
    await cards.redraw(TASK)
    assert secmaster.requests == []


async def test_while_secmaster_cannot_be_read_a_card_shows_what_was_read_last(
    stage: Stage,
) -> None:
    stage.comment("wrong host")
    await stage.cards.redraw(TASK)
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=503))
    with pytest.raises(Unavailable):
        await stage.cards.redraw_now(TASK)
    await stage.cards.redraw_from_stored(TASK)
    assert "SecMaster can't be read now" in read(stage.message())
    assert "wrong host" in read(stage.message())


async def test_reading_what_is_gone_is_recorded_and_raised(stage: Stage) -> None:
    stage.track()
    stage.secmaster.world.delete_task(TASK.id)
    with pytest.raises(NotFound):
        await stage.cards.read_and_track(TASK)
    [tracked] = stage.store.tracked.get([TASK])
    assert not tracked.open


# Only what is outdated.


async def test_only_outdated_cards_are_drawn_and_counted(stage: Stage) -> None:
    assert await stage.cards.redraw_outdated(TASK) == 0
    stage.comment("wrong host")
    await stage.cards.post_new(TASK, await stage.cards.read_and_track(TASK), ONCALL)
    assert await stage.cards.redraw_outdated(TASK) == 1
    assert stage.updates() == [stage.posted.ts]
    assert await stage.cards.redraw_outdated(TASK) == 0
    assert len({card.rendered_fingerprint for card in stage.store.cards.cards_of(TASK)}) == 1


async def test_a_card_that_slack_did_not_take_stays_outdated_and_the_others_do_not(
    stage: Stage,
) -> None:
    await stage.cards.post_new(TASK, stage.snapshot, ONCALL)
    stage.comment("wrong host")
    fault = Fault(on="chat.update", status=200, code="internal_error", times=1)
    await stage.slack.faults.set(fault)
    with pytest.raises(SlackFailed):
        await stage.cards.redraw_outdated(TASK)
    assert len(stage.updates()) == 1
    assert await stage.cards.redraw_outdated(TASK) == 1
    assert len(set(stage.updates())) == 2


async def test_a_message_that_somebody_deleted_is_forgotten(stage: Stage) -> None:
    await stage.cards.post_new(TASK, stage.snapshot, ONCALL)
    stage.slack.workspace.delete(stage.posted.channel, stage.message())
    await stage.cards.redraw(TASK)
    assert [card.channel for card in stage.store.cards.cards_of(TASK)] == [ONCALL]
    assert len(stage.updates()) == 1


# From what the caller has read.


async def test_a_card_is_drawn_from_an_answer_without_reading_secmaster(
    stage: Stage,
) -> None:
    stage.track()
    before = stage.reads()
    answer = stage.answer("wrong host").model_copy(update={"status": "finished"})
    await stage.cards.redraw_from(TASK, answer, stage.clock.now())
    assert stage.reads() == before
    assert "wrong host" in read(stage.message())
    assert button_ids(stage.message()) == []
    [tracked] = stage.store.tracked.get([TASK])
    assert not tracked.open
    [card] = stage.store.cards.cards_of(TASK)
    assert "wrong host" in stage.store.snapshots.as_json(card.decision_fingerprint)


async def test_an_older_answer_does_not_overwrite_a_newer_drawing(stage: Stage) -> None:
    asked_at = stage.clock.now()
    stage.comment("wrong host")
    await stage.cards.redraw(TASK)
    await stage.cards.redraw_from(TASK, stage.answer("older"), asked_at)
    assert "wrong host" in read(stage.message())
    assert "older" not in read(stage.message())


async def test_an_answer_from_before_a_crash_does_not_overwrite_a_newer_drawing(
    stage: Stage,
) -> None:
    asked_at = stage.clock.now()
    stage.comment("wrong host")
    # The drawing is broken off when Slack has it already, and its end was not recorded.
    await stage.slack.faults.set(Fault(on="chat.update", hold=True, applied=True))
    drawing = asyncio.create_task(stage.cards.redraw_now(TASK))
    await stage.slack.until(lambda: "wrong host" in read(stage.message()))
    drawing.cancel()
    await asyncio.wait([drawing])
    await stage.slack.faults.clear()
    await stage.cards.redraw_from(TASK, stage.answer("older"), asked_at)
    assert "older" not in read(stage.message())


async def test_what_a_list_has_news_of_is_read_whatever_was_answered_before(
    stage: Stage,
) -> None:
    stage.track()
    asked_at = stage.clock.now()
    stage.comment("wrong host")
    stage.store.tracked.mark_stale(TASK, stale=True)
    await stage.cards.redraw_from(TASK, stage.answer("older"), asked_at)
    assert "wrong host" in read(stage.message())
    assert stage.store.tracked.stale(5) == []


# Several who ask at once.


async def test_those_who_ask_with_and_without_an_answer_share_one_reading(
    stage: Stage,
) -> None:
    stage.comment("wrong host")
    before = stage.reads()
    older = stage.answer("older")
    await asyncio.gather(
        stage.cards.redraw_from(TASK, older, stage.clock.now()),
        stage.cards.redraw(TASK),
        stage.cards.redraw_from(TASK, older, stage.clock.now()),
    )
    assert stage.reads() == before + 1
    assert stage.updates() == [stage.posted.ts]
    assert "wrong host" in read(stage.message())


async def test_whoever_has_an_answer_is_drawn_though_the_others_cannot_read(
    stage: Stage,
) -> None:
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=503))
    results = await asyncio.gather(
        stage.cards.redraw(TASK),
        stage.cards.redraw_from(TASK, stage.answer("answered"), stage.clock.now()),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Unavailable, type(None)]
    assert "answered" in read(stage.message())


async def test_an_answer_that_cannot_be_drawn_raises_what_kept_it_from_being_read(
    stage: Stage,
) -> None:
    asked_at = stage.clock.now()
    await stage.cards.redraw(TASK)
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=503))
    with pytest.raises(Unavailable):
        await stage.cards.redraw_from(TASK, stage.snapshot, asked_at)


async def test_of_two_answers_the_newer_is_drawn(stage: Stage) -> None:
    before = stage.reads()
    older = asyncio.create_task(
        stage.cards.redraw_from(TASK, stage.answer("older"), stage.clock.now())
    )
    await asyncio.sleep(0)
    await stage.cards.redraw_from(TASK, stage.answer("newer"), stage.clock.now())
    await older
    assert "newer" in read(stage.message())
    assert stage.reads() == before


async def test_where_nobody_can_tell_which_of_two_answers_is_newer_secmaster_is_read(
    stage: Stage,
) -> None:
    stage.comment("wrong host")
    asked_at = stage.clock.now()
    await asyncio.gather(
        stage.cards.redraw_from(TASK, stage.answer("first"), asked_at),
        stage.cards.redraw_from(TASK, stage.answer("second"), asked_at),
    )
    assert "wrong host" in read(stage.message())
    assert stage.updates() == [stage.posted.ts]


# Failures of one workflow.


async def post_group(stage: Stage) -> Card:
    """Post the card of three failures; returns it as the first one's."""
    snapshots = [await stage.client.show_workflow_instance(ref.id) for ref in RUNS]
    listed = [ListedObject(ref, run, "f") for ref, run in zip(RUNS, snapshots, strict=True)]
    stage.store.tracked.add(listed, [], stage.clock.now())
    first = Card(ref=RUNS[0], channel=SOC, ts="", title=snapshots[0].name, card_group="workflow")
    metadata = {"part": "card", "operation": "", "ref": str(RUNS[0])}
    await stage.cards.post_notified(first, snapshots[0], metadata)
    later = list(zip(RUNS[1:], snapshots[1:], strict=True))
    assert await stage.cards.add_to_group(GROUP, later, SINCE)
    [card] = stage.store.cards.cards_of(RUNS[0])
    return card


async def test_a_group_shows_all_its_failures_and_is_the_card_of_each(stage: Stage) -> None:
    card = await post_group(stage)
    assert "3 of 3 runs that failed still are" in read(stage.message(card))
    assert {row.ref for row in stage.store.cards.cards_at(card.channel, card.ts)} == set(RUNS)
    assert [await stage.cards.redraw_outdated(ref) for ref in RUNS] == [0, 0, 0]


async def test_a_group_is_drawn_from_all_when_one_of_it_changes(stage: Stage) -> None:
    card = await post_group(stage)
    stage.secmaster.world.delete_instance(RUNS[1].id)
    await stage.cards.redraw(RUNS[1])
    assert "2 of 3 runs that failed still are" in read(stage.message(card))


async def test_a_group_that_slack_does_not_take_shows_none_of_those_who_came_later(
    stage: Stage,
) -> None:
    card = await post_group(stage)
    other = Ref(kind="instance", id=seed.INSTANCE_DEBUG)
    run = await stage.client.show_workflow_instance(other.id)
    await stage.slack.faults.set(Fault(on="chat.update", status=200, code="cant_update_message"))
    runs = [(other, run)]
    assert not await stage.cards.add_to_group(GROUP, runs, SINCE)
    assert {row.ref for row in stage.store.cards.cards_at(card.channel, card.ts)} == set(RUNS)


# What it costs.


async def test_a_drawing_takes_few_transactions(
    stage: Stage, transactions: Callable[[], int]
) -> None:
    transactions()
    await stage.cards.redraw(TASK)
    assert transactions() == 4  # is it followed, what was read, the state, what is shown
    await stage.cards.redraw_from(TASK, stage.snapshot, stage.clock.now())
    assert transactions() == 3
    await stage.cards.redraw_from_stored(TASK)
    assert transactions() == 3  # the state, what is shown, that it is to be read
    await stage.cards.post_new(TASK, stage.snapshot, ONCALL)
    assert transactions() == 3
    await stage.cards.redraw(TASK)
    assert transactions() == 4  # however many cards there are
    await post_group(stage)
    transactions()
    await stage.cards.redraw(RUNS[0])
    assert transactions() == 5  # a group is looked at once more after it was drawn

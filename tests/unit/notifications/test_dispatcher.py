"""The dispatcher between a real outbox and a local Slack: pace, order, trouble, crashes.

A test's name begins with the function that it is about.
"""

import asyncio
import heapq
import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from bot.domain.notifications import NotificationEnvelope, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Destination
from bot.domain.tracking import ListedObject
from bot.notifications import dispatcher
from bot.notifications.card import CardNotification
from bot.notifications.dispatcher import ChannelWorker, ChannelWorkers, Dispatcher, RetryPace
from bot.notifications.failure_details import FailureDetailsNotification
from bot.notifications.kinds import (
    BacklogNotification,
    SnoozeEndedNotification,
    SnoozeNotification,
)
from bot.notifications.reminder import ReminderNotification
from bot.runtime.clock import Clock
from bot.runtime.timeouts import Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.wire import stamp
from bot.secmaster import AnswerLost, Refused, Unavailable, Unreadable
from bot.services import Services
from bot.slack.error_codes import CODES, SlackErrorKind
from bot.slack.gateway import CannotPost, SlackFailed
from bot.watch.retention import POSTED_FOR
from tests.support.clock import LeapingClock
from tests.support.environment import policy
from tests.support.people import ALICE, BOB, CAROL, ONCALL, SOC
from tests.support.rendered import button_ids, read
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import EVERA

POLICY = f"""
[watch]
fallback = "{ONCALL}"
admins = ["{ALICE}"]

[[routes]]
channel = "{SOC}"
tasks = true
remind = ["1h"]
"""
ESCALATES = f"""
[[routes]]
name = "soc"
channel = "{SOC}"
tasks = true
escalate = {{ after = "3h", to = "oncall" }}

[[routes]]
name = "oncall"
channel = "{ONCALL}"
tasks = true
when = {{ name = "nothing else" }}
"""
TIMEOUTS = replace(QUICK_TIMEOUTS, post_interval=60, takeover=20)
SOC_CHANNEL, ONCALL_CHANNEL = Destination.parse(SOC), Destination.parse(ONCALL)
SLACK_DOWN: dict[str, Any] = {"on": "chat.postMessage", "status": 503, "code": "fatal_error"}


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def rules() -> str:
    return POLICY


@pytest.fixture
def timeouts() -> Timeouts:
    return TIMEOUTS


def worker(services: Services, destination: Destination) -> ChannelWorker:
    return ChannelWorker(services, destination, RetryPace(services.clock))


def enqueue(services: Services, *tasks: int, to: str = SOC, **fields: Any) -> None:
    """Enqueue for each number an announcement that so many tasks wait."""
    add(
        services,
        *(BacklogNotification(tasks=number, **fields) for number in tasks),
        keys=[f"{to}:{number}" for number in tasks],
        to=to,
    )


def add(
    services: Services, *notifications: NotificationEnvelope, keys: list[str], to: str = SOC
) -> None:
    now, destination = services.clock.now(), Destination.parse(to)
    entries = [
        OutboxEntry(
            dedupe_key=key, destination=destination, notification=notification, not_before=now
        )
        for key, notification in zip(keys, notifications, strict=True)
    ]
    services.store.outbox.add(entries, now)


def announced(slack: SlackRecorder, channel: str) -> list[int]:
    """Return the numbers of the announcements in a channel, in order."""
    texts = [str(message["text"]) for message in slack.messages(channel)]
    start = "👋 Now watching SecMaster. "
    return [int(text.removeprefix(start).split()[0]) for text in texts if text.startswith(start)]


def calls(slack: SlackRecorder, method: str, channel: str = SOC) -> int:
    """Return how often a method was called for a channel."""
    return sum(call.method == method and call.args["channel"] == channel for call in slack.calls)


async def tracked_task(
    services: Services,
    secmaster: SecMasterSandbox,
    name: str,
    due_in: timedelta = timedelta(days=1),
) -> Ref:
    """Let a task arrive in SecMaster that was met two hours ago; return its reference."""
    now = services.clock.now()
    record = secmaster.world.add_task(name=name, due_date=stamp(now + due_in))
    ref = Ref(kind="task", id=record["id"])
    snapshot = await services.workspaces.read(ref)
    listed = ListedObject(ref, snapshot, "f", next_check_at=now)
    services.store.tracked.add([listed], [], now - timedelta(hours=2))
    return ref


# ChannelWorkers.


async def test_start_ready_lets_no_channel_wait_for_another(
    services: Services, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", hold=True, times=1))
    workers = ChannelWorkers(services)
    enqueue(services, 1, 2)
    await workers.start_ready()
    await slack.faults.until_held("chat.postMessage")
    enqueue(services, 3, 4, to=ONCALL)
    await workers.start_ready()
    await slack.until(lambda: announced(slack, ONCALL) == [3, 4])
    assert announced(slack, SOC) == []
    await slack.faults.clear()
    await slack.until(lambda: announced(slack, SOC) == [1, 2])
    await workers.close()


async def test_start_ready_starts_no_second_worker_in_a_channel(
    services: Services, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", hold=True))
    workers = ChannelWorkers(services)
    enqueue(services, 1)
    await workers.start_ready()
    await slack.faults.until_held("chat.postMessage")
    enqueue(services, 2)
    await workers.start_ready()
    await slack.faults.clear()
    await slack.until(lambda: announced(slack, SOC) == [1, 2])
    await workers.close()
    assert calls(slack, "chat.postMessage") == 2


async def test_close_leaves_what_was_under_way_to_the_next_process_which_posts_it_once(
    services: Services, slack: SlackRecorder, clock: LeapingClock
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True, times=1))
    workers = ChannelWorkers(services)
    enqueue(services, 1, 2)
    await workers.start_ready()
    await slack.faults.until_held("chat.postMessage")
    await workers.close()  # it is posted, and nobody has recorded it
    await slack.faults.clear()
    assert services.store.outbox.count() == 2
    clock.pauses.clear()
    await worker(replace(services, process_id="second"), SOC_CHANNEL).run()
    assert announced(slack, SOC) == [1, 2]
    assert calls(slack, "chat.postMessage") == 2
    assert services.store.outbox.count() == 0
    assert 0 < clock.pauses[0] <= TIMEOUTS.takeover  # the first might have been posting still


# ChannelWorker.


async def test_run_posts_in_order_with_a_pause_after_each_message(
    services: Services, slack: SlackRecorder, clock: LeapingClock
) -> None:
    enqueue(services, 1, 2, 3)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [1, 2, 3]
    assert clock.pauses == [TIMEOUTS.post_interval] * 3
    times = [float(message["ts"]) for message in slack.messages(SOC)]
    assert all(later - earlier >= TIMEOUTS.post_interval - 1 for earlier, later in pairwise(times))


async def test_run_posts_nothing_before_its_time(services: Services, slack: SlackRecorder) -> None:
    enqueue(services, 1)
    services.store.outbox.postpone([1], services.clock.now() + timedelta(hours=1))
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == []
    assert services.store.outbox.count() == 1


async def test_run_takes_what_a_closed_channel_does_not_to_the_fallback_and_tells_the_admins(
    services: Services, slack: SlackRecorder
) -> None:
    slack.archive(SOC)
    enqueue(services, 1, 2)
    await worker(services, SOC_CHANNEL).run()
    await worker(services, ONCALL_CHANNEL).run()
    await worker(services, Destination.parse(ALICE)).run()
    messages = slack.messages(ONCALL)
    assert announced(slack, ONCALL) == [1, 2]
    assert all("Meant for <#C0SOC>" in str(message["blocks"]) for message in messages)
    [report] = slack.messages(slack.chat_with(ALICE))
    assert "Can't post in <#C0SOC> (`is_archived`)" in report["text"]
    assert services.store.outbox.count() == 0


async def test_run_asks_slack_no_second_time_about_a_closed_channel_for_an_hour(
    services: Services, slack: SlackRecorder, clock: LeapingClock
) -> None:
    slack.archive(SOC)
    enqueue(services, 1)
    await worker(services, SOC_CHANNEL).run()
    slack.unarchive(SOC)
    enqueue(services, 2)
    await worker(services, SOC_CHANNEL).run()
    assert calls(slack, "chat.postMessage") == 1
    clock.forward(minutes=61)
    enqueue(services, 3)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [3]
    assert services.store.closed_channels.all() == []


async def test_process_posts_once_for_each_dedupe_key(
    services: Services, slack: SlackRecorder
) -> None:
    enqueue(services, 1, 1)
    enqueue(services, 1)
    await worker(services, SOC_CHANNEL).run()
    enqueue(services, 1)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [1]


async def test_process_posts_once_though_slacks_answer_was_lost(
    services: Services, slack: SlackRecorder, clock: LeapingClock
) -> None:
    lost = Fault(on="chat.postMessage", hang_up=True, applied=True, times=1)
    await slack.faults.set(lost)
    enqueue(services, 1)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [1]
    assert calls(slack, "chat.postMessage") == 1
    assert calls(slack, "conversations.history") == 1
    assert clock.pauses == [dispatcher.RETRY_PAUSES[0], TIMEOUTS.post_interval]


@pytest.mark.parametrize(
    "kind",
    [CardNotification, ReminderNotification, SnoozeEndedNotification],
    ids=lambda kind: kind.__name__,
)
async def test_process_drops_what_is_no_longer_relevant_in_silence_and_records_it(
    services: Services,
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    caplog: pytest.LogCaptureFixture,
    kind: type[CardNotification | ReminderNotification | SnoozeEndedNotification],
) -> None:
    task = secmaster.world.add_task(name="Isolate")
    secmaster.world.update_task(task["id"], {"action": "CONTINUE"}, EVERA)
    caplog.set_level(logging.INFO, "bot")
    add(services, kind(ref=Ref(kind="task", id=task["id"])), keys=["decided"])
    await worker(services, SOC_CHANNEL).run()
    assert slack.messages(SOC) == []
    assert calls(slack, "chat.postMessage") == 0
    assert caplog.records == []
    assert services.store.outbox.count() == 0
    assert services.store.outbox.contains("decided")


async def test_process_sums_up_what_quiet_hours_held_back(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    now = services.clock.now()
    refs = [await tracked_task(services, secmaster, name) for name in ("Isolate a", "Isolate b")]
    cards = [CardNotification(ref=ref, held_until=now) for ref in refs]
    add(services, *cards, keys=["a", "b"])
    await worker(services, SOC_CHANNEL).run()
    [summary] = slack.messages(SOC)
    assert summary["text"] == "🌅 Quiet hours are over: 2 of 2 new items are still open."
    assert services.store.outbox.count() == 0


async def test_hand_to_members_enqueues_for_each_person_of_a_group(
    services: Services, slack: SlackRecorder
) -> None:
    enqueue(services, 1, to="S0SOC")
    await worker(services, Destination.parse("S0SOC")).run()
    destinations = services.store.outbox.ready_destinations(services.clock.now())
    assert sorted(destination.id for destination in destinations) == [ALICE, BOB]
    for destination in destinations:
        await worker(services, destination).run()
    assert [announced(slack, slack.chat_with(user)) for user in (ALICE, BOB, CAROL)] == [
        [1],
        [1],
        [],
    ]


async def test_hand_to_members_takes_what_is_for_an_empty_group_to_the_fallback(
    services: Services, slack: SlackRecorder
) -> None:
    enqueue(services, 1, to="S0GONE")
    await worker(services, Destination.parse("S0GONE")).run()
    await worker(services, ONCALL_CHANNEL).run()
    assert announced(slack, ONCALL) == [1]
    assert services.store.closed_channels.all() == [("S0GONE", dispatcher.NO_MEMBERS)]


async def test_forget_deleted_message_drops_what_belongs_into_its_thread(
    services: Services, slack: SlackRecorder
) -> None:
    enqueue(services, 1, thread_ts="1.000100")
    enqueue(services, 2)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [2]
    assert services.store.closed_channels.all() == []
    assert services.store.outbox.count() == 0


async def test_forget_deleted_message_has_a_card_posted_anew(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    ref = await tracked_task(services, secmaster, "Isolate")
    add(services, CardNotification(ref=ref), keys=["card"])
    await worker(services, SOC_CHANNEL).run()
    [card] = slack.messages(SOC)
    slack.workspace.delete(SOC, slack.stored(SOC, card["ts"]))
    add(services, ReminderNotification(ref=ref), keys=["reminder"])
    await worker(services, SOC_CHANNEL).run()
    [message] = slack.messages(SOC)
    assert message["text"].startswith("Isolate")
    assert services.store.outbox.count() == 0


async def test_wait_or_postpone_tries_a_temporary_failure_again_in_its_place(
    services: Services, slack: SlackRecorder, clock: LeapingClock
) -> None:
    await slack.faults.set(Fault(**SLACK_DOWN, times=2))
    enqueue(services, 1, 2)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [1, 2]
    assert clock.pauses == [*dispatcher.RETRY_PAUSES[:2], *[TIMEOUTS.post_interval] * 2]


async def test_wait_or_postpone_lets_the_others_pass_after_a_minute(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox, clock: LeapingClock
) -> None:
    services = replace(services, timeouts=replace(TIMEOUTS, post_interval=1))
    await secmaster.faults.set(Fault(on="ShowTask", status=503))
    task = secmaster.world.add_task(name="Isolate")
    add(services, CardNotification(ref=Ref(kind="task", id=task["id"])), keys=["card"])
    enqueue(services, 2)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [2]
    assert clock.pauses[:4] == [*dispatcher.RETRY_PAUSES[:4]]
    assert sum(request.endpoint == "ShowTask" for request in secmaster.requests) == 5
    await secmaster.faults.clear()
    clock.forward(minutes=2)
    await worker(services, SOC_CHANNEL).run()
    assert slack.messages(SOC)[-1]["text"].startswith("Isolate")


async def test_wait_or_postpone_puts_off_at_once_what_can_not_be_read(
    services: Services, slack: SlackRecorder, clock: LeapingClock
) -> None:
    add(services, NotificationEnvelope(kind="parade"), keys=["parade"])
    enqueue(services, 2)
    await worker(services, SOC_CHANNEL).run()
    assert announced(slack, SOC) == [2]
    assert clock.pauses == [TIMEOUTS.post_interval]
    assert services.store.outbox.count() == 1


async def test_run_reports_a_closed_channel_once_and_redirects_whatever_slack_calls_it(
    services: Services, slack: SlackRecorder, clock: LeapingClock
) -> None:
    codes = sorted(CODES[SlackErrorKind.PLACE_CLOSED])
    for number, code in enumerate(codes):
        await slack.faults.set(Fault(on="chat.postMessage", status=200, code=code))
        enqueue(services, number + 1)
        await worker(services, SOC_CHANNEL).run()
        clock.forward(minutes=61)
        assert services.store.closed_channels.all() == [(SOC, code)]
        await slack.faults.clear()
    await worker(services, ONCALL_CHANNEL).run()
    await worker(services, Destination.parse(ALICE)).run()
    assert announced(slack, ONCALL) == list(range(1, len(codes) + 1))
    assert len(slack.messages(slack.chat_with(ALICE))) == 1


async def test_run_takes_what_is_for_somebody_with_a_closed_account_to_the_fallback(
    services: Services, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="conversations.open", status=200, code="user_disabled"))
    enqueue(services, 1, to=BOB)
    await worker(services, Destination.parse(BOB)).run()
    await slack.faults.clear()
    await worker(services, ONCALL_CHANNEL).run()
    await worker(services, Destination.parse(ALICE)).run()
    assert announced(slack, ONCALL) == [1]
    [report] = slack.messages(slack.chat_with(ALICE))
    assert "Can't send messages to <@U0BOB> (`user_disabled`)" in report["text"]


async def test_run_posts_beside_a_thread_that_is_locked_and_goes_on_drawing_its_card(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    ref = await tracked_task(services, secmaster, "Isolate", due_in=timedelta(minutes=30))
    add(services, CardNotification(ref=ref), keys=["card"])
    await worker(services, SOC_CHANNEL).run()
    [card] = slack.messages(SOC)
    slack.lock_thread(SOC, card["ts"])
    reminders = [ReminderNotification(ref=ref)] * 2
    snooze = SnoozeNotification(ref=ref, thread_ts=card["ts"], actor_id=ALICE)
    add(services, *reminders, snooze, keys=["1h", "30m", "snooze"])
    await worker(services, SOC_CHANNEL).run()
    secmaster.world.update_task(ref.id, {"action": "CONTINUE"}, EVERA)
    await services.cards.redraw(ref)
    [card, *beside] = slack.messages(SOC)
    assert button_ids(card) == []
    assert ["nobody has decided" in read(message) for message in beside] == [True, True, False]
    link = services.slack.permalink(SOC, card["ts"])
    note = f"↪️ About <{link}|Isolate>, whose thread takes no replies."
    assert all(note in read(message) for message in beside)
    assert services.store.closed_channels.all() == []
    assert services.store.outbox.count() == 0


async def test_run_forgets_no_card_but_one_that_is_gone_whatever_slack_calls_it(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    ref = await tracked_task(services, secmaster, "Isolate")
    add(services, CardNotification(ref=ref), keys=["card"])
    await worker(services, SOC_CHANNEL).run()
    kinds = (SlackErrorKind.THREAD_CLOSED, SlackErrorKind.MESSAGE_GONE)
    codes = [code for kind in kinds for code in sorted(CODES[kind])]
    for code in codes:
        await slack.faults.set(Fault(on="chat.postMessage", status=200, code=code, times=1))
        add(services, ReminderNotification(ref=ref), keys=[code])
        await worker(services, SOC_CHANNEL).run()
        cards = [m["ts"] for m in slack.messages(SOC) if m["text"].startswith("Isolate")]
        is_gone = code in CODES[SlackErrorKind.MESSAGE_GONE]
        assert len(cards) == (2 if is_gone else 1), code
        for ts in cards[:-1]:
            slack.workspace.delete(SOC, slack.stored(SOC, ts))
    assert services.store.outbox.count() == 0


async def test_forget_deleted_message_leaves_those_cards_that_stand(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    ref = await tracked_task(services, secmaster, "Isolate")
    add(services, CardNotification(ref=ref), keys=["card"])
    await worker(services, SOC_CHANNEL).run()
    snapshot = await services.workspaces.read(ref)
    await services.cards.post_new(ref, snapshot, SOC)
    [older, newer] = slack.messages(SOC)
    slack.workspace.delete(SOC, slack.stored(SOC, newer["ts"]))
    add(services, ReminderNotification(ref=ref), keys=["reminder"])
    add(services, SnoozeNotification(ref=ref, thread_ts="1.000100", actor_id=ALICE), keys=["s"])
    await worker(services, SOC_CHANNEL).run()
    assert [card.ts for card in services.store.cards.cards_of(ref)] == [older["ts"]]
    assert len(slack.thread(SOC, older["ts"])) == 2
    assert services.store.outbox.count() == 0


@pytest.mark.parametrize("code", ["message_not_found", "missing_scope", "invalid_arguments"])
async def test_wait_or_postpone_puts_off_ever_longer_what_slack_will_not_take(
    services: Services,
    slack: SlackRecorder,
    clock: LeapingClock,
    caplog: pytest.LogCaptureFixture,
    code: str,
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", status=200, code=code))
    enqueue(services, 1)
    attempts = []
    for minute in range(120):
        before = calls(slack, "chat.postMessage")
        await worker(services, SOC_CHANNEL).run()
        attempts += [minute] * (calls(slack, "chat.postMessage") - before)
        clock.forward(minutes=1)
    gaps = [later - earlier for earlier, later in pairwise(attempts)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 2
    assert 10 <= gaps[-1] <= 11
    assert not [record for record in caplog.records if record.exc_info]


async def test_run_posts_and_reads_nothing_while_the_token_is_refused(
    services: Services,
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: LeapingClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = [f"Isolate {number:02}" for number in range(10)]
    refs = [await tracked_task(services, secmaster, name) for name in names]
    add(services, *(CardNotification(ref=ref) for ref in refs), keys=names)
    await services.slack.channels.refusal(SOC)  # asked once a minute
    slack.revoke_token()
    reads = len(secmaster.requests)
    for _ in range(12):  # a minute of a dispatcher that is woken every five seconds
        await worker(services, SOC_CHANNEL).run()
        await ChannelWorkers(services).start_ready()
        clock.forward(seconds=5)
    assert calls(slack, "chat.postMessage") == 1
    assert len(secmaster.requests) == reads + 1
    assert not [record for record in caplog.records if record.exc_info]
    slack.restore_token()
    await services.slack.client.auth_test()
    await worker(services, SOC_CHANNEL).run()
    texts = [message["text"].partition(":")[0] for message in slack.messages(SOC)]
    assert texts == names
    assert services.store.outbox.count() == 0


async def test_wait_or_postpone_lets_no_channel_wait_in_line_for_what_is_not_slacks_trouble(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox, clock: LeapingClock
) -> None:
    services = replace(services, timeouts=replace(TIMEOUTS, post_interval=1))
    pace = RetryPace(VirtualClock())  # whoever waits there waits for ever
    ill = [asyncio.create_task(pace.wait_in_line()) for _ in range(2)]
    await slack.faults.set(
        Fault(on="chat.postMessage", status=200, code="invalid_arguments", times=1)
    )
    for status in (403, 503):
        await secmaster.faults.set(Fault(on="ShowTask", status=status, times=1))
    tasks = [secmaster.world.add_task(name=name) for name in ("Isolate a", "Isolate b")]
    cards = [CardNotification(ref=Ref(kind="task", id=task["id"])) for task in tasks]
    parade = NotificationEnvelope(kind="parade")
    enqueue(services, 1)
    add(services, parade, *cards, keys=["parade", "refused", "in trouble"])
    entries = services.store.outbox.ready_entries(SOC_CHANNEL, services.clock.now(), 4)
    services.store.outbox.mark_sending(entries[3:], services.process_id, services.clock.now())
    clock.forward(minutes=2)  # it has kept its place for long enough
    enqueue(services, 2)
    async with asyncio.timeout(5):
        await ChannelWorker(services, SOC_CHANNEL, pace).run()
    assert announced(slack, SOC) == [2]
    assert services.store.outbox.count() == 4
    await asyncio.gather(*ill)  # something was posted


# RetryPace.


class VirtualClock(Clock):
    """A clock that goes on to the next end of a wait once everybody waits."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self.seconds = 0.0
        self._waits: list[tuple[float, int, asyncio.Event]] = []
        self._numbers = count()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        ended = asyncio.Event()
        heapq.heappush(self._waits, (self.seconds + seconds, next(self._numbers), ended))
        await ended.wait()

    async def run(self, seconds: float) -> None:
        """Let so many seconds pass."""
        while True:
            for _ in range(100):
                await asyncio.sleep(0)  # whoever goes on comes to their next wait
            if not self._waits or self._waits[0][0] > seconds:
                return
            self.seconds, _, ended = heapq.heappop(self._waits)
            ended.set()


async def test_retry_pace_grows_for_each_destination_and_is_bounded_for_all_together() -> None:
    clock = VirtualClock()
    pace = RetryPace(clock)
    attempts: list[tuple[int, float]] = []

    async def fail(number: int) -> None:
        while True:
            attempts.append((number, clock.seconds))
            await pace.wait(Destination.parse(f"C{number}"))

    failing = [asyncio.create_task(fail(number)) for number in range(40)]
    await clock.run(1200)
    for task in failing:
        task.cancel()
    by_minute = Counter(int(at // 60) for _, at in attempts[40:])
    assert max(by_minute.values()) <= 60 / dispatcher.BETWEEN_RETRIES + 1
    first = [at for number, at in attempts if number == 0]
    gaps = [later - earlier for earlier, later in pairwise(first)]
    assert all(gap >= pause for gap, pause in zip(gaps, dispatcher.RETRY_PAUSES, strict=False))
    assert min(gaps[len(dispatcher.RETRY_PAUSES) :]) >= dispatcher.RETRY_PAUSES[-1]


async def test_retry_pace_lets_all_in_line_try_once_something_is_posted() -> None:
    clock = VirtualClock()
    pace = RetryPace(clock)

    async def post(number: int) -> None:
        await pace.wait(Destination.parse(f"C{number}"))
        pace.posted(Destination.parse(f"C{number}"))

    posting = [asyncio.create_task(post(number)) for number in range(10)]
    await clock.run(dispatcher.RETRY_PAUSES[0] + dispatcher.BETWEEN_RETRIES)
    assert all(task.done() for task in posting)


async def test_run_lets_those_in_line_try_for_nothing_but_a_message_that_is_posted(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    clock = VirtualClock()
    pace = RetryPace(clock)
    [first, second] = [asyncio.create_task(pace.wait_in_line()) for _ in range(2)]
    task = secmaster.world.add_task(name="Isolate")
    secmaster.world.update_task(task["id"], {"action": "CONTINUE"}, EVERA)
    over = CardNotification(ref=Ref(kind="task", id=task["id"]))
    gone = FailureDetailsNotification(ref=Ref(kind="instance", id="gone"), thread_ts="1.000100")
    add(services, over, gone, keys=["over", "gone"])
    enqueue(services, 1, to="S0SOC")
    for destination in (SOC_CHANNEL, Destination.parse("S0SOC")):
        await ChannelWorker(services, destination, pace).run()
    await clock.run(0)
    assert (first.done(), second.done()) == (True, False)
    assert len(services.store.outbox.ready_destinations(services.clock.now())) == 2  # its members
    enqueue(services, 2)
    await ChannelWorker(services, SOC_CHANNEL, pace).run()
    assert announced(slack, SOC) == [2]
    await second


async def test_retry_pace_begins_anew_for_a_group_once_its_members_are_known(
    services: Services, clock: LeapingClock
) -> None:
    pace, group = RetryPace(clock), Destination.parse("S0SOC")
    for _ in range(3):
        await pace.wait(group)
    enqueue(services, 1, to=group.id)
    await ChannelWorker(services, group, pace).run()
    clock.pauses.clear()
    await pace.wait(group)
    assert clock.pauses[0] == dispatcher.RETRY_PAUSES[0]


async def test_retry_pace_begins_anew_once_something_is_posted() -> None:
    clock = LeapingClock()
    pace = RetryPace(clock)
    for _ in range(3):
        await pace.wait(SOC_CHANNEL)
    pace.posted(SOC_CHANNEL)
    await pace.wait(SOC_CHANNEL)
    assert clock.pauses == [*dispatcher.RETRY_PAUSES[:3], dispatcher.RETRY_PAUSES[0]]


@pytest.mark.parametrize(
    ("error", "is_temporary"),
    [
        (SlackFailed(""), True),
        (SlackFailed("ratelimited"), True),
        (SlackFailed("invalid_blocks"), False),
        (CannotPost("is_archived"), False),
        (Unavailable("503"), True),
        (AnswerLost("lost"), True),
        (Refused("no"), False),
        (Unreadable("odd"), False),
        (TimeoutError(), True),
        (KeyError("own fault"), False),
    ],
    ids=repr,
)
def test_is_temporary_tells_what_may_pass_from_what_stays(
    error: Exception, *, is_temporary: bool
) -> None:
    assert dispatcher.is_temporary(error) is is_temporary


# Dispatcher.


async def test_enqueue_due_writes_what_time_makes_due_into_the_outbox_once(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    ref = await tracked_task(services, secmaster, "Isolate", due_in=timedelta(minutes=30))
    for _ in range(2):
        await Dispatcher(services).enqueue_due()
    entry = services.store.outbox.next_entry(SOC_CHANNEL, services.clock.now())
    assert entry is not None
    assert (entry.notification.kind, entry.notification.ref) == ("reminder", ref)
    assert services.store.outbox.count() == 1


async def test_enqueue_due_owes_what_fell_due_in_days_of_silence_and_says_once_that_it_is_late(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox, clock: LeapingClock
) -> None:
    services.policy.current = policy(ESCALATES)
    ref = await tracked_task(services, secmaster, "Isolate", timedelta(days=90))
    loop, tracked = Dispatcher(services), services.store.tracked
    clock.forward(days=3)
    await loop.enqueue_due()
    await worker(services, ONCALL_CHANNEL).run()
    for _ in range(2):  # it is drawn anew as it was posted
        [card] = slack.messages(ONCALL)
        assert "Escalated from <#C0SOC>: no decision after 3 hr." in read(card)
        assert "Delayed: this should have come" in read(card)
        await services.cards.redraw(ref)
    for silence in (timedelta(hours=1), timedelta(days=31)):
        clock.forward(seconds=silence.total_seconds())
        services.store.outbox.purge(clock.now() - POSTED_FOR, 5)
        tracked.reschedule_all(clock.now())
        await loop.enqueue_due()
        assert services.store.outbox.count() == 0


async def test_dispatch_plans_what_is_due_and_posts_it(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    await tracked_task(services, secmaster, "Isolate", due_in=timedelta(minutes=30))
    loop = Dispatcher(services)
    await loop.dispatch()
    [card] = await slack.until(lambda: slack.messages(SOC))
    assert card["text"].startswith("Isolate")
    await loop.workers.close()


async def test_run_breaks_off_the_workers_when_the_lead_is_lost(
    services: Services, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", hold=True))
    enqueue(services, 1)
    is_leading = True

    async def is_leader() -> bool:
        return is_leading

    loop = Dispatcher(services)
    running = asyncio.create_task(loop.run(3600, is_leader))
    await slack.faults.until_held("chat.postMessage")
    is_leading = False
    loop.wake()
    await running
    await slack.faults.clear()
    await services.slack.client.auth_test()  # what was held is answered before this is
    assert announced(slack, SOC) == []
    assert services.store.outbox.count() == 1

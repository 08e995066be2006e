"""Each trouble is one message and one at its end: flapping, over restarts, by several replicas."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.cli.demo_story import POLICY
from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Destination
from bot.domain.tracking import ListedObject
from bot.domain.troubles import Expiring, Trouble, TroubleKind
from bot.domain.watch_status import FailedAnswer, PollStatus
from bot.notifications import kinds
from bot.sandbox.secmaster import SecMasterSandbox
from bot.secmaster import Task
from bot.services import Services
from bot.store.write_probe import WriteProbe
from bot.watch.poller import Poller
from bot.watch.trouble_reporter import TroubleReporter, due_tasks_for
from bot.watch.troubles import current_troubles
from tests.support.clock import LeapingClock
from tests.support.databases import Databases
from tests.support.environment import settings_for
from tests.support.people import ALICE, GUEST, ONCALL
from tests.support.services import open_services
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

RULES = f'{POLICY}\n[watch]\nevery = 15\nadmins = ["{ALICE}"]\nfallback = "{ONCALL}"\n'
ANSWER = FailedAnswer(reason=OutcomeReason.UNREACHABLE, message="no route")
FALLBACK = Destination.parse(ONCALL)


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
async def services(  # noqa: PLR0917 - pytest passes fixtures by name
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: LeapingClock,
    databases: Databases,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Services]:
    kind = getattr(request, "param", "sqlite")
    settings = settings_for(slack.url, secmaster.url, databases.with_tables(kind, tmp_path))
    async with open_services(settings, RULES, clock=clock, timeouts=QUICK_TIMEOUTS) as services:
        yield replace(services, started_at=clock.now())


both = pytest.mark.parametrize("services", ["sqlite", "postgres"], indirect=True)


def reporter(services: Services, *, leads: bool = True) -> TroubleReporter:
    poller = Poller(services)
    poller.leads = leads
    return TroubleReporter(services, poller)


def polled(services: Services, *, fails: bool = False) -> None:
    """Record how a poll went that has just ended."""
    now = services.clock.now()
    before = services.store.poll_statuses.get("main")
    failing_since = (before and before.failing_since) or now
    services.store.poll_statuses.save(
        PollStatus(
            workspace="main",
            since=now,
            attempted_at=now,
            last_success_at=(before.last_success_at if before else None) if fails else now,
            failing_since=failing_since if fails else None,
            answer=ANSWER if fails else None,
        )
    )


async def pass_time(
    services: Services, *reporters: TroubleReporter, minutes: float, fails: bool | None
) -> None:
    """Let time pass with a poll every half a minute, or with none, and a look at each."""
    for _ in range(round(minutes * 2)):
        await services.clock.sleep(30)
        if fails is not None:
            polled(services, fails=fails)
        for each in reporters:
            await each.report()


def told(services: Services, destination: Destination = FALLBACK) -> list[str]:
    """Return what is to be told, in order: "+" for a trouble, "-" for the end of one."""
    entries = services.store.outbox.ready_entries(destination, services.clock.now(), 100)
    signs = {"trouble": "+", "trouble_over": "-"}
    return [signs[entry.notification.kind] for entry in entries]


@both
async def test_of_two_replicas_and_over_a_restart_one_message_is_told(services: Services) -> None:
    first, second = reporter(services), reporter(services)
    await pass_time(services, first, second, minutes=5, fails=True)
    await pass_time(services, reporter(services), minutes=5, fails=True)
    assert told(services) == ["+"]
    assert told(services, Destination.parse(ALICE)) == ["+"]
    await pass_time(services, first, second, minutes=7, fails=False)
    assert told(services) == ["+", "-"]


async def test_one_that_lasts_for_less_than_three_minutes_is_told_to_nobody(
    services: Services,
) -> None:
    looking = reporter(services)
    for _ in range(10):
        await pass_time(services, looking, minutes=2.5, fails=True)
        await pass_time(services, looking, minutes=1, fails=False)
    assert told(services) == []


async def test_one_that_comes_and_goes_rings_three_times_in_an_hour_and_ends_after_a_good_one(
    services: Services,
) -> None:
    looking = reporter(services)
    for _ in range(6):
        await pass_time(services, looking, minutes=4, fails=True)
        await pass_time(services, looking, minutes=6, fails=False)
    assert told(services) == ["+", "-", "+"]
    entries = services.store.outbox.ready_entries(FALLBACK, services.clock.now(), 100)
    assert [kinds.read(entry.notification).model_dump().get("recurs") for entry in entries] == [
        False,
        None,
        True,
    ]
    await pass_time(services, looking, minutes=50, fails=False)
    assert told(services) == ["+", "-", "+"]
    await pass_time(services, looking, minutes=8, fails=False)
    assert told(services) == ["+", "-", "+", "-"]


async def test_one_that_fails_again_before_five_good_minutes_are_over_is_not_over(
    services: Services,
) -> None:
    looking = reporter(services)
    for _ in range(4):
        await pass_time(services, looking, minutes=4, fails=True)
        await pass_time(services, looking, minutes=4, fails=False)
    assert told(services) == ["+"]


async def test_a_replica_that_does_not_lead_tells_nothing_but_that_nobody_polls(
    services: Services, slack: SlackRecorder
) -> None:
    polled(services)
    first, second = (reporter(services, leads=False) for _ in range(2))
    await pass_time(services, first, second, minutes=6, fails=None)
    [message] = slack.messages(ONCALL)
    assert "SecMaster is not being polled" in message["text"]
    assert [each.kind for each in await current_troubles(services)] == [TroubleKind.WATCH_BEHIND]
    await pass_time(services, first, second, minutes=5, fails=True)
    assert told(services) == []


async def test_a_clock_that_leaps_is_no_trouble(services: Services, slack: SlackRecorder) -> None:
    looking = reporter(services)
    for hours in (1, 8):
        polled(services)
        await services.clock.sleep(hours * 3600)
        await looking.report()
        polled(services)
        await looking.report()
    assert slack.messages(ONCALL) == []
    assert told(services) == []


async def test_what_ends_within_a_week_is_told_once_and_that_it_is_renewed(
    services: Services,
) -> None:
    ends = {Expiring.SECMASTER_CERTIFICATE: services.clock.now() + timedelta(days=8)}
    services = replace(services, expiries=lambda: ends)
    looking = reporter(services)
    await pass_time(services, looking, minutes=5, fails=False)
    assert told(services) == []
    await services.clock.sleep(26 * 3600)
    await pass_time(services, looking, minutes=5, fails=False)
    [trouble] = await current_troubles(services)
    assert (trouble.kind, trouble.where) == (TroubleKind.EXPIRY, "secmaster_certificate")
    ends[Expiring.SECMASTER_CERTIFICATE] += timedelta(days=90)
    await pass_time(services, looking, minutes=1, fails=False)
    assert told(services) == ["+", "-"]


async def test_a_token_that_a_restart_replaced_is_told_to_be_taken_and_not_before_it_is(
    services: Services, slack: SlackRecorder
) -> None:
    since = services.clock.now()
    trouble = Trouble(kind=TroubleKind.SLACK_TOKEN, since=since, code="token_revoked")
    services.store.troubles.begin(trouble, recurs=False)
    slack.revoke_token()
    await pass_time(services, reporter(services), minutes=2, fails=False)
    assert told(services) == []
    slack.restore_token()
    await pass_time(services, reporter(services), minutes=2, fails=False)
    assert told(services) == ["-"]


async def test_whoever_may_not_read_tasks_is_told_how_many_are_auto_approved_and_none_by_name(
    services: Services,
) -> None:
    now = services.clock.now()
    due_dates = {"soon": now + timedelta(hours=1), "tomorrow": now + timedelta(hours=20)}
    for name, due in due_dates.items():
        ref = Ref(kind="task", id=name)
        task = Task(id=name, name=name, status="waiting", due_date=due, due_handle="CONTINUE")
        services.store.tracked.add([ListedObject(ref, task, "f")], [], now)
    for destination in (FALLBACK, Destination.parse(ALICE)):
        tasks = await due_tasks_for(services, destination)
        assert ([task.name for task in tasks.named], tasks.others) == (["soon"], 0)
    tasks = await due_tasks_for(services, Destination.parse(GUEST))
    assert (tasks.named, tasks.others) == ((), 1)


async def test_a_task_is_linked_to_a_card_that_others_can_open(services: Services) -> None:
    ref, now = Ref(kind="task", id="soon"), services.clock.now()
    due = now + timedelta(hours=1)
    task = Task(id="soon", name="soon", status="waiting", due_date=due, due_handle="CONTINUE")
    services.store.tracked.add([ListedObject(ref, task, "f")], [], now)
    for channel, link in (("D0BOB", ""), ("C0SOC", services.slack.permalink("C0SOC", "1.0"))):
        services.store.cards.add_card(Card(ref=ref, channel=channel, ts="1.0"), now)
        tasks = await due_tasks_for(services, FALLBACK)
        assert [task.link for task in tasks.named] == [link]


async def test_where_nothing_is_polled_secmaster_is_no_trouble_of_polls(services: Services) -> None:
    services = replace(services, poll_interval=0)  # whatever a reloaded policy says since
    await pass_time(services, reporter(services), minutes=6, fails=True)
    assert told(services) == []
    assert await current_troubles(services) == []


async def test_what_expires_is_not_renewed_because_nobody_knows_of_it_yet(
    services: Services,
) -> None:
    end = services.clock.now() + timedelta(hours=5)
    leader = replace(services, expiries=lambda: {Expiring.SECMASTER_CERTIFICATE: end})
    await pass_time(leader, reporter(leader), minutes=5, fails=False)
    await services.clock.sleep(6 * 3600)
    restarted = replace(services, expiries=dict, started_at=services.clock.now())
    await pass_time(restarted, reporter(restarted), minutes=5, fails=True)
    expiries = [
        entry.notification.kind
        for entry in services.store.outbox.ready_entries(FALLBACK, services.clock.now(), 100)
        if kinds.read(entry.notification).model_dump()["trouble"]["kind"] == TroubleKind.EXPIRY
    ]
    assert expiries == ["trouble"]


async def test_what_expires_does_not_come_and_go(services: Services) -> None:
    ends = {Expiring.IAM_PASSWORD: services.clock.now() + timedelta(days=5)}
    services = replace(services, expiries=lambda: ends)
    looking = reporter(services)
    for days in (90, -89):
        await pass_time(services, looking, minutes=5, fails=False)
        ends[Expiring.IAM_PASSWORD] += timedelta(days=days)
    await pass_time(services, looking, minutes=5, fails=False)
    assert told(services) == ["+", "-", "+"]
    entries = services.store.outbox.ready_entries(FALLBACK, services.clock.now(), 100)
    assert not kinds.read(entries[-1].notification).model_dump()["recurs"]


async def test_a_failed_poll_does_not_hide_that_nobody_polls_any_more(
    services: Services, slack: SlackRecorder
) -> None:
    polled(services)
    first, second = reporter(services), reporter(services, leads=False)
    await pass_time(services, first, second, minutes=4, fails=True)
    assert told(services) == ["+"]
    gone, other = (reporter(services, leads=False) for _ in range(2))
    await pass_time(services, gone, other, minutes=15, fails=None)
    [message] = slack.messages(ONCALL)
    assert "SecMaster is not being polled" in message["text"]
    [trouble] = await current_troubles(services)
    assert trouble.kind is TroubleKind.WATCH_BEHIND
    # Nobody has read from SecMaster since: it is not over for the next that leads.
    await pass_time(services, reporter(services), minutes=15, fails=None)
    assert told(services) == ["+"]


async def test_a_reloaded_policy_that_polls_is_no_trouble_before_a_restart(
    services: Services, slack: SlackRecorder
) -> None:
    polled(services)
    services = replace(services, poll_interval=0)
    assert services.policy.current.watch.every
    await pass_time(services, reporter(services), minutes=10, fails=None)
    assert slack.messages(ONCALL) == []
    assert await current_troubles(services) == []


def fail_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_probe: WriteProbe, _now: float) -> None:
        raise sa.exc.OperationalError("", {}, Exception("gone"))

    monkeypatch.setattr(WriteProbe, "check", fail)


async def test_who_could_not_be_told_of_the_database_is_told_later_and_once_that_it_is_over(
    services: Services, slack: SlackRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = reporter(services)
    await pass_time(services, looking, minutes=1, fails=False)
    slack.revoke_token()
    with monkeypatch.context() as patch:
        fail_writes(patch)
        await pass_time(services, looking, minutes=10, fails=None)
        assert slack.messages(ONCALL) == []
        slack.restore_token()
        services.slack.client.token_health.accept()
        await pass_time(services, looking, minutes=5, fails=None)
    [message] = slack.messages(ONCALL)
    assert "database takes no writes" in message["text"]
    await pass_time(services, looking, minutes=6, fails=False)
    assert told(services) == ["-"]


async def test_who_was_not_told_of_the_database_is_not_told_that_it_is_over(
    services: Services, slack: SlackRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = reporter(services)
    await pass_time(services, looking, minutes=1, fails=False)
    slack.revoke_token()
    with monkeypatch.context() as patch:
        fail_writes(patch)
        await pass_time(services, looking, minutes=10, fails=None)
    slack.restore_token()
    services.slack.client.token_health.accept()
    await pass_time(services, looking, minutes=6, fails=False)
    assert slack.messages(ONCALL) == []
    assert told(services) == []


async def test_who_could_not_be_told_that_nobody_polls_is_told_once_slack_takes_it(
    services: Services, slack: SlackRecorder
) -> None:
    polled(services)
    first, second = (reporter(services, leads=False) for _ in range(2))
    slack.revoke_token()
    await pass_time(services, first, second, minutes=6, fails=None)
    slack.restore_token()
    services.slack.client.token_health.accept()
    await pass_time(services, first, second, minutes=2, fails=None)
    [message] = slack.messages(ONCALL)
    assert "SecMaster is not being polled" in message["text"]


def set_admins(services: Services, *admins: str, fallback: str = "") -> None:
    changes = {"admins": admins, "fallback": fallback}
    watch = services.policy.current.watch.model_copy(update=changes)
    services.policy.current = services.policy.current.model_copy(update={"watch": watch})


async def test_who_is_put_in_while_a_trouble_lasts_is_told_of_it_and_of_its_end(
    services: Services,
) -> None:
    set_admins(services)
    looking = reporter(services)
    await pass_time(services, looking, minutes=5, fails=True)
    set_admins(services, fallback=ONCALL)
    await pass_time(services, looking, minutes=5, fails=True)
    assert told(services) == ["+"]
    await pass_time(services, looking, minutes=1, fails=False)
    set_admins(services, ALICE, fallback=ONCALL)
    await pass_time(services, looking, minutes=6, fails=False)
    assert told(services) == ["+", "-"]
    assert told(services, Destination.parse(ALICE)) == []


async def test_the_log_of_a_trouble_has_the_same_fields_at_its_end(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    looking = reporter(services)
    await pass_time(services, looking, minutes=5, fails=True)
    await pass_time(services, looking, minutes=6, fails=False)
    begin, end = (
        {key: vars(record)[key] for key in ("kind", "where", "since", "until", "sentence", "to_do")}
        for record in caplog.records
        if record.getMessage() in {"trouble", "trouble is over"}
    )
    assert (begin["kind"], begin["where"], begin["until"]) == ("secmaster", "main", None)
    assert "`" not in begin["to_do"]
    assert begin["to_do"].startswith("Check the network")
    assert end["since"] == begin["since"] < end["until"]
    assert end["to_do"] is None

"""Which policy counts at a start, and how one replica follows what another has put in force."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.cli.demo_story import POLICY
from bot.operations.policy_reload import (
    PolicyFollower,
    UnusablePolicy,
    choose_policy,
    operator_record,
    reload_policy,
)
from bot.policy.config import Config, PolicyHolder, parse
from bot.services import Services
from bot.store import PolicySource, RecordedPolicy, Store, close, connect
from tests.support.databases import Databases
from tests.support.timeouts import PATIENCE

FIRST = POLICY
SECOND = POLICY + "[delegation]\nlongest = '2h'\n"
THIRD = POLICY + "[delegation]\nlongest = '3h'\n"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Store]:
    engine = connect(databases.with_tables(request.param, tmp_path))
    yield Store(engine)
    close(engine)


def started(store: Store, text: str | None, replica: str = "one") -> PolicyHolder:
    """Start a replica with a policy file that says this, or without one."""
    config = Config() if text is None else parse(text)
    holder = PolicyHolder(config, Path("none.toml"))
    choose_policy(store.policies, holder, replica, NOW)
    return holder


def fingerprint(text: str) -> str:
    return parse(text).fingerprint


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_a_file_that_is_new_counts_for_all_and_is_on_record(store: Store) -> None:
    for text in (FIRST, SECOND):
        assert started(store, text).current.text == text
        newest = store.policies.newest()
        assert newest is not None
        assert newest.source == PolicySource(text, fingerprint(text), NOW, "operator", "one")
    [entry] = store.audit.entries("policy")
    assert (entry["action"], entry["actor"]["id"]) == ("reload", "operator")
    assert (entry["before"], entry["terms"]["policy"]) == (fingerprint(FIRST), fingerprint(SECOND))


def test_a_start_with_the_policy_in_force_changes_nothing(store: Store) -> None:
    for text in (FIRST, FIRST, f"# the same\n{FIRST}"):
        assert started(store, text).number == 1
    assert store.policies.newest_number() == 1
    assert list(store.audit.entries("policy")) == []


@pytest.mark.parametrize(
    ("file", "problem"),
    [(FIRST, "was replaced"), (None, "is not there")],
    ids=["old", "none"],
)
def test_a_file_that_was_replaced_does_not_come_back_by_a_start(
    store: Store, file: str | None, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (FIRST, SECOND):
        started(store, text)
    holder = started(store, file, "two")
    assert (holder.current.text, holder.number) == (SECOND, 2)
    [record] = [
        each for each in caplog.records if f"the policy file {problem}" in each.getMessage()
    ]
    facts = {"in_force": fingerprint(SECOND), "by": "operator", "replica": "one"}
    assert facts.items() <= vars(record).items()
    assert store.policies.newest_number() == 2


def test_without_a_file_nothing_is_put_in_force_for_others(store: Store) -> None:
    assert started(store, None).current == Config()
    assert store.policies.newest() is None
    assert started(store, FIRST).current.text == FIRST


def test_a_file_that_was_emptied_is_new_and_takes_every_right(store: Store) -> None:
    started(store, FIRST)
    assert started(store, "").current.rules == ()
    assert started(store, None, "two").current.rules == ()
    newest = store.policies.newest()
    assert newest is not None
    assert newest.source.text == ""


def test_an_old_file_is_not_used_in_the_place_of_a_policy_that_this_version_can_not_use(
    store: Store,
) -> None:
    started(store, FIRST)
    future = PolicySource("[telepathy]\non = true\n", "f" * 12, NOW, "U0ALICE", "two")
    store.policies.put_in_force(future, operator_record(NOW))
    with pytest.raises(UnusablePolicy, match="telepathy"):
        started(store, FIRST)
    assert started(store, SECOND).number == 3


async def test_what_another_replica_puts_in_force_is_followed(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    policies, follower = services.store.policies, PolicyFollower(services)
    choose_policy(policies, services.policy, "main", NOW)
    await follower.follow()
    assert "policy reloaded" not in caplog.text
    other = PolicySource(SECOND, fingerprint(SECOND), NOW, "U0ALICE", "two")
    policies.put_in_force(other, operator_record(NOW))
    for _ in range(2):
        await follower.follow()
    assert services.policy.current.text == SECOND
    [record] = [each for each in caplog.records if each.getMessage() == "policy reloaded"]
    assert {"now": fingerprint(SECOND), "by": "U0ALICE", "replica": "two"}.items() <= vars(
        record
    ).items()


async def test_one_that_can_not_be_used_here_leaves_the_one_before_and_is_reported_once(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    policies, follower = services.store.policies, PolicyFollower(services)
    choose_policy(policies, services.policy, "main", NOW)
    before = services.policy.current
    future = PolicySource("[telepathy]\non = true\n", "f" * 12, NOW, "U0ALICE", "two")
    policies.put_in_force(future, operator_record(NOW))
    for _ in range(2):
        await follower.follow()
    assert services.policy.current is before
    [record] = [each for each in caplog.records if "can't be used here" in each.getMessage()]
    assert record.levelname == "ERROR"
    await reload_policy(services, parse(THIRD), operator_record(NOW))
    await follower.follow()
    assert (services.policy.current.text, services.policy.number) == (THIRD, 3)


async def test_a_reload_that_is_delivered_twice_is_recorded_once(services: Services) -> None:
    choose_policy(services.store.policies, services.policy, "main", NOW)
    record = operator_record(NOW)
    for _ in range(2):
        await reload_policy(services, parse(SECOND), record)
    assert services.store.policies.newest_number() == 2
    assert len(list(services.store.audit.entries("policy"))) == 1


async def test_what_was_read_before_a_reload_does_not_come_in_its_place(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = services.store.policies
    choose_policy(policies, services.policy, "main", NOW)
    other = PolicySource(SECOND, fingerprint(SECOND), NOW, "U0ALICE", "two")
    policies.put_in_force(other, operator_record(NOW))
    read, is_reloaded = policies.newest, threading.Event()
    has_read = asyncio.Event()
    loop = asyncio.get_running_loop()

    def newest() -> RecordedPolicy | None:
        recorded = read()
        loop.call_soon_threadsafe(has_read.set)
        is_reloaded.wait(PATIENCE)
        return recorded

    monkeypatch.setattr(policies, "newest", newest)
    following = asyncio.create_task(PolicyFollower(services).follow())
    await has_read.wait()
    await reload_policy(services, parse(THIRD), operator_record(NOW))
    is_reloaded.set()
    await following
    assert (services.policy.current.text, services.policy.number) == (THIRD, 3)


async def test_a_follower_looks_before_it_waits(services: Services) -> None:
    choose_policy(services.store.policies, services.policy, "main", NOW)
    other = PolicySource(SECOND, fingerprint(SECOND), NOW, "U0ALICE", "two")
    services.store.policies.put_in_force(other, operator_record(NOW))
    slow = replace(services, timeouts=replace(services.timeouts, follow_policy=3600))
    running = asyncio.create_task(PolicyFollower(slow).run())
    async with asyncio.timeout(PATIENCE):
        while services.policy.current.text != SECOND:  # noqa: ASYNC110 - it is followed unasked
            await asyncio.sleep(0.01)
    running.cancel()

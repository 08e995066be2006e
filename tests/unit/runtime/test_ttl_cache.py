"""Lookups are cached for a while and shared, failures are not cached, and there is a bound."""

import asyncio

import pytest

from bot.runtime.ttl_cache import MAX_AGE, MAX_ENTRIES, PAUSE, TTL, TtlCache


class Lookup:
    """Answers with key and number of the lookup, once it may; fails while ``error`` is set."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, key: str) -> str:
        self.keys.append(key)
        number = len(self.keys)
        await asyncio.sleep(0)
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return f"{key} {number}"


class Seconds:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_answer_is_valid_for_its_time_and_then_looked_up_anew() -> None:
    look_up, clock = Lookup(), Seconds()
    cache = TtlCache(look_up, clock)
    assert await cache.get("U0ALICE") == "U0ALICE 1"
    clock.now += TTL
    assert await cache.get("U0ALICE") == "U0ALICE 1"
    clock.now += 1
    assert await cache.get("U0ALICE") == "U0ALICE 2"


async def test_callers_who_wait_together_share_one_lookup_for_each_key() -> None:
    look_up = Lookup()
    cache = TtlCache(look_up)
    answers = await asyncio.gather(*(cache.get(key) for key in ("a", "b", "a", "b")))
    assert answers == ["a 1", "b 2", "a 1", "b 2"]


async def test_a_failure_reaches_all_who_waited_and_is_not_cached() -> None:
    look_up = Lookup()
    look_up.error = ValueError("down")
    cache = TtlCache(look_up)
    results = await asyncio.gather(*(cache.get("a") for _ in range(2)), return_exceptions=True)
    assert [str(result) for result in results] == ["down", "down"]
    assert look_up.keys == ["a"]
    look_up.error = None
    assert await cache.get("a") == "a 2"


async def test_a_caller_that_is_cancelled_leaves_the_lookup_to_the_others() -> None:
    look_up = Lookup()
    cache = TtlCache(look_up)
    first, second = (asyncio.create_task(cache.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "a 1"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_beyond_the_bound_the_oldest_answer_goes() -> None:
    look_up, clock = Lookup(), Seconds()
    cache = TtlCache(look_up, clock)
    for number in range(MAX_ENTRIES + 1):
        await cache.get(str(number))
    await cache.get("1")
    assert len(look_up.keys) == MAX_ENTRIES + 1
    await cache.get("0")
    assert look_up.keys[-1] == "0"


class Limited(Exception):
    """A failure that may pass."""


class Gone(Exception):
    """A failure that is an answer."""


def open_cache(look_up: Lookup, clock: Seconds, pause: float = 0) -> TtlCache[str]:
    """Open a cache that waits for nothing where it has an answer."""
    return TtlCache(
        look_up,
        clock,
        retry_after=lambda error: pause if isinstance(error, Limited) else None,
        patience=0,
    )


async def all_done() -> None:
    """Let every lookup end that is under way."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_last_answer_is_used_while_a_slow_lookup_renews_it() -> None:
    look_up, clock = Lookup(), Seconds()
    cache = open_cache(look_up, clock)
    await cache.get("a")
    clock.now += TTL + 1
    look_up.may_answer.clear()
    assert [await cache.get("a") for _ in range(3)] == ["a 1"] * 3
    assert len(look_up.keys) == 2
    look_up.may_answer.set()
    await all_done()
    assert await cache.get("a") == "a 2"


async def test_an_older_answer_than_the_longest_age_is_never_used() -> None:
    look_up, clock = Lookup(), Seconds()
    cache = open_cache(look_up, clock)
    await cache.get("a")
    look_up.error = Limited()
    clock.now += MAX_AGE
    assert await cache.get("a") == "a 1"
    await all_done()
    clock.now += PAUSE
    with pytest.raises(Limited):
        await cache.get("a")
    look_up.error = None
    assert await cache.get("a") == "a 4"


@pytest.mark.parametrize("pause", [0, 30])
async def test_a_lookup_that_fails_is_not_repeated_by_everybody_who_asks(pause: float) -> None:
    look_up, clock = Lookup(), Seconds()
    cache = open_cache(look_up, clock, pause)
    await cache.get("a")
    clock.now += TTL + 1
    look_up.error = Limited()
    for _ in range(100):
        assert await cache.get("a") == "a 1"
        await all_done()
    assert len(look_up.keys) == 2
    clock.now += max(pause, PAUSE)
    await cache.get("a")
    assert len(look_up.keys) == 3


async def test_without_an_answer_only_the_pause_that_was_asked_for_is_kept() -> None:
    look_up, clock = Lookup(), Seconds()
    look_up.error = Limited()
    cache = open_cache(look_up, clock, 30)
    for _ in range(3):
        with pytest.raises(Limited):
            await cache.get("a")
    assert look_up.keys == ["a"]
    clock.now += 30
    look_up.error = None
    assert await cache.get("a") == "a 2"


async def test_a_failure_that_is_an_answer_ends_the_one_before() -> None:
    look_up, clock = Lookup(), Seconds()
    cache = open_cache(look_up, clock)
    await cache.get("a")
    clock.now += TTL + 1
    for error in (Gone(), Limited()):
        look_up.error = error
        with pytest.raises(type(error)):
            await cache.get("a")

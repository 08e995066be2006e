"""Lookups are cached for a while and shared, failures are not cached, and there is a bound."""

import asyncio

import pytest

from bot.runtime.ttl_cache import MAX_ENTRIES, TTL, TtlCache


class Lookup:
    """Answers with key and number of the lookup; fails while ``error`` is set."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.error: Exception | None = None

    async def __call__(self, key: str) -> str:
        self.keys.append(key)
        number = len(self.keys)
        await asyncio.sleep(0)
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

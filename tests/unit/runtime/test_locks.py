"""One lock for each name, for as long as somebody holds it."""

from bot.runtime.locks import KeyedLocks


async def test_whoever_asks_for_a_name_meanwhile_gets_the_same_lock() -> None:
    locks = KeyedLocks()
    async with locks.get("a"):
        assert locks.get("a").locked()
        assert not locks.get("b").locked()
    assert not locks.get("a").locked()

"""Locks by name, for as long as somebody holds or waits for one."""

import asyncio
from weakref import WeakValueDictionary


class KeyedLocks:
    """One lock for each name."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def get(self, name: str) -> asyncio.Lock:
        """Return the lock of this name; whoever asks meanwhile gets the same one."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

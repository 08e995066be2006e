"""Slack's rate limits, kept only when somebody asks for them.

https://docs.slack.dev/apis/web-api/rate-limits
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

# Slack promises that short bursts pass, and no number.
SHORT_BURST = 5


class Tier(Enum):
    """Calls a minute of one method; of ``POSTING``, in one channel.

    ``HUNDREDS`` stands for the special tier of methods that may be called "hundreds" of times.
    """

    ONE = 1
    TWO = 20
    THREE = 50
    FOUR = 100
    POSTING = 60
    HUNDREDS = 300

    @property
    def burst(self) -> int:
        return SHORT_BURST if self in (Tier.POSTING, Tier.ONE) else int(self.value)


@dataclass
class Bucket:
    """How many calls may be made at once now; it fills up again with time."""

    left: float
    at: float


@dataclass
class Limits:
    clock: Callable[[], float]
    on: bool = False
    _buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)

    def wait(self, method: str, tier: Tier, channel: str) -> int:
        """Let a call pass and count it (0), or say after how many seconds to try again."""
        now, per_second = self.clock(), tier.value / 60
        key = (method, channel if tier is Tier.POSTING else "")
        bucket = self._buckets.setdefault(key, Bucket(tier.burst, now))
        refilled = bucket.left + max(0, now - bucket.at) * per_second
        bucket.left, bucket.at = min(tier.burst, refilled), now
        if bucket.left < 1:
            return math.ceil((1 - bucket.left) / per_second)
        bucket.left -= 1
        return 0

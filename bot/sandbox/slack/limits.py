"""Slack's rate limits, which apply only once they are switched on.

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
    """A token bucket: the calls that may be made at once, and when it was last filled up."""

    tokens: float
    filled_at: float


@dataclass
class Limits:
    """The buckets of all methods. ``clock`` is in seconds; ``on`` switches the limits on."""

    clock: Callable[[], float]
    on: bool = False
    _buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)

    def wait(self, method: str, tier: Tier, channel: str) -> int:
        """Count a call and return 0, or return the seconds after which to try again."""
        now, per_second = self.clock(), tier.value / 60
        key = (method, channel if tier is Tier.POSTING else "")
        bucket = self._buckets.setdefault(key, Bucket(tier.burst, now))
        tokens = bucket.tokens + max(0, now - bucket.filled_at) * per_second
        bucket.tokens, bucket.filled_at = min(tier.burst, tokens), now
        if bucket.tokens < 1:
            return math.ceil((1 - bucket.tokens) / per_second)
        bucket.tokens -= 1
        return 0

"""Which channels may show what SecMaster says, by the policy alone.

Knows no Slack: whether a channel is shared with another organisation is asked in `bot.slack`.
"""

from typing import assert_never

from bot.domain.slack import Destination, DestinationKind
from bot.policy.config import Config


def named_channels(config: Config) -> frozenset[str]:
    """Return every channel that the policy names: only there cards and answers are posted."""
    named = {
        *(route.channel for route in config.routes),
        *(digest.channel for digest in config.digests),
        config.watch.fallback,
        config.break_glass.channel,
        *config.channels.allow,
    }
    return frozenset(named - {""})


def may_show_objects(config: Config, destination: Destination) -> bool:
    """Return whether the policy lets cards and answers about objects be posted somewhere.

    In direct messages only the one person reads them.
    """
    match destination.kind:
        case DestinationKind.DIRECT_MESSAGE | DestinationKind.PERSON:
            return True
        case DestinationKind.CHANNEL:
            return destination.id in named_channels(config)
        case DestinationKind.USERGROUP | DestinationKind.UNKNOWN:
            return False
        case _:
            assert_never(destination.kind)

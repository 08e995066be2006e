"""Which channels may show what SecMaster says, by the policy alone.

Knows no Slack: whether a channel is shared with another organisation is asked in `bot.slack`.
"""

from typing import assert_never

from bot.domain.slack import Destination, DestinationKind
from bot.policy import references
from bot.policy.config import Config


def named_channels(config: Config) -> frozenset[str]:
    """Return every channel that the policy names: only there cards and answers are posted."""
    return frozenset(reference.id for reference in references.channels(config))


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

"""The values of Slack: what an id names."""

import pytest

from bot.domain.slack import Destination, DestinationKind


@pytest.mark.parametrize(
    ("id_", "kind"),
    [
        ("C0SOC", DestinationKind.CHANNEL),
        ("G0OLD", DestinationKind.CHANNEL),
        ("U0ALICE", DestinationKind.PERSON),
        ("W0ALICE", DestinationKind.PERSON),
        ("S0SOC", DestinationKind.USERGROUP),
        ("D0BOB", DestinationKind.DIRECT_MESSAGE),
        ("T0TEAM", DestinationKind.UNKNOWN),
        ("c0soc", DestinationKind.UNKNOWN),
        ("", DestinationKind.UNKNOWN),
    ],
)
def test_an_id_says_what_it_names(id_: str, kind: DestinationKind) -> None:
    assert Destination.parse(id_) == Destination(kind, id_)

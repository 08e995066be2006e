"""Which channels the policy lets show what SecMaster says."""

import pytest

from bot.domain.slack import Destination
from bot.policy.channels import may_show_objects, named_channels
from bot.policy.config import ConfigError, parse

POLICY = """
[channels]
allow = ["C0ALLOWED", "G0PRIVATE"]

[break_glass]
channel = "C0GLASS"

[watch]
fallback = "C0FALLBACK"

[[routes]]
channel = "C0ROUTE"
tasks = true

[[routes]]
user = "U0ALICE"
tasks = true

[[routes]]
usergroup = "S0SOC"
instances = ["FAILED"]

[[digests]]
channel = "C0DIGEST"
at = ["08:30"]
"""
NAMED = ("C0ALLOWED", "G0PRIVATE", "C0GLASS", "C0FALLBACK", "C0ROUTE", "C0DIGEST")


def test_all_channels_that_the_policy_names_are_named() -> None:
    assert named_channels(parse(POLICY)) == frozenset(NAMED)
    assert named_channels(parse("")) == frozenset()


@pytest.mark.parametrize(
    ("id_", "policy", "expected"),
    [
        *((id_, POLICY, True) for id_ in NAMED),
        *((id_, "", False) for id_ in NAMED),
        ("C0RANDOM", POLICY, False),
        ("G0OTHER", POLICY, False),
        # One person alone reads these, whatever the policy says.
        ("D0ALICE", "", True),
        ("U0ALICE", "", True),
        # Neither is a place: a group's members are written to one by one.
        ("S0SOC", POLICY, False),
        ("#soc", POLICY, False),
        ("", POLICY, False),
    ],
)
def test_only_named_channels_and_direct_messages_show_objects(
    id_: str, policy: str, *, expected: bool
) -> None:
    assert may_show_objects(parse(policy), Destination.parse(id_)) is expected


@pytest.mark.parametrize(
    "section",
    [
        'allow = ["general"]',
        'allow = ["U0ALICE"]',
        'allow = ["C0SOC", "C0SOC"]',
        'shared = "yes"',
        'deny = ["C0SOC"]',
    ],
)
def test_channels_that_mean_nothing_are_refused(section: str) -> None:
    with pytest.raises(ConfigError, match="channels"):
        parse(f"[channels]\n{section}")


@pytest.mark.parametrize("word", ["ask", "Direct", ""])
def test_another_way_to_decide_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"\[commands\] decide"):
        parse(f'[commands]\ndecide = "{word}"')

"""Who belongs to an installation, by what Slack says of a person and what came with a request."""

from typing import Any

import pytest

from bot.slack.installation import Installation

OURS, SISTER, THIRD, FOREIGN = "T0OURS", "T0SISTER", "T0THIRD", "T0FOREIGN"
GRID, OTHER_GRID = "E0GRID", "E0OTHER"

ALONE = Installation(OURS)
IN_GRID = Installation(OURS, GRID)
ORG_WIDE = Installation("", GRID, is_org_wide=True)


def profile(team: str | None, enterprise: str = "", *teams: str, **traits: Any) -> dict[str, Any]:
    """Return Slack's profile of a person; their enterprise lists their ``teams``."""
    person: dict[str, Any] = dict(traits)
    if team is not None:
        person["team_id"] = team
    if enterprise:
        person["enterprise_user"] = {"enterprise_id": enterprise, "teams": list(teams)}
    return person


@pytest.mark.parametrize(
    ("installation", "person", "claimed", "expected"),
    [
        # Without an enterprise only our own workspace counts, whatever else Slack says.
        (ALONE, profile(OURS), OURS, True),
        (ALONE, profile(OURS), "", True),
        (ALONE, profile(None), "", True),
        (ALONE, profile(OURS, GRID, OURS), OURS, True),
        (ALONE, profile(SISTER, GRID, SISTER), "", False),
        (ALONE, profile(OURS, GRID, OURS), GRID, False),
        (ALONE, profile(OURS), FOREIGN, False),
        (ALONE, profile(FOREIGN), OURS, False),
        (ALONE, profile(OURS, is_stranger=True), OURS, False),
        # In an enterprise everybody of it does.
        (IN_GRID, profile(OURS, GRID, OURS), OURS, True),
        (IN_GRID, profile(SISTER, GRID, SISTER), SISTER, True),
        (IN_GRID, profile(SISTER, GRID, SISTER), GRID, True),
        (IN_GRID, profile(SISTER, GRID, SISTER), "", True),
        (IN_GRID, profile(None, GRID, SISTER, THIRD), THIRD, True),
        (IN_GRID, profile(GRID, GRID), GRID, True),
        (IN_GRID, profile(SISTER, GRID, SISTER), OURS, True),
        (IN_GRID, profile(None), "", True),
        (IN_GRID, profile(OURS), GRID, True),
        # Strangers, another enterprise, and a request that contradicts the profile stay out.
        (IN_GRID, profile(SISTER, GRID, SISTER, is_stranger=True), SISTER, False),
        (IN_GRID, profile(FOREIGN, OTHER_GRID, FOREIGN), FOREIGN, False),
        (IN_GRID, profile(OURS, OTHER_GRID, OURS), OURS, False),
        (IN_GRID, profile(None, OTHER_GRID), "", False),
        (IN_GRID, profile(FOREIGN), "", False),
        (IN_GRID, profile(SISTER), SISTER, False),
        (IN_GRID, profile(SISTER, GRID, SISTER), FOREIGN, False),
        (IN_GRID, profile(SISTER, GRID, SISTER), OTHER_GRID, False),
        # An app of the whole enterprise has no workspace of its own.
        (ORG_WIDE, profile(SISTER, GRID, SISTER), "", True),
        (ORG_WIDE, profile(SISTER, GRID, SISTER), SISTER, True),
        (ORG_WIDE, profile(None, GRID), GRID, True),
        (ORG_WIDE, profile(FOREIGN), "", False),
        (ORG_WIDE, profile(FOREIGN, OTHER_GRID, FOREIGN), "", False),
    ],
)
def test_people_of_the_enterprise_belong_and_nobody_else(
    installation: Installation, person: dict[str, Any], claimed: str, expected: bool
) -> None:
    assert installation.includes(person, claimed, ()) is expected


@pytest.mark.parametrize(
    ("installation", "person", "claimed", "expected"),
    [
        (IN_GRID, profile(SISTER, GRID, SISTER), SISTER, True),
        (IN_GRID, profile(THIRD, GRID, THIRD, SISTER), THIRD, True),
        (IN_GRID, profile(OURS, GRID, OURS), OURS, True),
        (IN_GRID, profile(OURS), OURS, True),
        (IN_GRID, profile(THIRD, GRID, OURS, THIRD), THIRD, True),
        (IN_GRID, profile(THIRD, GRID, THIRD), THIRD, False),
        (IN_GRID, profile(THIRD, GRID, THIRD), SISTER, False),
        (IN_GRID, profile(None, GRID, THIRD), "", False),
        (IN_GRID, profile(SISTER, OTHER_GRID, SISTER), SISTER, False),
        (IN_GRID, profile(SISTER), SISTER, False),
        (ORG_WIDE, profile(SISTER, GRID, SISTER), SISTER, True),
        (ORG_WIDE, profile(THIRD, GRID, THIRD), "", False),
        (ORG_WIDE, profile(None), "", False),
        (ALONE, profile(SISTER), SISTER, False),
    ],
)
def test_of_named_workspaces_and_our_own_people_belong_and_nobody_else(
    installation: Installation, person: dict[str, Any], claimed: str, expected: bool
) -> None:
    assert installation.includes(person, claimed, (SISTER,)) is expected


def test_lists_are_read_for_the_workspaces_that_the_token_is_for() -> None:
    assert ALONE.teams(()) == IN_GRID.teams((SISTER,)) == (OURS,)
    assert ORG_WIDE.teams((SISTER, THIRD)) == (SISTER, THIRD)
    assert ORG_WIDE.teams(()) == ("",)

"""Where in Slack the bot is installed, and who belongs there.

https://docs.slack.dev/enterprise/developing-for-enterprise-organizations
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from slack_sdk.web.async_slack_response import AsyncSlackResponse


@dataclass(frozen=True, slots=True)
class Installation:
    """Our own Slack workspace, and the Enterprise Grid that it is a part of, "" where it is none.

    ``is_org_wide`` is an installation for the whole enterprise: Slack may name no workspace of
    ours then, and has to be told which one a question is about.
    """

    team: str
    enterprise: str = ""
    is_org_wide: bool = False

    @classmethod
    def read(cls, identity: AsyncSlackResponse) -> Self:
        """Return the installation that auth.test answers."""
        enterprise = str(identity.get("enterprise_id") or "")
        team = str(identity.get("team_id") or "")
        return cls(
            team="" if team == enterprise else team,
            enterprise=enterprise,
            is_org_wide=bool(identity.get("is_enterprise_install")),
        )

    def teams(self, workspaces: Collection[str]) -> tuple[str, ...]:
        """Return the workspaces whose lists are to be read, where the policy names these.

        With an installation in one workspace Slack lists only what that one has.
        """
        if not self.is_org_wide:
            return (self.team,)
        return tuple(sorted({self.team, *workspaces} - {""})) or ("",)

    def includes(
        self, profile: Mapping[str, Any], claimed_team: str, workspaces: Collection[str]
    ) -> bool:
        """Return whether a person is one of us, by what Slack says of them.

        In an Enterprise Grid these are the people of the enterprise; of ``workspaces``, where the
        policy names some, and of our own. ``claimed_team`` is what came with their request: it
        proves nothing, and must not be of anybody else's.
        """
        if profile.get("is_stranger"):
            return False
        home = str(profile.get("team_id") or "")
        if not self.enterprise:
            # The workspace may have joined an enterprise since the start: its people are ours.
            return {home or self.team, claimed_team or self.team} == {self.team}
        enterprise_user = profile.get("enterprise_user") or {}
        enterprise = str(enterprise_user.get("enterprise_id") or "")
        # Where Slack says nothing of it, it is our own workspace that it speaks of.
        teams = {home, *map(str, enterprise_user.get("teams") or ())} - {""} or self._ids
        is_known = enterprise == self.enterprise if enterprise else teams <= self._ids
        is_counted = not workspaces or not teams.isdisjoint({self.team, *workspaces})
        return is_known and is_counted and claimed_team in {"", *self._ids, *teams, *workspaces}

    @property
    def _ids(self) -> set[str]:
        return {self.team, self.enterprise} - {""}

"""The workspace every sandbox starts with: its people, groups and channels."""

from collections.abc import Callable
from typing import Any

from bot.sandbox.slack.workspace import (
    APP,
    BOT,
    BOT_USER,
    ENTERPRISE,
    TEAM,
    Channel,
    Json,
    Workspace,
    enterprise_user,
)

OUTSIDE_TEAM = "T0OTHER"
SISTER_TEAM = "T0SISTER"  # another workspace of the enterprise
OUTSIDE_ENTERPRISE = "E0OTHER"

# id, handle, name, and what sets the person apart
PEOPLE: list[tuple[str, str, str, Json]] = [
    ("U0ALICE", "alice", "Alice", {}),
    ("U0BOB", "bob", "Bob", {}),
    ("U0CAROL", "carol", "Carol", {}),
    ("U0DAVE", "dave", "Dave", {}),
    ("U0GUEST", "guest", "Guest", {"is_restricted": True}),
    ("U0SOLO", "solo", "Solo", {"is_restricted": True, "is_ultra_restricted": True}),
    ("U0OUTSIDER", "outsider", "Outsider", {"is_stranger": True, "team_id": OUTSIDE_TEAM}),
]
GROUPS = [
    ("S0SOC", "soc-team", "SOC", ["U0ALICE", "U0BOB"]),
    ("S0ONCALL", "oncall-team", "On call", ["U0CAROL"]),
]
EVERYONE = [person[0] for person in PEOPLE]
STAFF = ["U0ALICE", "U0BOB", "U0CAROL", "U0DAVE"]


def seeded_workspace(clock: Callable[[], float]) -> Workspace:
    """Build a workspace with the people, groups and channels of the demo."""
    workspace = Workspace(clock)
    for id_, handle, name, traits in PEOPLE:
        add_person(workspace, id_, handle, name, **traits)
    bot = _person(BOT_USER, "secmaster", "SecMaster", is_bot=True)
    bot["profile"] = {
        "real_name": "SecMaster",
        "display_name": "",
        "api_app_id": APP,
        "bot_id": BOT,
        "team": TEAM,
    }
    workspace.users[BOT_USER] = bot
    for id_, handle, name, members in GROUPS:
        workspace.groups[id_] = {
            "id": id_,
            "team_id": TEAM,
            "is_usergroup": True,
            "name": name,
            "handle": handle,
            "date_delete": 0,
            "users": [*members],
        }
    channels = [
        Channel("C0SOC", "soc", [*EVERYONE, BOT_USER]),
        Channel("C0ONCALL", "oncall", [*STAFF, BOT_USER]),
        Channel("C0GENERAL", "general", [*STAFF, BOT_USER]),
        Channel("C0RANDOM", "random", [*STAFF]),
        Channel("C0PRIVATE", "private", ["U0ALICE", "U0BOB"], is_private=True),
        Channel("C0ARCHIVED", "archived", [*STAFF, BOT_USER], is_archived=True),
        Channel("C0QUIET", "quiet", [*STAFF], posting_restricted=True),
        Channel("C0PARTNERS", "partners", [*STAFF, "U0OUTSIDER", BOT_USER], is_ext_shared=True),
    ]
    workspace.channels |= {channel.id: channel for channel in channels}
    return workspace


def add_person(workspace: Workspace, id_: str, handle: str, name: str, **traits: Any) -> None:
    """Add a person, and the direct messages that they have with the app."""
    workspace.users[id_] = _person(id_, handle, name, **traits)
    dm = Channel(f"D0{id_[2:]}", "", [id_, BOT_USER], person=id_)
    workspace.channels[dm.id] = dm


def add_colleague(
    workspace: Workspace, id_: str, name: str, *, enterprise: str = ENTERPRISE, **traits: Any
) -> None:
    """Add somebody whose home is another workspace, and who is in the public channels of this one.

    Somebody of another ``enterprise`` than ours is a stranger there.
    """
    is_ours = enterprise == workspace.enterprise
    team = SISTER_TEAM if is_ours else OUTSIDE_TEAM
    person = enterprise_user(id_, enterprise, team)
    strangeness = {} if is_ours else {"is_stranger": True}
    profile = {"team_id": team, "enterprise_user": person, **strangeness, **traits}
    add_person(workspace, id_, name.lower(), name, **profile)
    for channel in workspace.channels.values():
        if not channel.person and not channel.is_private:
            channel.members.append(id_)


def _person(id_: str, handle: str, name: str, **traits: Any) -> Json:
    email = f"{handle}@example.com"
    profile = {"real_name": name, "display_name": name, "email": email, "team": TEAM}
    person = {
        "id": id_,
        "team_id": TEAM,
        "name": handle,
        "real_name": name,
        "deleted": False,
        "tz": "Africa/Lagos",
        "tz_offset": 3600,
        "is_bot": False,
        "is_admin": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "profile": profile,
    }
    return person | traits

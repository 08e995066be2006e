"""The local Slack as a part of an Enterprise Grid: people, payloads, user groups, tokens."""

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.directory import GROUP_PAGE, MOST_LISTED
from bot.sandbox.slack.seed import OUTSIDE_TEAM, SISTER_TEAM, add_grid
from bot.sandbox.slack.workspace import ENTERPRISE
from tests.support.people import ALICE, SOC

ERIN, STRANGER = "U0ERIN", "U0STRANGER"


async def test_profiles_say_which_enterprise_and_workspaces_people_are_of(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    add_grid(slack.workspace)
    slack.workspace.give_enterprise_id(ALICE, "W0ALICE")
    profiles = {
        id_: (await client.users_info(user=id_))["user"]
        for id_ in (ALICE, "W0ALICE", ERIN, STRANGER)
    }
    seen = {
        id_: (user["id"], user["team_id"], user["enterprise_user"]["id"])
        for id_, user in profiles.items()
    }
    assert seen == {
        ALICE: (ALICE, "T0DEMO", "W0ALICE"),
        "W0ALICE": ("W0ALICE", "T0DEMO", "W0ALICE"),
        ERIN: (ERIN, SISTER_TEAM, ERIN),
        STRANGER: (STRANGER, OUTSIDE_TEAM, STRANGER),
    }
    assert profiles[ERIN]["enterprise_user"]["teams"] == [SISTER_TEAM]
    assert profiles[STRANGER]["is_stranger"]
    listed = [user["id"] for user in (await client.users_list())["members"]]
    assert listed.count(ALICE) == 1
    assert "W0ALICE" not in listed


@pytest.mark.parametrize("org_wide", [False, True])
async def test_payloads_name_the_enterprise_and_what_the_app_is_installed_for(
    slack: SlackSandbox, client: AsyncWebClient, org_wide: bool
) -> None:
    add_grid(slack.workspace, org_wide=org_wide)
    button = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "A"}}
    blocks = [{"type": "actions", "elements": [button]}]
    posted = await client.chat_postMessage(channel=SOC, text="t", blocks=blocks)
    await slack.press(ERIN, SOC, posted["ts"], "a")
    await slack.command(ERIN, SOC, "/secmaster help")
    await slack.say(ERIN, SOC, "<@U0BOT> help")
    await slack.say(STRANGER, SOC, "<@U0BOT> help")
    press, command, mention, foreign = (sent.payload for sent in slack.sent)
    assert press["user"]["team_id"] == SISTER_TEAM
    assert press["team"] == (None if org_wide else {"id": "T0DEMO", "domain": "demo"})
    assert press["enterprise"]["id"] == command["enterprise_id"] == ENTERPRISE
    assert press["is_enterprise_install"] is org_wide
    assert command["is_enterprise_install"] == str(org_wide).lower()
    [authorization] = mention["authorizations"]
    assert (authorization["enterprise_id"], authorization["team_id"]) == (
        ENTERPRISE,
        None if org_wide else "T0DEMO",
    )
    assert mention["event"]["user_team"] == ENTERPRISE
    assert foreign["event"]["user_team"] == OUTSIDE_TEAM


async def test_the_token_of_a_whole_enterprise_has_to_name_the_workspace(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    add_grid(slack.workspace, org_wide=True)
    identity = await client.auth_test()
    assert (identity["team_id"], identity["enterprise_id"]) == (ENTERPRISE, ENTERPRISE)
    assert identity["is_enterprise_install"]
    for ask in (client.usergroups_list, client.users_list):
        with pytest.raises(SlackApiError, match="missing_argument"):
            await ask()
    assert (await client.usergroups_list(team_id="T0DEMO"))["usergroups"]
    assert (await client.usergroups_list(team_id=SISTER_TEAM))["usergroups"] == []
    with pytest.raises(SlackApiError, match="no_such_subteam"):
        await client.usergroups_users_list(usergroup="S0SOC", team_id=SISTER_TEAM)


async def test_a_large_group_is_listed_in_part_and_counted_whole(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    people = [f"U1MEMBER{number}" for number in range(GROUP_PAGE + 1)]
    slack.workspace.groups["S0LARGE"] = {"id": "S0LARGE", "users": people}
    listed = await client.usergroups_list(include_users=True, include_count=True)
    large = {group["id"]: group for group in listed["usergroups"]}["S0LARGE"]
    assert (len(large["users"]), large["user_count"]) == (MOST_LISTED, str(len(people)))
    assert "users" not in (await client.usergroups_list())["usergroups"][0]
    first = await client.usergroups_users_list(usergroup="S0LARGE")
    cursor = first["response_metadata"]["next_cursor"]
    rest = await client.usergroups_users_list(usergroup="S0LARGE", cursor=cursor)
    assert first["users"] + rest["users"] == people


async def test_a_disabled_group_is_listed_only_where_that_is_asked_for(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    slack.workspace.groups["S0SOC"]["date_delete"] = 1_700_000_000
    shown = [group["id"] for group in (await client.usergroups_list())["usergroups"]]
    listed = (await client.usergroups_list(include_disabled=True))["usergroups"]
    assert {group["id"] for group in listed} - set(shown) == {"S0SOC"}

"""What the doctor finds in a policy that can't work, by asking Slack whom and what it names."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from bot.cli.doctor.channels import check_channels
from bot.cli.doctor.people import check_approvals, check_people
from bot.cli.doctor.policy import check_policy
from bot.cli.doctor.results import Result, State, outcome
from bot.cli.doctor.subject import Subject
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.methods import ALL_SCOPES
from bot.sandbox.slack.seed import add_colleague, add_person
from tests.support.environment import settings_for

Check = Callable[[Subject], Awaitable[Iterable[Result]]]


class Ask(Protocol):
    """Makes a check with a policy, and returns its results, each with its state."""

    async def __call__(self, check: Check, policy: str) -> list[str]: ...


@pytest.fixture
async def ask(slack: SlackSandbox, tmp_path: Path) -> AsyncIterator[Ask]:
    file = tmp_path / "secmaster-bot.toml"
    settings = settings_for(slack.url, "http://127.0.0.1:9", "sqlite:///unused.db", socket=True)
    settings = settings.model_copy(update={"bot_config": file})
    async with AsyncExitStack() as stack:

        async def ask(check: Check, policy: str) -> list[str]:
            file.write_text(policy)
            results = await outcome(check(Subject(settings, stack)))
            return [f"{result.state}: {result.sentence}" for result in results]

        yield ask


def failures(lines: list[str]) -> list[str]:
    return [line.removeprefix("failed: ") for line in lines if line.startswith(State.FAILED)]


def retire(slack: SlackSandbox, user: str) -> None:
    slack.workspace.users[user]["deleted"] = True


async def test_each_person_and_group_that_can_not_act_is_named_once_with_its_places(
    slack: SlackSandbox, ask: Ask
) -> None:
    retire(slack, "U0DAVE")
    slack.workspace.groups["S0GONE"] = slack.workspace.groups["S0ONCALL"] | {
        "id": "S0GONE", "handle": "old", "date_delete": 1_700_000_000,
    }  # fmt: skip
    slack.workspace.groups["S0EMPTY"] = slack.workspace.groups["S0ONCALL"] | {
        "id": "S0EMPTY", "handle": "empty", "users": [],
    }  # fmt: skip
    lines = await ask(
        check_people,
        """
        [roles.approver]
        users = ["U0ALICE", "U0NOBODY", "U0DAVE", "U0BOT"]
        usergroups = ["S0SOC", "S0NOPE", "S0GONE"]
        [roles.other]
        users = ["U0NOBODY", "U0GUEST", "U0OUTSIDER"]
        [[routes]]
        name = "leads"
        user = "U0SOLO"
        tasks = true
        mention = ["U0GUEST", "S0SOC"]
        [[routes]]
        usergroup = "S0EMPTY"
        tasks = true
        [watch]
        admins = ["U0NOBODY"]
        """,
    )
    assert failures(lines) == [
        (
            "Slack knows nobody by the id U0NOBODY ([roles.approver] users, [roles.other] users, "
            "[watch] admins)"
        ),
        "Dave (U0DAVE) is deactivated in Slack ([roles.approver] users)",
        "SecMaster (U0BOT) is a bot, and no person ([roles.approver] users)",
        (
            "Guest (U0GUEST) is a guest, whom nothing is allowed ([roles.other] users, "
            "[[routes]] 1 (leads): mention)"
        ),
        (
            "Outsider (U0OUTSIDER) is of another organisation or workspace, whom nothing is "
            "allowed ([roles.other] users)"
        ),
        "Solo (U0SOLO) is a guest, whom nothing is allowed ([[routes]] 1 (leads): user)",
        "Slack knows no user group by the id S0NOPE ([roles.approver] usergroups)",
        "the user group @old (S0GONE) is disabled ([roles.approver] usergroups)",
        "the user group @empty (S0EMPTY) is empty ([[routes]] 2: usergroup)",
    ]


async def test_whom_nothing_depends_on_is_a_note(slack: SlackSandbox, ask: Ask) -> None:
    retire(slack, "U0DAVE")
    slack.workspace.groups["S0ONCALL"]["users"] = []
    policy = "[identities.users]\nU0ALICE = 'alice'\nU0DAVE = 'dave'\n"
    assert await ask(check_people, f"{policy}[watch]\noncall = ['S0ONCALL']\n") == [
        "ok: 2 people and 1 user group named by the policy",
        "note: Dave (U0DAVE) is deactivated in Slack ([identities] users)",
        "note: the user group @oncall-team (S0ONCALL) is empty ([watch] oncall)",
    ]
    [line] = failures(await ask(check_people, "[watch]\noncall = ['S0NOPE']\n"))
    assert line == "Slack knows no user group by the id S0NOPE ([watch] oncall)"


async def test_an_enterprise_has_people_of_other_workspaces_and_some_of_other_enterprises(
    slack: SlackSandbox, ask: Ask
) -> None:
    slack.workspace.join_enterprise()
    slack.workspace.give_enterprise_id("U0ALICE", "W0ALICE")
    add_colleague(slack.workspace, "U0ERIN", "Erin")
    add_colleague(slack.workspace, "U0STRANGER", "Stranger", enterprise="E0OTHER")
    roles = "[roles.a]\nusers = ['U0ALICE', 'W0ALICE', 'U0ERIN', 'U0STRANGER']\n"
    [line] = await ask(check_people, roles)
    assert line.startswith("failed: Stranger (U0STRANGER) is of another organisation or workspace")
    rule = "[[rules]]\nactions = ['task.approve']\nroles = ['a']\napprovals = 3\n"
    assert failures(await ask(check_approvals, roles + rule)) == [
        "rule 1 asks for 3 approvals, and only 2 may give one: Alice (W0ALICE), Erin (U0ERIN)"
    ]


async def test_a_group_that_a_closed_workspace_may_have_is_not_said_to_be_missing(
    slack: SlackSandbox, ask: Ask
) -> None:
    slack.workspace.join_enterprise(org_wide=True)
    slack.workspace.teams_without_app.add("T0GONE")
    policy = (
        "[organisation]\nworkspaces = ['T0DEMO', 'T0GONE']\n[roles.a]\nusergroups = ['S0ELSE']\n"
    )
    assert await ask(check_people, policy) == [
        "not checked: user groups can't be listed (workspace_closed)"
    ]
    lines = await ask(check_people, policy.replace("S0ELSE", "S0SOC"))
    assert lines == ["ok: 0 people and 1 user group named by the policy"]


APPROVER = "[roles.approver]\nusers = ['U0CAROL', 'U0GUEST', 'U0NOBODY']\nusergroups = ['S0SOC']\n"
RULE = "[[rules]]\nname = 'isolation'\nactions = ['task.approve']\nroles = ['approver']\n"
IDENTITIES = "[identities]\nemail_domain = 'example.com'\n"


async def test_approvals_that_can_not_be_reached_are_named_with_who_there_is(
    slack: SlackSandbox, ask: Ask
) -> None:
    retire(slack, "U0BOB")
    deny = "[[rules]]\neffect = 'deny'\nactions = ['*']\nroles = ['approver']\n"
    glass = "break_glass = ['other']\n[roles.other]\nusers = ['U0DAVE']\n"
    glass += "[break_glass]\nchannel = 'C0SOC'\n"
    assert failures(
        await ask(check_approvals, f"{APPROVER}{deny}{RULE}approvals = 9\n{glass}")
    ) == [
        (
            "rule 2 (isolation) asks for 9 approvals, and only 2 may give one: Alice (U0ALICE), "
            "Carol (U0CAROL)"
        )
    ]
    assert await ask(check_approvals, f"{APPROVER}{RULE}approvals = 2\n") == [
        "ok: each rule has as many people as it asks for"
    ]
    [_, line] = await ask(
        check_approvals, f"{IDENTITIES}{APPROVER}{RULE}approvals = 2\nself = false\n"
    )
    assert line == (
        "note: rule 1 (isolation) refuses whoever created the task (self = false): of one that "
        "Alice (U0ALICE), Carol (U0CAROL) created, 2 approvals can't be given"
    )


async def test_a_role_that_nobody_has_is_named(ask: Ask) -> None:
    policy = "[roles.approver]\nusers = ['U0GUEST']\n[roles.spare]\n"
    assert failures(await ask(check_approvals, f"{policy}{RULE}approvals = 2\n")) == [
        "nobody has the role approver, so nobody may do what is left to it"
    ]


async def test_one_person_alone_can_not_release_the_retry_brake(ask: Ask) -> None:
    policy = "[roles.approver]\nusers = ['U0CAROL']\n[brake]\nretries = 3\nwithin = '1h'\n"
    rule = "[[rules]]\nactions = ['instance.*']\nroles = ['approver']\n"
    [_, line] = await ask(check_approvals, policy + rule)
    assert line == (
        "note: rule 1: [brake] asks for a second person, and only Carol (U0CAROL) may retry"
    )


async def test_channels_in_which_nothing_can_be_posted_are_named_with_what_to_do(ask: Ask) -> None:
    lines = await ask(
        check_channels,
        """
        [channels]
        allow = ["C0NOPE", "C0RANDOM"]
        [[routes]]
        channel = "C0ARCHIVED"
        tasks = true
        [[digests]]
        channel = "C0PRIVATE"
        at = ["08:30"]
        """,
    )
    hint = "correct the id, or invite the bot if it is a private channel"
    assert failures(lines) == [
        (
            "nothing can be posted in #archived (C0ARCHIVED): it is archived; unarchive it, or "
            "name another ([[routes]] 1: channel)"
        ),
        f"Slack shows the bot no channel C0NOPE ([channels] allow): {hint}",
        f"Slack shows the bot no channel C0PRIVATE ([[digests]] 1: channel): {hint}",
    ]


async def test_a_public_channel_without_the_bot_needs_an_invitation_or_a_scope(
    tmp_path: Path,
) -> None:
    slack = SlackSandbox(scopes=ALL_SCOPES - {"chat:write.public"})
    await slack.start()
    settings = settings_for(slack.url, "http://127.0.0.1:9", "sqlite:///unused.db", socket=True)
    file = tmp_path / "policy.toml"
    file.write_text("[channels]\nallow = ['C0RANDOM', 'C0SOC']\n")
    try:
        async with AsyncExitStack() as stack:
            settings = settings.model_copy(update={"bot_config": file})
            results = await check_channels(Subject(settings, stack))
    finally:
        await slack.stop()
    [failure] = [result.sentence for result in results if result.state is State.FAILED]
    assert failure == (
        "nothing can be posted in #random (C0RANDOM): the bot is not in it; invite it, or give the "
        "app the scope chat:write.public ([channels] allow)"
    )


async def test_a_name_in_the_place_of_an_id_is_answered_with_the_id_where_slack_can_tell(
    slack: SlackSandbox, ask: Ask
) -> None:
    add_person(slack.workspace, "U0BOB2", "bob2", "Bob")
    lines = await ask(
        check_policy,
        """
        [roles.a]
        users = ["alice@example.com", "@carol", "Bob", "nobody@example.com"]
        usergroups = ["@soc-team"]
        [break_glass]
        channel = "#soc"
        """,
    )
    ends = [line.partition(" is no ")[2].rpartition(": ")[2] for line in failures(lines)]
    assert [end.partition("; ")[2] for end in ends] == [
        "Alice is U0ALICE", "Carol is U0CAROL", "", "", "@soc-team is S0SOC", "#soc is C0SOC",
    ]  # fmt: skip


async def test_three_hundred_people_take_as_many_calls_as_one(
    slack: SlackSandbox, ask: Ask
) -> None:
    crowd = [f"U{number:04}CROWD" for number in range(300)]
    for id_ in crowd:
        add_person(slack.workspace, id_, id_.lower(), id_.title())
    slack.workspace.groups["S0SOC"]["users"] = crowd[:40]
    users = ", ".join(f'"{id_}"' for id_ in crowd)
    policy = f"[roles.approver]\nusers = [{users}]\nusergroups = ['S0SOC']\n{RULE}approvals = 9\n"

    async def both(subject: Subject) -> list[Result]:
        people, approvals = await asyncio.gather(check_people(subject), check_approvals(subject))
        return [*people, *approvals]

    assert failures(await ask(both, policy)) == []
    assert Counter(call.method for call in slack.calls) == {
        "auth.test": 1, "users.list": 1, "usergroups.list": 2,
    }  # fmt: skip


async def test_without_its_scope_a_check_is_not_made(tmp_path: Path) -> None:
    slack = SlackSandbox(scopes=ALL_SCOPES - {"users:read"})
    await slack.start()
    settings = settings_for(slack.url, "http://127.0.0.1:9", "sqlite:///unused.db", socket=True)
    file = tmp_path / "policy.toml"
    file.write_text(f"{APPROVER}{RULE}")
    try:
        async with AsyncExitStack() as stack:
            subject = Subject(settings.model_copy(update={"bot_config": file}), stack)
            results = [await outcome(check(subject)) for check in (check_people, check_approvals)]
    finally:
        await slack.stop()
    unchecked = Result(State.NOT_CHECKED, "the scope users:read is missing")
    assert results == [(unchecked,), (unchecked,)]

"""Who is who, asked of a real local Slack: roles, guests, outsiders, and what is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.delegations import Delegation
from bot.domain.slack import Actor
from bot.policy.config import Config, Identities, Organisation, PolicyHolder
from bot.policy.decide import Principal
from bot.policy.rules import Role
from bot.runtime.clock import Clock
from bot.runtime.ttl_cache import MAX_AGE, TtlCache
from bot.sandbox.faults import Fault
from bot.sandbox.slack.directory import GROUP_PAGE
from bot.sandbox.slack.seed import SISTER_TEAM, add_colleague
from bot.sandbox.slack.workspace import ENTERPRISE
from bot.slack.client import SlackClient
from bot.slack.directory import Directory, LookupFailed
from bot.slack.installation import Installation
from bot.slack.person_ids import ABSENT_FOR, AT_ONCE, FEW, RETRY_INTERVAL
from bot.store import Delegations
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, OUTSIDER, SOLO
from tests.support.slack_recorder import SlackRecorder

TEAM = "T0DEMO"
OWN = Installation(TEAM)
ROLES = {
    "approver": Role(usergroups=("S0SOC",)),
    "oncall": Role(usergroups=("S0ONCALL",), users=(DAVE,)),
    "chief": Role(users=(ALICE,)),
    "nobody": Role(),
}
FAULTS = [
    Fault(on="*", status=500),
    Fault(on="*", status=503, html=True),
    Fault(on="*", status=200, html=True),
    Fault(on="*", status=429, retry_after=0),
    Fault(on="*", status=200, code="fatal_error"),
    Fault(on="*", status=200, code="missing_scope"),
    Fault(on="*", status=200, code="token_revoked"),
    Fault(on="*", hang_up=True),
    Fault(on="*", cut=True),
]


class CacheClock(Clock):
    """A clock whose seconds, by which answers age, a test moves."""

    passed = 1000.0

    def monotonic(self) -> float:
        return self.passed


class WaitingClock(CacheClock):
    """A clock each of whose waits a test ends; ``waits`` are their seconds, and what ends them."""

    def __init__(self) -> None:
        self.waits = asyncio.Queue[tuple[float, asyncio.Event]]()

    async def sleep(self, seconds: float) -> None:
        ended = asyncio.Event()
        self.waits.put_nowait((seconds, ended))
        await ended.wait()


class FixedDelegations(Delegations):
    """Delegations that are in force whenever they are asked for, by delegate."""

    def __init__(self, delegators: dict[str, list[str]]) -> None:
        self.delegators = delegators

    def received(self, delegate: str, at: datetime) -> list[Delegation]:
        return [
            Delegation(delegator=delegator, delegate=delegate, until=at + timedelta(hours=1))
            for delegator in self.delegators.get(delegate, [])
        ]


@pytest.fixture
async def client(slack: SlackRecorder) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(
            "xoxb-demo", base_url=f"{slack.url}/api/", session=session, retry_handlers=[]
        )


@pytest.fixture
def cache_clock() -> CacheClock:
    return CacheClock()


@pytest.fixture
def directory(client: AsyncWebClient, cache_clock: CacheClock) -> Directory:
    return open_directory(client, clock=cache_clock)


def open_directory(
    client: AsyncWebClient,
    delegators: dict[str, list[str]] | None = None,
    *,
    config: Config | None = None,
    installation: Installation = OWN,
    within: float = 20,
    clock: Clock | None = None,
) -> Directory:
    policy = PolicyHolder(config or Config(roles=ROLES), Path("secmaster-bot.toml"))
    delegations = FixedDelegations(delegators or {})
    return Directory(
        client, installation, policy, delegations, clock=clock or Clock(), within=within
    )


def lookups(slack: SlackRecorder, method: str) -> list[dict[str, Any]]:
    return [call.args for call in slack.calls if call.method == method]


def actor(user: str, team: str = TEAM) -> Actor:
    return Actor(id=user, team=team)


# Who is who.


@pytest.mark.parametrize(
    ("user", "roles"),
    [
        (ALICE, {"approver", "chief"}),
        (BOB, {"approver"}),
        (CAROL, {"oncall"}),
        (DAVE, {"oncall"}),
    ],
)
async def test_roles_come_from_user_groups_and_from_people(
    directory: Directory, user: str, roles: Any
) -> None:
    assert await directory.principal(actor(user), ROLES) == Principal(user, frozenset(roles))


@pytest.mark.parametrize("user", [GUEST, SOLO])
async def test_guests_are_known_for_guests(directory: Directory, user: str) -> None:
    assert await directory.principal(actor(user), ROLES) == Principal(user, guest=True)


async def test_somebody_of_another_organisation_is_an_outsider(directory: Directory) -> None:
    assert await directory.principal(actor(OUTSIDER), ROLES) == Principal(OUTSIDER, outsider=True)


async def test_somebody_who_comes_in_from_another_workspace_is_an_outsider(
    directory: Directory,
) -> None:
    member = await directory.principal(actor(ALICE, team="T0OTHER"), ROLES)
    assert member.outsider


async def test_a_stranger_who_shows_our_team_is_still_an_outsider(
    slack: SlackRecorder, directory: Directory
) -> None:
    slack.workspace.users[BOB]["is_stranger"] = True
    assert (await directory.principal(actor(BOB), ROLES)).outsider


async def test_a_person_of_another_team_is_an_outsider_even_when_slack_says_no_more(
    slack: SlackRecorder, directory: Directory
) -> None:
    slack.workspace.users[BOB]["team_id"] = "T0OTHER"
    assert (await directory.principal(actor(BOB), ROLES)).outsider


async def test_where_the_team_is_not_told_slack_is_believed(directory: Directory) -> None:
    assert not (await directory.principal(Actor(id=ALICE), ROLES)).outsider
    assert (await directory.principal(Actor(id=OUTSIDER), ROLES)).outsider


async def test_without_roles_no_group_is_asked_for(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    assert await open_directory(client).principal(actor(ALICE), {}) == Principal(ALICE)
    assert lookups(slack, "usergroups.list") == []


async def test_a_group_that_two_roles_share_is_asked_for_once(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    roles = {"one": Role(usergroups=("S0SOC",)), "two": Role(usergroups=("S0SOC",))}
    member = await open_directory(client).principal(actor(BOB), roles)
    assert member.roles == {"one", "two"}
    assert len(lookups(slack, "usergroups.list")) == 1


async def test_people_are_called_by_their_names(directory: Directory) -> None:
    assert await directory.name(ALICE) == "Alice"


async def test_somebody_without_a_real_name_goes_by_the_handle(
    slack: SlackRecorder, directory: Directory
) -> None:
    slack.workspace.users[ALICE]["real_name"] = ""
    assert await directory.name(ALICE) == "alice"


# What is kept, and for how long.


async def test_an_answer_is_kept_for_a_minute_and_no_longer(
    slack: SlackRecorder, directory: Directory, cache_clock: CacheClock
) -> None:
    assert "approver" in (await directory.principal(actor(BOB), ROLES)).roles
    slack.workspace.groups["S0SOC"]["users"].remove(BOB)
    slack.workspace.users[BOB]["is_restricted"] = True
    cache_clock.passed += 60
    assert await directory.principal(actor(BOB), ROLES) == Principal(BOB, frozenset({"approver"}))
    cache_clock.passed += 0.1
    assert await directory.principal(actor(BOB), ROLES) == Principal(BOB, guest=True)
    assert len(lookups(slack, "users.info")) == 2


async def test_groups_are_kept_for_everybody_and_people_each_for_themselves(
    slack: SlackRecorder, directory: Directory
) -> None:
    for user in (ALICE, BOB, CAROL, ALICE):
        await directory.principal(actor(user), ROLES)
    assert len(lookups(slack, "usergroups.list")) == 1
    assert [call["user"] for call in lookups(slack, "users.info")] == [ALICE, BOB, CAROL]


async def test_many_who_ask_at_once_cause_one_lookup(
    slack: SlackRecorder, directory: Directory
) -> None:
    await slack.faults.set(Fault(on="users.info", hold=True))
    waiting = [asyncio.create_task(directory.principal(actor(ALICE), ROLES)) for _ in range(50)]
    await slack.faults.until_held("users.info")
    await slack.faults.clear()
    assert set(await asyncio.gather(*waiting)) == {
        Principal(ALICE, frozenset({"approver", "chief"}))
    }
    assert len(lookups(slack, "users.info")) == 1
    assert len(lookups(slack, "usergroups.list")) == 1


async def test_when_the_first_to_ask_goes_away_the_others_still_get_their_answer(
    slack: SlackRecorder, directory: Directory
) -> None:
    await slack.faults.set(Fault(on="users.info", hold=True))
    first = asyncio.create_task(directory.principal(actor(ALICE), ROLES))
    await slack.faults.until_held("users.info")
    others = [asyncio.create_task(directory.principal(actor(ALICE), ROLES)) for _ in range(5)]
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await slack.faults.clear()
    assert first.cancelled()
    assert all("approver" in member.roles for member in await asyncio.gather(*others))
    assert len(lookups(slack, "users.info")) == 1


async def test_the_minute_counts_from_the_question_and_not_from_the_answer(
    cache_clock: CacheClock,
) -> None:
    answers = iter(["old", "new"])

    async def look_up(_key: str) -> Any:
        cache_clock.passed += 50
        return next(answers)

    cache = TtlCache(look_up, cache_clock.monotonic)
    assert await cache.get("x") == "old"
    cache_clock.passed += 11
    assert await cache.get("x") == "new"


# When Slack can't be asked.


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: str(f.model_dump(exclude_defaults=True)))
@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_a_lookup_that_fails_is_nobodys_membership_and_is_not_kept(
    slack: SlackRecorder, directory: Directory, fault: Fault, method: str
) -> None:
    await slack.faults.set(fault.model_copy(update={"on": method}))
    with pytest.raises(LookupFailed):
        await directory.principal(actor(ALICE), ROLES)
    await slack.faults.clear()
    with suppress(LookupFailed):  # another group's lookup, that was under way, may still fail
        await directory.principal(actor(ALICE), ROLES)
    assert "approver" in (await directory.principal(actor(ALICE), ROLES)).roles


async def test_a_group_that_slack_does_not_know_gives_nobody_anything(
    client: AsyncWebClient,
) -> None:
    roles = {"typo": Role(usergroups=("S0TYPO",)), "named": Role(users=(ALICE,))}
    directory = open_directory(client)
    assert (await directory.principal(actor(ALICE), roles)).roles == {"named"}
    assert (await directory.principal(actor(BOB), roles)).roles == set()


async def test_somebody_whom_slack_does_not_know_may_nothing(directory: Directory) -> None:
    with pytest.raises(LookupFailed, match="user_not_found"):
        await directory.principal(actor("U0NOBODY"), ROLES)


async def test_when_nobody_listens_the_lookup_fails(
    slack: SlackRecorder, directory: Directory
) -> None:
    await slack.stop()
    with pytest.raises(LookupFailed):
        await directory.principal(actor(ALICE), ROLES)
    assert await directory.name(ALICE) == ALICE


async def test_everybody_who_waited_for_a_lookup_that_fails_is_told(
    slack: SlackRecorder, directory: Directory
) -> None:
    await slack.faults.set(Fault(on="users.info", hold=True, applied=True, status=500))
    waiting = [asyncio.create_task(directory.principal(actor(ALICE), ROLES)) for _ in range(10)]
    await slack.faults.until_held("users.info")
    await slack.faults.clear()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in ended] == [LookupFailed] * 10
    assert len(lookups(slack, "users.info")) == 1


async def test_no_token_is_seen_in_what_a_failed_lookup_says(
    slack: SlackRecorder, directory: Directory
) -> None:
    await slack.faults.set(Fault(on="users.info", status=500))
    with pytest.raises(LookupFailed) as caught:
        await directory.principal(actor(ALICE), ROLES)
    assert "xoxb-demo" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: str(f.model_dump(exclude_defaults=True)))
async def test_while_slack_cannot_be_asked_a_person_goes_by_the_id(
    slack: SlackRecorder, directory: Directory, fault: Fault
) -> None:
    await slack.faults.set(fault.model_copy(update={"on": "users.info"}))
    assert await directory.name(ALICE) == ALICE
    await slack.faults.clear()
    assert await directory.name(ALICE) == "Alice"


# Lent rights.


async def test_many_clicks_at_once_ask_once_about_each_group_and_each_person(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    directory = open_directory(client, {user: [CAROL] for user in (ALICE, BOB, DAVE)})
    await slack.faults.set(Fault(on="usergroups.list", hold=True))
    users = [ALICE, BOB, DAVE] * 10
    waiting = [asyncio.create_task(directory.principal(actor(user), ROLES)) for user in users]
    await slack.faults.until_held("usergroups.list")
    await slack.faults.clear()
    members = await asyncio.gather(*waiting)
    assert {lender.id for member in members for lender in member.delegators} == {CAROL}
    assert [member.delegators[0].roles for member in members] == [{"oncall"}] * 30
    assert len(lookups(slack, "usergroups.list")) == 1
    assert len(lookups(slack, "users.info")) == 4


async def test_what_lenders_were_lent_is_not_theirs_to_lend(client: AsyncWebClient) -> None:
    delegators = {DAVE: [CAROL], CAROL: [ALICE]}
    member = await open_directory(client, delegators).principal(actor(DAVE), ROLES)
    [lender] = member.delegators
    assert (lender.id, set(lender.roles), lender.delegators) == (CAROL, {"oncall"}, ())


async def test_a_lender_who_left_has_nothing_to_lend(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    delegators = {DAVE: [ALICE]}
    slack.workspace.users[ALICE]["deleted"] = True
    member = await open_directory(client, delegators).principal(actor(DAVE), ROLES)
    assert member.delegators[0].roles == set()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: str(f.model_dump(exclude_defaults=True)))
async def test_while_a_lender_cannot_be_asked_about_nobody_is_known(
    slack: SlackRecorder, client: AsyncWebClient, fault: Fault
) -> None:
    delegators = {DAVE: [ALICE]}
    directory = open_directory(client, delegators)
    await open_directory(client).principal(actor(DAVE), ROLES)
    await slack.faults.set(fault.model_copy(update={"on": "users.info"}))
    with pytest.raises(LookupFailed):
        await directory.principal(actor(DAVE), ROLES)
    await slack.faults.clear()
    assert "approver" in (await directory.principal(actor(DAVE), ROLES)).delegators[0].roles


@pytest.mark.parametrize(
    "name", [None, "", "Mars/Olympus", "Europe", "../../etc/passwd", "a\0b", 3]
)
async def test_a_persons_zone_is_their_own_and_an_offset_where_its_name_is_unknown(
    slack: SlackRecorder, directory: Directory, name: object
) -> None:
    slack.workspace.users[ALICE] |= {"tz": "Europe/Berlin", "tz_offset": 3600}
    slack.workspace.users[BOB] |= {"tz": name, "tz_offset": -3600}
    slack.workspace.users[DAVE] |= {"tz": name, "tz_offset": None}
    zones = [await directory.time_zone(user) for user in (ALICE, BOB, DAVE)]
    winter, summer = datetime(2026, 1, 1), datetime(2026, 7, 1)  # noqa: DTZ001 - by their clocks
    hours = timedelta(hours=1)
    assert [zone.utcoffset(winter) for zone in zones] == [hours, -hours, 0 * hours]
    assert [zone.utcoffset(summer) for zone in zones] == [2 * hours, -hours, 0 * hours]
    await slack.faults.set(Fault(on="users.info", status=500))
    with pytest.raises(LookupFailed):
        await directory.time_zone(CAROL)


async def test_who_may_have_another_id_is_nobody_until_slack_says_whose_it_is(
    slack: SlackRecorder, client: AsyncWebClient, directory: Directory
) -> None:
    slack.workspace.give_enterprise_id(ALICE, "W0ALICE")
    assert "chief" in (await directory.principal(actor("W0ALICE"), ROLES)).roles
    other = open_directory(client)
    await other.name("W0ALICE")
    await slack.faults.set(Fault(on="users.info", status=500))
    with pytest.raises(LookupFailed):
        await other.principal(actor("W0ALICE"), ROLES)


async def test_nobodys_rights_help_a_closed_account(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    directory = open_directory(client, {BOB: [ALICE]})
    slack.workspace.users[BOB]["deleted"] = True
    principal = await directory.principal(actor(BOB), ROLES)
    assert (principal.roles, principal.delegators) == (frozenset(), ())


# Many user groups, and a Slack that is slow or in trouble.

MINUTE_LATER = 61.0
MANY = [f"S0GROUP{number:02d}" for number in range(25)]


def add_group(slack: SlackRecorder, group: str, *people: str) -> None:
    slack.workspace.groups[group] = {"id": group, "users": list(people)}


async def test_more_groups_than_slack_takes_questions_about_are_one_question(
    slack: SlackRecorder, client: AsyncWebClient, cache_clock: CacheClock
) -> None:
    for group in MANY:
        add_group(slack, group, BOB)
    roles = {group.lower(): Role(usergroups=(group,)) for group in MANY}
    directory = open_directory(client, clock=cache_clock)
    slack.limits.on = True
    for _ in range(3):
        assert len((await directory.principal(actor(BOB), roles)).roles) == len(MANY)
        cache_clock.passed += MINUTE_LATER
    assert len(lookups(slack, "usergroups.list")) == 3
    assert lookups(slack, "usergroups.users.list") == []


async def test_lists_and_groups_of_more_than_a_page_are_read_whole(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    for number in range(GROUP_PAGE):
        add_group(slack, f"S1FILLER{number}", CAROL)
    add_group(slack, "S2LAST", *(f"U1FILLER{number}" for number in range(GROUP_PAGE)), BOB)
    roles = {"last": Role(usergroups=("S2LAST",))}
    assert (await open_directory(client).principal(actor(BOB), roles)).roles == {"last"}
    assert len(lookups(slack, "usergroups.list")) == 2
    assert [call["usergroup"] for call in lookups(slack, "usergroups.users.list")] == ["S2LAST"] * 2


async def test_the_trouble_of_a_group_is_that_of_its_own_roles_alone(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    roles = {**ROLES, "other": Role(usergroups=("S0OTHER",))}
    directory = open_directory(client)
    await slack.faults.set(Fault(on="usergroups.users.list", status=500))
    assert (await directory.principal(actor(BOB), ROLES)).roles == {"approver"}
    with pytest.raises(LookupFailed):
        await directory.principal(actor(BOB), roles)


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: str(f.model_dump(exclude_defaults=True)))
async def test_who_was_known_a_moment_ago_is_known_while_slack_is_in_trouble(
    slack: SlackRecorder,
    directory: Directory,
    cache_clock: CacheClock,
    fault: Fault,
    method: str,
) -> None:
    await directory.principal(actor(BOB), ROLES)
    asked = len(slack.calls)
    await slack.faults.set(fault.model_copy(update={"on": method}))
    cache_clock.passed += MINUTE_LATER
    if fault.code in {"missing_scope", "token_revoked"}:  # these are answers
        with pytest.raises(LookupFailed):
            await directory.principal(actor(BOB), ROLES)
        return
    for _ in range(20):
        assert (await directory.principal(actor(BOB), ROLES)).roles == {"approver"}
    # One for each method, and not one for each click; aiohttp repeats what was cut off.
    assert len(slack.calls) <= asked + 3
    cache_clock.passed += MAX_AGE
    with pytest.raises(LookupFailed):
        await directory.principal(actor(BOB), ROLES)


async def test_a_slack_that_takes_too_long_refuses_nobody_whom_it_told_before_and_still_renews(
    slack: SlackRecorder, client: AsyncWebClient, cache_clock: CacheClock
) -> None:
    directory = open_directory(client, within=0.8, clock=cache_clock)
    await directory.warm_up()
    await directory.principal(actor(BOB), ROLES)
    for method in ("users.info", "usergroups.list"):
        await slack.faults.set(Fault(on=method, hold=True))
    slack.workspace.groups["S0SOC"]["users"].remove(BOB)
    cache_clock.passed += MINUTE_LATER
    for _ in range(100):
        assert (await directory.principal(actor(BOB), ROLES)).roles == {"approver"}
    await directory.identify(actor(BOB))
    assert len(lookups(slack, "users.info")) == 2
    await slack.faults.clear()
    await slack.until(lambda: all(call.ok for call in slack.calls))
    assert (await directory.principal(actor(BOB), ROLES)).roles == set()
    assert len(lookups(slack, "usergroups.list")) == 2


@pytest.mark.parametrize(("asked_for", "kept_to"), [(30, 30), (86_400, 60)])
async def test_a_limit_is_kept_to_also_where_nothing_is_known_yet_and_for_a_minute_at_most(
    slack: SlackRecorder,
    directory: Directory,
    cache_clock: CacheClock,
    asked_for: int,
    kept_to: int,
) -> None:
    fault = Fault(on="usergroups.list", status=429, retry_after=asked_for, times=1)
    await slack.faults.set(fault)
    for _ in range(3):
        with pytest.raises(LookupFailed) as caught:
            await directory.principal(actor(BOB), ROLES)
        assert caught.value.is_temporary
    assert len(lookups(slack, "usergroups.list")) == 1
    cache_clock.passed += kept_to
    assert (await directory.principal(actor(BOB), ROLES)).roles == {"approver"}


@pytest.mark.parametrize("change", ["deleted", "unknown"])
async def test_what_slack_says_for_certain_is_never_overridden_by_what_it_said_before(
    slack: SlackRecorder, directory: Directory, cache_clock: CacheClock, change: str
) -> None:
    await directory.principal(actor(BOB), ROLES)
    person = slack.workspace.users[BOB]
    if change == "deleted":
        person["deleted"] = True
    else:
        del slack.workspace.users[BOB]
    cache_clock.passed += MINUTE_LATER
    if change == "deleted":
        assert (await directory.principal(actor(BOB), ROLES)).roles == set()
    else:
        with pytest.raises(LookupFailed, match="user_not_found"):
            await directory.principal(actor(BOB), ROLES)
    cache_clock.passed += MINUTE_LATER
    await slack.faults.set(Fault(on="users.info", status=500))
    if change == "deleted":
        assert (await directory.principal(actor(BOB), ROLES)).roles == set()
    else:
        with pytest.raises(LookupFailed, match="user_not_found"):
            await directory.principal(actor(BOB), ROLES)


async def test_groups_are_looked_up_before_anybody_clicks(
    slack: SlackRecorder, directory: Directory
) -> None:
    await directory.warm_up()
    await slack.faults.set(Fault(on="usergroups.list", status=500))
    assert (await directory.principal(actor(BOB), ROLES)).roles == {"approver"}


async def test_a_start_while_slack_does_not_answer_is_a_start(
    slack: SlackRecorder, directory: Directory
) -> None:
    await slack.faults.set(Fault(on="usergroups.list", status=500))
    await directory.warm_up()
    await slack.faults.clear()
    assert (await directory.principal(actor(BOB), ROLES)).roles == {"approver"}


# Enterprise Grid.

GRID = Installation(TEAM, ENTERPRISE)
ERIN = "U0ERIN"


@pytest.mark.parametrize(
    ("enterprise", "workspaces", "outsider"),
    [
        (ENTERPRISE, (), False),
        (ENTERPRISE, ("T0THIRD", SISTER_TEAM), False),
        (ENTERPRISE, ("T0THIRD",), True),
        ("E0STRANGE", (), True),
    ],
)
async def test_colleagues_of_other_workspaces_are_ours_unless_the_policy_says_otherwise(
    slack: SlackRecorder,
    client: AsyncWebClient,
    enterprise: str,
    workspaces: tuple[str, ...],
    outsider: bool,
) -> None:
    slack.workspace.join_enterprise()
    add_colleague(slack.workspace, ERIN, "Erin", enterprise=enterprise)
    slack.workspace.groups["S0SOC"]["users"].append(ERIN)
    organisation = Organisation(workspaces=workspaces) if workspaces else Organisation()
    config = Config(roles=ROLES, organisation=organisation)
    directory = open_directory(client, config=config, installation=GRID)
    person = await directory.principal(Actor(id=ERIN), ROLES)
    assert person.outsider is outsider
    assert person.roles == {"approver"}
    assert not (await directory.principal(actor(ALICE), ROLES)).outsider


@pytest.mark.parametrize("listed", ["U0ALICE", "W0ALICE"])
@pytest.mark.parametrize("asked", ["U0ALICE", "W0ALICE"])
async def test_a_group_that_lists_the_other_id_of_a_person_has_them(
    slack: SlackRecorder, client: AsyncWebClient, listed: str, asked: str
) -> None:
    slack.workspace.join_enterprise()
    slack.workspace.give_enterprise_id(ALICE, "W0ALICE")
    slack.workspace.groups["S0SOC"]["users"] = [listed]
    directory = open_directory(client, installation=GRID)
    assert "approver" in (await directory.principal(Actor(id=asked), ROLES)).roles
    await directory.warm_up()
    lookups_before = len(lookups(slack, "users.info"))
    add_group(slack, "S0DENIED", BOB, CAROL, DAVE, listed)
    denied = {"denied": Role(usergroups=("S0DENIED",))}
    other = open_directory(client, installation=GRID)
    await other.warm_up()
    assert (await other.principal(Actor(id=asked), denied)).roles == {"denied"}
    assert len(lookups(slack, "users.info")) == lookups_before + 1


async def test_who_may_be_in_a_group_by_another_id_is_nobody_while_slack_does_not_say(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    slack.workspace.join_enterprise()
    slack.workspace.give_enterprise_id(ALICE, "W0ALICE")
    slack.workspace.groups["S0SOC"]["users"] = [ALICE]
    directory = open_directory(client, installation=GRID)
    await directory.name("W0ALICE")
    await slack.faults.set(Fault(on="users.info", status=500))
    with pytest.raises(LookupFailed):
        await directory.principal(Actor(id="W0ALICE"), ROLES)


async def test_an_app_of_the_whole_enterprise_names_the_workspaces_that_it_asks_about(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    slack.workspace.join_enterprise(org_wide=True)
    add_group(slack, "S0SISTER", BOB)
    slack.workspace.groups["S0SISTER"]["team_id"] = SISTER_TEAM
    roles = {**ROLES, "sister": Role(usergroups=("S0SISTER", "S0GONE"))}
    organisation = Organisation(workspaces=(TEAM, SISTER_TEAM))
    installation = Installation.read(await client.auth_test())
    assert installation == Installation("", ENTERPRISE, is_org_wide=True)
    directory = open_directory(
        client, config=Config(roles=roles, organisation=organisation), installation=installation
    )
    await directory.warm_up()
    assert (await directory.principal(Actor(id=BOB), roles)).roles == {"approver", "sister"}
    teams = [call["team_id"] for call in lookups(slack, "usergroups.list")]
    assert sorted(teams) == [TEAM, SISTER_TEAM]


async def open_org_wide(
    slack: SlackRecorder,
    client: AsyncWebClient,
    roles: dict[str, Role],
    clock: Clock | None = None,
) -> Directory:
    """Open the directory of an app of the whole enterprise, with two workspaces that count."""
    slack.workspace.join_enterprise(org_wide=True)
    organisation = Organisation(workspaces=(TEAM, SISTER_TEAM))
    config = Config(roles=roles, organisation=organisation)
    installation = Installation.read(await client.auth_test())
    return open_directory(client, config=config, installation=installation, clock=clock)


async def test_a_group_that_two_workspaces_list_has_the_people_of_both(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    add_group(slack, "S0BOTH", BOB)
    add_group(slack, "S0HALF", CAROL)
    sister = {"S0BOTH": [DAVE], "S0HALF": [f"U1FILLER{number}" for number in range(GROUP_PAGE)]}
    slack.workspace.groups_elsewhere[SISTER_TEAM] = {
        group: {"id": group, "users": people} for group, people in sister.items()
    }
    roles = {"both": Role(usergroups=("S0BOTH",)), "half": Role(usergroups=("S0HALF",))}
    directory = await open_org_wide(slack, client, roles)
    assert await directory.group_members("S0BOTH") == {BOB, DAVE}
    # What one of them does not list whole is asked of both.
    assert await directory.group_members("S0HALF") == {CAROL, *sister["S0HALF"]}


async def test_a_workspace_that_refuses_the_bot_hides_only_what_may_be_there(
    slack: SlackRecorder, client: AsyncWebClient, cache_clock: CacheClock
) -> None:
    careful = SlackClient(
        token="xoxb-demo",
        base_url=client.base_url,
        session=client.session,
        retry_handlers=[],
    )
    roles = {**ROLES, "denied": Role(usergroups=("S0ELSEWHERE",))}
    directory = await open_org_wide(slack, careful, roles, cache_clock)
    slack.workspace.teams_without_app.add(SISTER_TEAM)
    for _ in range(3):
        person = await directory.principal(Actor(id=BOB), ROLES)
        assert person.roles == {"approver"}
        assert not person.outsider
        with pytest.raises(LookupFailed, match="workspace_closed"):
            await directory.principal(Actor(id=BOB), roles)
    assert careful.token_health.refusal == ""
    teams = [call["team_id"] for call in lookups(slack, "usergroups.list")]
    assert sorted(teams) == [TEAM, SISTER_TEAM]  # it is an answer, and kept for a minute
    slack.workspace.teams_without_app.clear()
    cache_clock.passed += MINUTE_LATER
    assert (await directory.principal(Actor(id=BOB), roles)).roles == {"approver"}


CROWD = [f"U0CROWD{number:02d}" for number in range(FEW + 1)]
STAFF = {"staff": Role(users=(*CROWD, ALICE))}


def add_crowd(slack: SlackRecorder) -> None:
    """Make the workspace a part of an enterprise, with more people than are asked about singly."""
    slack.workspace.join_enterprise()
    for id_ in CROWD:
        add_colleague(slack.workspace, id_, id_.title())


async def test_ids_that_nobody_goes_by_are_not_asked_about_at_every_click(
    slack: SlackRecorder, client: AsyncWebClient, cache_clock: CacheClock
) -> None:
    add_crowd(slack)
    gone = [f"U0GONE{number:02d}" for number in range(FEW + 1)]
    identities = Identities(users={id_: id_.lower() for id_ in (*CROWD, *gone, OUTSIDER)})
    config = Config(roles=STAFF, identities=identities)
    directory = open_directory(client, config=config, installation=GRID, clock=cache_clock)
    await directory.warm_up()
    assert len(lookups(slack, "users.list")) == 1
    assert sorted(call["user"] for call in lookups(slack, "users.info")) == gone
    for _ in range(3):  # only Alice herself is asked about
        slack.calls.clear()
        assert (await directory.principal(actor(ALICE), STAFF)).roles == {"staff"}
        assert [call["user"] for call in lookups(slack, "users.info")] == [ALICE]
        cache_clock.passed += MINUTE_LATER
    # Not for ever: one may be somebody's by then.
    cache_clock.passed += ABSENT_FOR
    await directory.principal(actor(ALICE), STAFF)
    assert {call["user"] for call in lookups(slack, "users.info")} == {ALICE, OUTSIDER, *gone}


async def test_a_click_waits_for_the_list_and_does_not_ask_for_each_of_many_ids(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    add_crowd(slack)
    directory = open_directory(client, config=Config(), installation=GRID)
    await directory.warm_up()
    assert lookups(slack, "users.list") == []  # until a reload the policy names nobody
    await slack.faults.set(Fault(on="users.list", hold=True))
    clicks = [asyncio.create_task(directory.principal(actor(user), STAFF)) for user in (ALICE, BOB)]
    await slack.faults.until_held("users.list")
    await slack.faults.clear()
    assert [set(person.roles) for person in await asyncio.gather(*clicks)] == [{"staff"}, set()]
    assert len(lookups(slack, "users.list")) == 1
    assert {call["user"] for call in lookups(slack, "users.info")} == {ALICE, BOB}


async def test_while_people_can_not_be_listed_few_ids_are_asked_about_at_once(
    slack: SlackRecorder, client: AsyncWebClient
) -> None:
    add_crowd(slack)
    clock = WaitingClock()
    config = Config(roles=STAFF)
    directory = open_directory(client, config=config, installation=GRID, clock=clock)
    await slack.faults.set(Fault(on="users.list", status=500))
    warming_up = asyncio.create_task(directory.warm_up())
    seconds, ended = await clock.waits.get()
    assert seconds == RETRY_INTERVAL
    await directory.name(ALICE)
    await slack.faults.set(Fault(on="users.info", hold=True))
    click = asyncio.create_task(directory.principal(actor(ALICE), STAFF))
    await slack.faults.until_held("users.info", AT_ONCE)
    await client.auth_test()  # whatever was sent with them has come by now
    assert slack.faults.held["users.info"] == AT_ONCE
    assert len(lookups(slack, "users.list")) == 1  # not anew for each click
    await slack.faults.clear("users.info")
    assert (await click).roles == {"staff"}
    await slack.faults.clear()
    clock.passed += seconds
    ended.set()
    await warming_up
    assert len(lookups(slack, "users.list")) == 2

"""Check the policy by itself, and offer the ids of those whom it names by something else."""

from bot.cli.doctor.results import CheckFailed, NotChecked, Result, failed, ok
from bot.cli.doctor.slack_access import calls_of_slack
from bot.cli.doctor.subject import PolicyRefused, Subject
from bot.domain.slack import DestinationKind
from bot.messages.catalogue import Catalogue
from bot.messages.permissions import missing_read_rules, nobody_reads
from bot.policy.ids import NotAnId
from bot.slack.lookups import items
from bot.slack.roster import PersonState

PAGE = 1000  # channels that Slack lists at once
CHANNEL_TYPES = "public_channel,private_channel"


async def check_policy(subject: Subject) -> list[Result]:
    """Check that the policy can be read, has rules, and lets somebody read what there is."""
    file = subject.settings.bot_config
    try:
        config = await subject.policy.get()
    except PolicyRefused as refused:
        return [
            failed(f"{file}: {problem.line}{await offer(subject, problem.not_an_id)}")
            for problem in refused.problems
        ]
    if not config.rules:
        raise CheckFailed(f"{file} has no rules, so nobody may do anything")
    if unread := nobody_reads(Catalogue.english(), config):
        raise CheckFailed(f"{unread} Add to {file}:\n{missing_read_rules(config)}")
    return [ok(f"{len(config.roles)} roles, {len(config.rules)} rules")]


async def offer(subject: Subject, not_an_id: NotAnId | None) -> str:
    """Return the end of a sentence about a name or an address: whose id is meant.

    "" where Slack can't be asked, knows nobody by it, or knows several.
    """
    if not_an_id is None:
        return ""
    label = not_an_id.text.lstrip("@#").casefold()
    matches: list[tuple[str, str]] = []  # each with its id
    try:
        for kind in not_an_id.kinds:
            matches += [
                (id_, title)
                for id_, title, labels in await _labelled(subject, kind)
                if label in map(str.casefold, labels)
            ]
    except (CheckFailed, NotChecked):
        return ""
    if len(matches) != 1:
        return ""
    [(id_, title)] = matches
    return f"; {title} is {id_}"


async def _labelled(
    subject: Subject, kind: DestinationKind
) -> list[tuple[str, str, frozenset[str]]]:
    """Return everything of a kind in Slack: its id, a title, and all that it may be called."""
    if kind is DestinationKind.PERSON:
        everybody = (await subject.people.need()).people.values()
        members = {person for person in everybody if person.state is PersonState.MEMBER}
        return [(person.id, person.name, person.labels) for person in members]
    if kind is DestinationKind.USERGROUP:
        groups = (await subject.groups.need()).values()
        return [(group.id, f"@{group.labels[0]}", frozenset(group.labels)) for group in groups]
    client = (await subject.slack.need()).client
    with calls_of_slack(subject.settings):
        channels = items(
            client.conversations_list,
            "channels",
            types=CHANNEL_TYPES,
            exclude_archived=True,
            limit=PAGE,
        )
        return [
            (str(channel["id"]), f"#{channel['name']}", frozenset({str(channel["name"])}))
            async for channel in channels
        ]

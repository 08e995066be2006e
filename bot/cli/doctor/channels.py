"""Check the channels that the policy names: that the bot can post there, and who else reads it."""

import asyncio
from collections.abc import Iterator

from slack_sdk.errors import SlackApiError

from bot.cli.doctor.results import Result, State, failed, note, ok
from bot.cli.doctor.slack_access import calls_of_slack, scope_missing
from bot.cli.doctor.subject import Subject
from bot.policy.config import Config
from bot.policy.references import by_id, channels, places
from bot.slack.audience import Audience, read_audience
from bot.slack.client import code_of
from bot.slack.error_codes import SlackErrorKind, kind_of, may_pass

POST_UNINVITED = "chat:write.public"


async def check_channels(subject: Subject) -> list[Result]:
    """Look at each channel that the policy names, all side by side."""
    config, access = await subject.policy.need(), await subject.slack.need()
    references = by_id(channels(config))
    results = [ok(f"{len(references)} named by the policy")]
    if not references:
        return results
    roster = await subject.people.need()
    posts_uninvited = POST_UNINVITED in {scope.strip() for scope in access.granted.split(",")}

    async def look(channel: str) -> list[Result]:
        where = f"({places(references[channel])})"
        try:
            audience = await read_audience(access.client, channel, roster.guests)
        except SlackApiError as error:
            kind = kind_of(code_of(error))
            if may_pass(kind):
                raise
            if kind is SlackErrorKind.SCOPE_MISSING:
                return [Result(State.NOT_CHECKED, scope_missing(error))]
            return [failed(_hidden(channel, where, code_of(error)))]
        name = f"#{audience.name} ({channel})"
        if problem := _obstacle(audience, posts_uninvited=posts_uninvited):
            return [failed(f"nothing can be posted in {name}: {problem} {where}")]
        return list(_readers(name, audience, config))

    with calls_of_slack(subject.settings):
        for answers in await asyncio.gather(*map(look, sorted(references))):
            results += answers
    if roster.is_partial:
        results.append(note("there are more people than were looked at for guests"))
    return results


def _hidden(channel: str, where: str, code: str) -> str:
    if code == "channel_not_found":
        return (
            f"Slack shows the bot no channel {channel} {where}: correct the id, or invite the bot "
            "if it is a private channel"
        )
    return f"{channel} can't be read ({code}) {where}: correct the id, or invite the bot"


def _obstacle(audience: Audience, *, posts_uninvited: bool) -> str:
    """Return why the bot can't post in a channel, and what to do; "" where it can."""
    if audience.is_archived:
        return "it is archived; unarchive it, or name another"
    if not audience.is_member and (audience.is_private or not posts_uninvited):
        return f"the bot is not in it; invite it, or give the app the scope {POST_UNINVITED}"
    return ""


def _readers(name: str, audience: Audience, config: Config) -> Iterator[Result]:
    """Yield who else reads what is posted in a channel."""
    if audience.guests:
        yield note(f"{audience.guests} guests read what is posted in {name}")
    if audience.shared and config.channels.shared:
        yield note(f"another organisation reads what is posted in {name}")
    elif audience.shared:
        yield failed(
            f"another organisation shares {name}, so nothing is posted there: set shared = true "
            "under [channels] if it may read the cards, or name another channel"
        )

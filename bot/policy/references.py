"""Whom and what of Slack the policy names, and where in the file.

Knows no Slack: whether they are there is asked in `bot.slack`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.domain.slack import Destination, DestinationKind
from bot.policy.config import Config
from bot.policy.routes import titled_routes


@dataclass(frozen=True, slots=True)
class Reference:
    """An id of Slack's that stands in the policy, and its place there, as it is written.

    ``is_enough_to_exist``: nothing depends on its being able to act, or on its having people, as
    of whoever is only mentioned, and of one user group among others.
    """

    id: str
    place: str
    is_enough_to_exist: bool = False

    @property
    def kind(self) -> DestinationKind:
        """What it is the id of."""
        return Destination.parse(self.id).kind


def channels(config: Config) -> Iterator[Reference]:
    """Yield every channel that the policy names."""
    for title, route in titled_routes(config.routes):
        yield from _all([route.channel], f"{_written(title)}: channel")
    for number, digest in enumerate(config.digests, 1):
        yield Reference(digest.channel, f"[[digests]] {number}: channel")
    yield from _all([config.watch.fallback], "[watch] fallback")
    yield from _all([config.break_glass.channel], "[break_glass] channel")
    yield from _all(config.channels.allow, "[channels] allow")


def people_and_groups(config: Config) -> Iterator[Reference]:
    """Yield every person and user group that the policy names."""
    for name, role in config.roles.items():
        yield from _all(role.users, f"[roles.{name}] users")
        yield from _all(role.usergroups, f"[roles.{name}] usergroups", exists=True)
    for title, route in titled_routes(config.routes):
        yield from _all([route.user], f"{_written(title)}: user")
        yield from _all([route.usergroup], f"{_written(title)}: usergroup")
        yield from _all(route.mention, f"{_written(title)}: mention", exists=True)
    yield from _all(config.watch.admins, "[watch] admins")
    yield from _all(config.watch.oncall, "[watch] oncall", exists=True)
    yield from _all(config.identities.users, "[identities] users", exists=True)


def by_id(references: Iterable[Reference]) -> dict[str, list[Reference]]:
    """Return all references to each id."""
    grouped: dict[str, list[Reference]] = {}
    for reference in references:
        grouped.setdefault(reference.id, []).append(reference)
    return grouped


def places(references: Iterable[Reference]) -> str:
    """Return where in the file these stand, in words."""
    return ", ".join(dict.fromkeys(reference.place for reference in references))


def _written(title: str) -> str:
    return title.replace("route", "[[routes]]", 1)


def _all(ids: Iterable[str], place: str, *, exists: bool = False) -> Iterator[Reference]:
    return (Reference(id_, place, exists) for id_ in ids if id_)

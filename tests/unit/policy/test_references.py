"""Every id of Slack's that the policy can name is a reference, with its place as it is written."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import AfterValidator, BaseModel

from bot.policy.config import Config, parse
from bot.policy.ids import CHECK_CHANNEL, CHECK_MENTION, CHECK_USER, CHECK_USERGROUP
from bot.policy.references import by_id, channels, people_and_groups, places

CHECKS = {CHECK_CHANNEL, CHECK_MENTION, CHECK_USER, CHECK_USERGROUP}
POLICY = """
[roles.a]
users = ["U01"]
usergroups = ["S02"]
[[routes]]
name = "one"
channel = "C03"
tasks = true
mention = ["U04", "S05"]
[[routes]]
user = "U06"
tasks = true
[[routes]]
usergroup = "S07"
tasks = true
[[digests]]
channel = "C08"
at = ["08:30"]
[channels]
allow = ["C09"]
[break_glass]
channel = "C10"
[watch]
fallback = "C11"
admins = ["U12"]
oncall = ["S13"]
[identities.users]
U14 = "fourteen"
"""


def keys_with_ids(model: type[BaseModel]) -> Iterator[str]:
    """Yield the keys, anywhere in the file, whose values are checked to be ids of Slack."""
    for name, field in model.model_fields.items():
        parts = [*field.metadata, *walk(field.annotation)]
        if any(isinstance(part, AfterValidator) and part.func in CHECKS for part in parts):
            yield f"{model.__name__}.{name}"
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from keys_with_ids(part)


def walk(annotation: Any) -> Iterator[Any]:
    """Yield a type, and all types and checks that it is made of."""
    yield annotation
    for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield from walk(part)


def test_each_key_that_names_somebody_or_something_of_slack_is_looked_up() -> None:
    config = parse(POLICY)
    references = [*channels(config), *people_and_groups(config)]
    assert {each.id for each in references} == set(re.findall(r"[UCS][01]\d", POLICY))
    assert len({re.sub(r" \d.*:", ":", each.place) for each in references}) == len(
        set(keys_with_ids(Config))
    )


def test_a_place_is_named_as_it_is_written_and_once() -> None:
    config = parse(POLICY.replace("U12", "U01").replace("U04", "U01"))
    named = by_id(people_and_groups(config))
    assert places(named["U01"]) == "[roles.a] users, [[routes]] 1 (one): mention, [watch] admins"

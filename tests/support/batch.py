"""What stories of several objects at once share: the form to choose from, and its question."""

from typing import Any

from tests.support.environment import BotEnvironment
from tests.support.people import SOC

View = dict[str, Any]


async def open_from_list(environment: BotEnvironment, user: str, noun: str) -> View:
    """Press the button under a list, and return the view to choose in."""
    await environment.slack.command(user, SOC, f"/secmaster {noun} list")
    [page] = await environment.slack.until(lambda: environment.slack.ephemerals(user)[-1:])
    await environment.slack.press(user, SOC, page["ts"], "several")
    return await open_view(environment, user, "choosing")


async def choose(  # noqa: PLR0917 - a choice is a person, a view, an action and what it is for
    environment: BotEnvironment,
    user: str,
    view: View,
    action: str,
    ids: list[str] | None = None,
    reason: str = "",
) -> View:
    """Choose an action and objects, all that are offered by default; returns the question."""
    fields: dict[str, Any] = {"action": action}
    if ids is not None:
        fields["objects"] = [
            value for id_ in ids for value in option_values(view) if id_of(value) == id_
        ]
    if reason:
        fields["reason"] = reason
    delivered = await environment.slack.submit(user, view["id"], fields)
    assert (delivered.status, delivered.error) == (200, "")
    return await open_view(environment, user, "confirming")


async def open_view(environment: BotEnvironment, user: str, callback: str) -> View:
    """Return the view that somebody looks at, once it is of this kind."""

    def top() -> View | None:
        views = environment.slack.views(user)
        return views[-1] if views and views[-1]["callback_id"] == callback else None

    view = await environment.slack.until(top)
    assert view
    return view


def objects_element(view: View) -> View:
    """Return the element in which objects are chosen."""
    [element] = [b["element"] for b in view["blocks"] if b.get("block_id") == "objects"]
    return dict(element)


def option_values(view: View) -> list[str]:
    """Return the values of the objects that may be chosen."""
    return [option["value"] for option in objects_element(view)["options"]]


def id_of(value: str) -> str:
    """Return the object's id from the value of its option."""
    return value.split(":")[3]

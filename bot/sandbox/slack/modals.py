"""The methods that show views: ``views.*``.

https://docs.slack.dev/surfaces/modals
"""

from bot.sandbox.slack.asking import Ask, method
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.workspace import Json


@method("views.open", Tier.FOUR)
def open_view(ask: Ask) -> Json:
    return {"view": ask.views.open(str(ask.need("trigger_id")), ask.need("view"))}


@method("views.push", Tier.FOUR)
def push(ask: Ask) -> Json:
    return {"view": ask.views.push(str(ask.need("trigger_id")), ask.need("view"))}


@method("views.update", Tier.FOUR)
def update(ask: Ask) -> Json:
    view_id, external_id = ask.text("view_id"), ask.text("external_id")
    view = ask.views.update(ask.need("view"), view_id, external_id, ask.text("hash"))
    return {"view": view}


@method("views.publish", Tier.FOUR)
def publish(ask: Ask) -> Json:
    user = str(ask.need("user_id"))
    return {"view": ask.views.publish(user, ask.need("view"), ask.text("hash"))}

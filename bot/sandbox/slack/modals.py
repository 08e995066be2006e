"""The Web API methods that show views: ``views.*``.

https://docs.slack.dev/surfaces/modals
"""

from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.methods import MethodCall, method
from bot.sandbox.slack.workspace import Json


@method("views.open", Tier.FOUR)
def open_view(call: MethodCall) -> Json:
    return {"view": call.views.open(str(call.need("trigger_id")), call.need("view"))}


@method("views.push", Tier.FOUR)
def push(call: MethodCall) -> Json:
    return {"view": call.views.push(str(call.need("trigger_id")), call.need("view"))}


@method("views.update", Tier.FOUR)
def update(call: MethodCall) -> Json:
    view_id, external_id = call.text("view_id"), call.text("external_id")
    view = call.views.update(call.need("view"), view_id, external_id, call.text("hash"))
    return {"view": view}


@method("views.publish", Tier.FOUR)
def publish(call: MethodCall) -> Json:
    user = str(call.need("user_id"))
    return {"view": call.views.publish(user, call.need("view"), call.text("hash"))}

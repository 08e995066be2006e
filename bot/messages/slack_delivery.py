"""Say to an operator why nothing of Slack's gets in: what is wrong, and what to do."""

from datetime import timedelta

from bot.domain.slack import EVENTS_PATH, code_text
from bot.messages.catalogue import N_, Catalogue

NOT_THIS_APP = (
    "no request has had a valid signature since the start, so SLACK_SIGNING_SECRET is most likely "
    "not this app's: compare it with Basic Information → Signing Secret"
)
FORGED = (
    "others before had a valid signature: this one was forged, or rewritten on its way in a manner "
    "that can't be told, or, if none is valid any more, the app's signing secret was made anew: "
    "compare SLACK_SIGNING_SECRET with Basic Information → Signing Secret"
)

# What is answered to a command in the place of the bot.
DOCTOR_HEARD = (
    "`secmaster-bot doctor` heard this: Slack reaches the bot. Nothing was done, since the doctor "
    "listens in the bot's place: start the bot, and type it again."
)

# Why there is no connection in Socket Mode.
NO_ADDRESS = "Slack gave no address for a connection in time"
NO_HANDSHAKE = (
    "the websocket's handshake was not answered in time: look for a proxy that holds wss:// back"
)
NO_HELLO = "the connection opened, and Slack's hello did not come in time"
CLOSED_BEFORE_HELLO = "the connection was closed before Slack's hello"
CLOSED_SOON = "the connection was closed soon after it was opened"
SWITCHED_OFF = (
    "Socket Mode is switched off in the app's settings: switch it on (Settings → Socket Mode), or "
    "remove SLACK_APP_TOKEN and set SLACK_SIGNING_SECRET for HTTP"
)
TOO_MANY_CONNECTIONS = (
    "the app has ten connections, and Slack allows no more: end what else runs with this "
    "SLACK_APP_TOKEN, each replica needs two"
)

APP_LEVEL_ADVICE = (
    "Make an app-level token with connections:write (Basic Information → App-Level Tokens)."
)
OTHER_APP = (
    "SLACK_APP_TOKEN is of another app: that takes a restart, that app's SLACK_BOT_TOKEN and its "
    "own database"
)

# What to do about a bot token that is refused, by Slack's code: for the log, and for people.
REFUSAL_ADVICE = {
    "accesslimited": N_("Allow this machine's address for the app's token."),
    "org_login_required": N_("Wait until the workspace has moved into its organisation."),
    "team_access_not_granted": N_("Have the organisation add the app to the workspace again."),
    "team_added_to_org": N_("Wait until the workspace has moved into its organisation."),
}
REFUSAL_ADVICE_DEFAULT = N_(
    "Reinstall the app, set SLACK_BOT_TOKEN to its new token, and reload or restart the bot."
)

# What the log says of connections in Socket Mode.
NOTHING_IS_HEARD = "no connection to Slack: no click arrives, and watching and posting go on"
CONNECTION_MISSING = "a connection to Slack is missing, and clicks arrive over the other"
CONNECTED_AGAIN = "connected to Slack again"
NOT_OF_THIS_APP = "what Slack sent is of another app than SLACK_APP_TOKEN, and was ignored"


def token_advice(code: str) -> str:
    """Say in English what to do about a bot token that is refused with this code."""
    return REFUSAL_ADVICE.get(code, REFUSAL_ADVICE_DEFAULT)


def token_refused(code: str, remedy: str) -> str:
    return f"SLACK_APP_TOKEN is refused ({code}). {remedy}"


def app_refused(code: str) -> str:
    return (
        f"Slack refuses the app a connection ({code}): ask those who administer Slack here whether "
        "the app may be used"
    )


def address_refused(code: str) -> str:
    return f"Slack gave no address for a connection ({code_text(code)})"


def postponed(problem: str, pause: timedelta) -> str:
    return f"{problem}; Slack is not asked again for {Catalogue.english().duration(pause)}"


def handshake_refused(status: int) -> str:
    return f"the websocket's handshake was refused with {status}"


def unreachable(reason: str) -> str:
    return f"Slack can't be reached for a connection: {reason}"


def rewritten(change: str) -> str:
    return (
        f"what stands between Slack and the bot rewrites requests ({change}): have it pass their "
        "bodies on byte for byte"
    )


def or_lost(problem: str) -> str:
    """Add to what may be wrong with a request that its body does not look whole."""
    return f"{problem}; or the body was lost or cut off on its way, by what stands before the bot"


def clock_is_off(age: timedelta) -> str:
    """Say how far off our clock is by the age that a request of Slack's seems to have."""
    direction = "ahead of" if age > timedelta() else "behind"
    return (
        f"this machine's clock is {Catalogue.english().duration(age)} {direction} Slack's, and "
        "what is more than five minutes off is refused: synchronise it"
    )


def replayed(age: timedelta) -> str:
    return (
        f"its time is {Catalogue.english().duration(age)} off while others arrive in time: it was "
        "held up on its way, or sent again by somebody who has read it"
    )


def wrong_path(path: str) -> str:
    return (
        f"Slack posts to {path[:100]}, and the bot answers at {EVENTS_PATH}: correct the app's "
        "request URLs (Slash Commands, Interactivity, Event Subscriptions), or the proxy"
    )

"""A Slack workspace on this machine: Web API, Socket Mode, signed requests, and its people.

It refuses what Slack refuses, in Slack's words, so that what works here has a fair chance
there. Rate limits are off until they are switched on. It does not redeliver events by itself,
and does not send the app the events of its own messages.
"""

from bot.sandbox.slack.delivery import Delivered
from bot.sandbox.slack.server import SlackSandbox

__all__ = ["Delivered", "SlackSandbox"]

"""A local SecMaster: one workspace with its gateway, its IAM and a memory, over real HTTP.

It keeps to what Huawei documents about the endpoints the bot uses, checks every signature,
and refuses what the real one would. ``seed`` names the records it starts with.
"""

from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.journal import Received
from bot.sandbox.secmaster.server import SecMasterSandbox
from bot.sandbox.secmaster.wire import Person, Rejection
from bot.sandbox.secmaster.world import World

__all__ = ["Person", "Received", "Rejection", "SecMasterSandbox", "World", "seed"]

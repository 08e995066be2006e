"""A local SecMaster: one workspace in memory, with its gateway and its IAM, over real HTTP.

It implements the endpoints the bot uses as Huawei documents them, checks every signature,
and refuses what the real one would. ``seed`` names the records it starts with.
"""

from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.around_api import FINDINGS, READS
from bot.sandbox.secmaster.journal import Received
from bot.sandbox.secmaster.server import SecMasterSandbox
from bot.sandbox.secmaster.wire import Person, Rejection
from bot.sandbox.secmaster.world import World

__all__ = [
    "FINDINGS",
    "READS",
    "Person",
    "Received",
    "Rejection",
    "SecMasterSandbox",
    "World",
    "seed",
]

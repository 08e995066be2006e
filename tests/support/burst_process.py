"""The bot in a process of its own, by a clock that runs fast: it is there to be killed.

``python -m tests.support.burst_process <slack> <secmaster> <database> <policy> <epoch> <speed>``
prints its address, and ends when its input does.
"""

import asyncio
import sys
from pathlib import Path

from bot.app import App
from bot.policy.config import load
from bot.runtime.timeouts import Timeouts
from tests.support.child import lines, say
from tests.support.clock import FastClock
from tests.support.environment import settings_for
from tests.support.unsynced import write_without_sync


async def main(*given: str) -> None:
    slack, secmaster, database, policy, epoch, speed = given
    write_without_sync()
    settings = settings_for(slack, secmaster, database)
    fast = FastClock(float(epoch), float(speed))
    # The pause between two drawings is by the loop's own clock.
    patience = Timeouts(render_interval=Timeouts().render_interval / fast.speed)
    async with App(settings, load(Path(policy)), patience, fast) as app:
        say({"url": app.url})
        await (await lines()).read()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

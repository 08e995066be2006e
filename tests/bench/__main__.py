"""``make bench``: measure, and print."""

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console

from tests.bench import audit, page, watching
from tests.bench.child import Child
from tests.bench.clicker import Clicker
from tests.bench.measures import Bench, Measured
from tests.bench.report import show
from tests.bench.scene import scene

SUBJECTS = ("ours", "bolt", "bolt-pbr")


async def main() -> None:
    with Console(stderr=True).status("measuring, for about three minutes"):
        everything = {which: await measured(which) for which in SUBJECTS}
        looked = await page.measured()
        watched = await watching.measured()
        kept = await asyncio.to_thread(audit.measured)
    show(everything)
    page.show(looked)
    watching.show(watched)
    audit.show(kept)


async def measured(which: str) -> Measured:
    """Everything about one program, between sandboxes and in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'bot.db'}"
        async with Clicker() as clicker, scene(clicker) as here:
            addresses = (here.slack.url, here.secmaster.url)
            async with Child("tests.bench.serve", which, *addresses, database) as program:
                here.listen_at((await program.ready())["url"])
                return await Bench(here, ours=which == "ours").run()


asyncio.run(main())

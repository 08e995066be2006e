"""``make bench``: measure, and print."""

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console

from tests.bench import audit, page, watching
from tests.bench.clicker import Clicker
from tests.bench.measures import Bench, Measured
from tests.bench.report import show
from tests.bench.scene import scene
from tests.support.child import Child

SUBJECTS = ("ours", "bolt", "bolt-pbr")


async def main() -> None:
    with Console(stderr=True).status("measuring, for about three minutes"):
        everything = {which: await measured(which) for which in SUBJECTS}
        page_costs = await page.measured()
        watched = await watching.measured()
        audit_costs = await asyncio.to_thread(audit.measured)
    show(everything)
    page.show(page_costs)
    watching.show(watched)
    audit.show(audit_costs)


async def measured(which: str) -> Measured:
    """Everything about one program, between sandboxes and in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'bot.db'}"
        async with Clicker() as clicker, scene(clicker) as stage:
            addresses = (stage.slack.url, stage.secmaster.url)
            async with Child("tests.bench.serve", which, *addresses, database) as program:
                stage.listen_at((await program.ready())["url"])
                return await Bench(stage, ours=which == "ours").run()


asyncio.run(main())

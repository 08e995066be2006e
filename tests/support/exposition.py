"""What ``/metrics`` answers, for a test that counts."""

import re
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bot.domain.watch_status import QueueAges, WatchStatus
from bot.metrics import Metrics
from bot.web.metrics import exposition

NOTHING = WatchStatus(interval=15, polls=(), behind={}, open={}, queued=0, closed_channels=())


def metric_types() -> dict[str, str]:
    """Return the type of each metric that is exposed, by its name."""
    text = exposition(Metrics(), {}, NOTHING, QueueAges()).decode()
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


@dataclass(frozen=True)
class Exposition:
    """One answer: each sample's value by its name and labels."""

    text: str

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a name, without its prefix, that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name == f"secmaster_bot_{name}" and sample.labels.items() >= labels.items()
        )


async def scrape(url: str) -> Exposition:
    """Ask for the metrics, as Prometheus does."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as reply:
        assert reply.status == 200
        return Exposition(await reply.text())

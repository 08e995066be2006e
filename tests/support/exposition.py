"""What ``/metrics`` answers, for a test that counts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bot.domain.watch_status import QueueAges, WatchStatus
from bot.metrics import Metrics
from bot.web.metrics import database_exposition, process_exposition, trouble_exposition

NOTHING = WatchStatus(interval=15, polls=(), behind={}, open={}, queued=0, closed_channels=())


@dataclass(frozen=True)
class Exposition:
    """One answer: each sample's value by its name and labels."""

    text: str

    def samples(self) -> Iterator[Sample]:
        for family in text_string_to_metric_families(self.text):
            yield from family.samples

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a name, without its prefix, that have these labels."""
        return sum(
            sample.value
            for sample in self.samples()
            if sample.name == f"secmaster_bot_{name}" and sample.labels.items() >= labels.items()
        )

    def label_values(self, name: str, label: str) -> set[str]:
        """Return the values that a label of a metric has."""
        return {sample.labels[label] for sample in self.samples() if sample.name == name}


@cache
def nothing_happened() -> Exposition:
    """Return what a bot answers to which nothing has happened yet."""
    texts = (
        process_exposition(Metrics(), {}, ready=True),
        trouble_exposition(()),
        database_exposition(NOTHING, QueueAges()),
    )
    return Exposition(b"".join(texts).decode())


def metric_types() -> dict[str, str]:
    """Return the type of each metric that is exposed, by its name."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", nothing_happened().text, re.MULTILINE))


async def scrape(url: str) -> Exposition:
    """Ask for the metrics, as Prometheus does."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as reply:
        assert reply.status == 200
        return Exposition(await reply.text())

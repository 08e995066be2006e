"""Which troubles there are, as Prometheus reads it."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.domain.troubles import Trouble, TroubleKind


def trouble_exposition(troubles: Sequence[Trouble]) -> bytes:
    """Return the gauge of these troubles: 1 for each kind that there is, else 0."""
    registry = CollectorRegistry()
    registry.register(_Troubles({trouble.kind for trouble in troubles}))
    return generate_latest(registry)


class _Troubles(Collector):
    """A gauge with a sample for each kind, so that a missing one is not taken for 0."""

    def __init__(self, kinds: set[TroubleKind]) -> None:
        self._kinds = kinds

    def collect(self) -> Iterable[Metric]:
        text = "Whether the bot is kept from its work, by what is in trouble."
        gauge = GaugeMetricFamily("secmaster_bot_trouble", text, labels=("kind",))
        for kind in TroubleKind:
            gauge.add_metric([kind], kind in self._kinds)
        return (gauge,)

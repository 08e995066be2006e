"""How polling goes, as Prometheus reads it.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.domain.watch_status import WatchStatus

NAME = "secmaster_bot"


def exposition(health: WatchStatus) -> bytes:
    """Return what ``/metrics`` answers."""
    registry = CollectorRegistry()
    registry.register(_Gauges(health))
    return generate_latest(registry)


class _Gauges(Collector):
    """Gauges of the present: nothing is counted in the process, so replicas agree."""

    def __init__(self, health: WatchStatus) -> None:
        self._health = health

    def collect(self) -> Iterable[Metric]:
        of = self._health
        since = _gauge("watch_since_seconds", "When the watch began.", "workspace")
        ended = _gauge("watch_last_round_seconds", "When its last good round ended.", "workspace")
        behind = _gauge("watch_behind_seconds", "How late the next round is.", "workspace")
        for each in of.polls:
            since.add_metric([each.workspace], each.since.timestamp())
            behind.add_metric([each.workspace], of.behind[each.workspace])
            if each.last_success_at:
                ended.add_metric([each.workspace], each.last_success_at.timestamp())
        waits = _gauge("waiting", "Tasks that wait and runs that failed.", "workspace", "kind")
        for (workspace, noun), number in of.open.items():
            waits.add_metric([workspace, noun], number)
        posts = _gauge("outbox_waiting", "Messages to be posted.")
        posts.add_metric([], of.queued)
        closed = _gauge("channels_closed", "Channels that take no message.")
        closed.add_metric([], len(of.closed_channels))
        return (since, ended, behind, waits, posts, closed)


def _gauge(name: str, what: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{NAME}_{name}", what, labels=labels)

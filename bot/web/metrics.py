"""What ``/metrics`` answers: this process's counts, the troubles, and what the database holds.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.domain.troubles import Trouble, TroubleKind
from bot.domain.watch_status import QueueAges, WatchStatus
from bot.metrics import PREFIX, Metrics
from bot.web.signature import Finding


def process_exposition(metrics: Metrics, requests: Mapping[Finding, int], *, ready: bool) -> bytes:
    """Return what this process counts, and whether it can take a click.

    ``requests`` are counted by what they turned out to be.
    """
    registry = CollectorRegistry()
    registry.register(_Process(requests, ready=ready))
    return generate_latest(metrics.registry) + generate_latest(registry)


def trouble_exposition(troubles: Sequence[Trouble]) -> bytes:
    """Return the gauge of these troubles: 1 for each kind that there is, else 0."""
    registry = CollectorRegistry()
    registry.register(_Troubles({trouble.kind for trouble in troubles}))
    return generate_latest(registry)


def database_exposition(status: WatchStatus, ages: QueueAges) -> bytes:
    """Return what the database holds: nothing is counted in the process, so replicas agree."""
    registry = CollectorRegistry()
    registry.register(_Database(status, ages))
    return generate_latest(registry)


class _Process(Collector):
    def __init__(self, counts: Mapping[Finding, int], *, ready: bool) -> None:
        self._counts = counts
        self._ready = ready

    def collect(self) -> Iterable[Metric]:
        text = "What was posted, by what it was found to be."
        requests = CounterMetricFamily(f"{PREFIX}_requests", text, labels=("finding",))
        for finding in Finding:
            requests.add_metric([finding], self._counts.get(finding, 0))
        ready = _gauge("ready", "Whether a click can be taken, as /readyz says.")
        ready.add_metric([], self._ready)
        return (requests, ready)


class _Troubles(Collector):
    """A gauge with a sample for each kind, so that a missing one is not taken for 0."""

    def __init__(self, kinds: set[TroubleKind]) -> None:
        self._kinds = kinds

    def collect(self) -> Iterable[Metric]:
        text = "Whether the bot is kept from its work, by what is in trouble."
        gauge = _gauge("trouble", text, "kind")
        for kind in TroubleKind:
            gauge.add_metric([kind], kind in self._kinds)
        return (gauge,)


class _Database(Collector):
    def __init__(self, status: WatchStatus, ages: QueueAges) -> None:
        self._status = status
        self._ages = ages

    def collect(self) -> Iterable[Metric]:
        status = self._status
        since = _gauge("watch_since_seconds", "When the watch began.", "workspace")
        ended = _gauge("watch_last_success_seconds", "When its last good poll ended.", "workspace")
        behind = _gauge("watch_behind_seconds", "How late the next poll is.", "workspace")
        for poll in status.polls:
            since.add_metric([poll.workspace], poll.since.timestamp())
            behind.add_metric([poll.workspace], status.behind[poll.workspace])
            if poll.last_success_at:
                ended.add_metric([poll.workspace], poll.last_success_at.timestamp())
        waits = _gauge("waiting", "Tasks that wait and runs that failed.", "workspace", "kind")
        for (workspace, kind), count in status.open.items():
            waits.add_metric([workspace, kind], count)
        posts = _gauge("outbox_waiting", "Messages to be posted.")
        posts.add_metric([], status.queued)
        closed = _gauge("channels_closed", "Channels that take no message.")
        closed.add_metric([], len(status.closed_channels))
        oldest_post = _gauge("outbox_oldest_seconds", "How long the first of them has waited.")
        oldest_post.add_metric([], self._ages.outbox)
        text = "How long the operation has gone on that has for longest."
        oldest_operation = _gauge("operation_oldest_seconds", text)
        oldest_operation.add_metric([], self._ages.operations)
        return (since, ended, behind, waits, posts, oldest_post, oldest_operation, closed)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)

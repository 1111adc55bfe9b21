"""Metrics in Prometheus' text form: what the gateway counts, and what the engine shows at the moment of asking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import trio
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from ..engine import Engine
from ..history import WorkflowStatus
from ..supervision import Node
from .connection import Connections

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the engine shows of itself."""

    workflows: dict[str, int]
    owed: dict[str, int]
    resident: int
    quarantined: int
    journal_bytes: int
    journal_free_bytes: int
    commits: int
    appends: int
    restarts: int
    recovery_seconds: float


async def look(engine: Engine) -> EngineState:
    """The engine's state now; runs in its loop."""
    await trio.lowlevel.checkpoint()
    store, journal = engine.journal.store, engine.journal
    counts, stats = store.counts(engine.config.namespace), store.stats()
    return EngineState(
        workflows={status.value: counts.get(status.number, 0) for status in WorkflowStatus},
        owed={kind.lower(): count for kind, count in stats.obligations.items()},
        resident=engine.runs.resident,
        quarantined=len(engine.quarantined),
        journal_bytes=stats.size_bytes,
        journal_free_bytes=stats.free_bytes,
        commits=journal.commits,
        appends=journal.appends,
        restarts=_restarts(engine.tree()),
        recovery_seconds=engine.recovery.seconds,
    )


async def beat() -> None:
    """Prove that the engine's loop turns."""
    await trio.lowlevel.checkpoint()


def _restarts(node: Node) -> int:
    return max(node.runs - 1, 0) + sum(_restarts(child) for child in node.children if child.kind != "actor")


class Meters:
    """What one gateway counts."""

    def __init__(self, connections: Connections) -> None:
        self._registry = CollectorRegistry()
        self._connections = connections
        names = ("operation", "status")
        self._requests = Counter(
            "aion_trio_http_requests", "Requests, by operation and status (0: the client left).", names, registry=self._registry
        )
        self._seconds = Histogram(
            "aion_trio_http_request_seconds", "Time to the end of the answer.", ("operation",), buckets=_BUCKETS, registry=self._registry
        )

    def request(self, operation: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def text(self, state: EngineState) -> bytes:
        """Everything, as Prometheus reads it."""
        present = CollectorRegistry()
        present.register(_Present(list(self._present(state))))
        return generate_latest(self._registry) + generate_latest(present)

    def _present(self, state: EngineState) -> Iterator[Metric]:
        for name, doc, value in (
            ("resident_runs", "Workflows in memory.", state.resident),
            ("quarantined", "Workflows that cannot go on with the code at hand.", state.quarantined),
            ("journal_bytes", "Size of the journal on disk.", state.journal_bytes),
            ("journal_free_bytes", "What the journal may still grow by.", state.journal_free_bytes),
            ("journal_commits_total", "Commits since the start.", state.commits),
            ("journal_appends_total", "Appends since the start.", state.appends),
            ("actor_restarts_total", "Restarts in the supervision tree since the start.", state.restarts),
            ("recovery_seconds", "Time that the boot's recovery took.", state.recovery_seconds),
            ("http_connections", "Open connections.", len(self._connections.open)),
            ("http_connections_cut_total", "Connections cut off for a limit.", self._connections.cut),
        ):
            yield GaugeMetricFamily(f"aion_trio_{name}", doc, value=value)
        yield _by_label("aion_trio_workflows", "Workflows, by the status of their newest run.", "status", state.workflows)
        yield _by_label("aion_trio_obligations", "What is owed, by kind.", "kind", state.owed)


class _Present:
    """A collector of metrics that are made already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        """The metrics."""
        return self._metrics


def _by_label(name: str, doc: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, doc, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family

"""What Prometheus reads: latency, decisions by action, probabilities and their drift, absent signals, the age of models."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.drift import Drift

MEDIA: Final = "text/plain; version=1.0.0; charset=utf-8"
LATENCY: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds at which latency is counted."""
TENTHS: Final = tuple(i / 10 for i in range(1, 11))


class _Told(Collector):
    """What is read off when Prometheus asks."""

    def __init__(self, tell: Callable[[], Iterator[Metric]]) -> None:
        self._tell = tell

    def describe(self) -> Iterator[Metric]:
        """Nothing before it is asked."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """What there is to tell now."""
        return self._tell()


class Metrics:
    """The counts of one service; `trained` and `absent` are asked each time it is read.

    `trained` gives by question until when its model learnt, in seconds since 1970, `absent` by signal how often it was
    absent, and `failed` by what is read anew whether the last reading failed.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        trained: Callable[[], Mapping[str, float]],
        absent: Callable[[], Mapping[str, int]],
        failed: Callable[[], Mapping[str, bool]],
    ) -> None:
        self._registry = CollectorRegistry()
        self._clock, self._trained, self._absent, self._failed = clock, trained, absent, failed
        self.latency = Histogram(
            "redress_request_seconds",
            "Time to an answer.",
            ("route", "status"),
            buckets=LATENCY,
            registry=self._registry,
        )
        self._actions = Counter("redress_decisions", "Decisions.", ("action",), registry=self._registry)
        self._probability = Histogram(
            "redress_probability", "Probabilities told.", ("question",), buckets=TENTHS, registry=self._registry
        )
        self._facts = Counter("redress_facts", "Facts sent.", ("fate",), registry=self._registry)
        self._drift = defaultdict[str, Drift](Drift)
        self._registry.register(_Told(self._read))

    def decided(self, question: str, action: str, probability: float | None) -> None:
        """Counts a decision."""
        self._actions.labels(action).inc()
        if probability is not None:
            self._probability.labels(question).observe(probability)
            self._drift[question].add(probability)

    def appended(self, **fates: int) -> None:
        """Counts facts by what became of them."""
        for fate, count in fates.items():
            self._facts.labels(fate).inc(count)

    def renewed(self) -> None:
        """Begins to measure drift anew, as another model tells."""
        self._drift = defaultdict(Drift)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)

    def _read(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("redress_model_age_seconds", "Time since a model last learnt.", labels=["question"])
        for question, until in self._trained().items():
            age.add_metric([question], self._clock() / 1e6 - until)
        drift = GaugeMetricFamily(
            "redress_probability_drift", "Population stability index, latest against first.", labels=["question"]
        )
        for question, one in self._drift.items():
            if (index := one.index()) is not None:
                drift.add_metric([question], index)
        absent = CounterMetricFamily("redress_absent_signals", "Signals that were absent.", labels=["signal"])
        for signal, count in self._absent().items():
            absent.add_metric([signal], count)
        failed = GaugeMetricFamily("redress_reload_failed", "1 where the last reading failed.", labels=["what"])
        for what, one_failed in self._failed().items():
            failed.add_metric([what], float(one_failed))
        yield from (age, drift, absent, failed)

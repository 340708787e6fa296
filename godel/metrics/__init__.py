"""What can be read off a broker, each thing declared once: name, kind, unit, sentence, labels.

An instance belongs to one broker; nothing here is global. Counters and histograms are plain numbers
behind `add` and `observe`, cheap enough for the path of every request. What the broker knows anyhow
(sizes, offsets, lag) is a `Reading`: nothing is kept, it is read when somebody asks.

Names that begin with kafka_ are those under which Prometheus' JMX exporter shows the same thing of
Apache Kafka (groups: kafka_exporter), units included. What Kafka does not have begins with godel_.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from godel.metrics.series import (
    TIME_BOUNDS_MS,
    TIME_BOUNDS_S,
    AnyFamily,
    Counter,
    Declared,
    Family,
    Gauge,
    Histogram,
    Labels,
    Reading,
    Row,
    Stages,
)

__all__ = [
    "TIME_BOUNDS_MS",
    "TIME_BOUNDS_S",
    "AnyFamily",
    "Counter",
    "Declared",
    "Family",
    "Gauge",
    "Histogram",
    "Metrics",
    "Reading",
    "Row",
    "Stages",
]


class Metrics:
    """Every metric of one broker."""

    def __init__(self) -> None:
        self._families: dict[str, AnyFamily] = {}
        self._declare_requests()
        self._declare_request_times()
        self._declare_connections()
        self._declare_quotas()
        self._declare_topics()
        self._declare_logs()
        self._declare_groups()
        self._declare_broker()

    def _declare_requests(self) -> None:
        self._stages: dict[str, dict[str, Stages]] = {}
        self.requests = self._counter_reading(
            "kafka_network_requestmetrics_requests_total",
            "Requests of clients, each when it is done.",
            labels=("request", "version"),
        )
        self.requests.rows = self._requests_by_version
        self.request_errors = self._counters(
            "kafka_network_requestmetrics_errors_total",
            "Error codes in answers, wherever they stand; a request may be answered with several.",
            labels=("request", "error"),
        )
        self.requests_waiting = self._gauge(
            "godel_requests_waiting", "Requests whose answer waits for something to happen."
        )
        self.request_memory_bytes = self._gauge(
            "kafka_network_socketserver_memorypoolused",
            "Bytes of requests that are being received, queued or waited for.",
            unit="bytes",
        )
        self.slow_requests = self._counters(
            "godel_slow_requests_total",
            "Requests that took longer than slow.request.log.ms.",
            labels=("request",),
        )
        self.bugs = self._counter(
            "godel_bugs_total", "Errors that the broker did not foresee; its log has each."
        )

    def _declare_request_times(self) -> None:
        times = "kafka_network_requestmetrics"
        self._times_reading(
            f"{times}_requestqueuetimems",
            "How long a request that was read had to wait for its turn; not for a quota.",
            lambda stages: stages.queue,
        )
        self._times_reading(
            f"{times}_localtimems",
            "How long a request kept the event loop: decoding, handling and encoding.",
            lambda stages: stages.local,
        )
        self._times_reading(
            f"{times}_remotetimems",
            "How long a request waited, for records, members or the disk; only those that did.",
            lambda stages: stages.remote,
        )
        self._times_reading(
            f"{times}_totaltimems",
            "All three: how long a request took until its answer was handed to the connection.",
            lambda stages: stages.total,
        )

    def stages(self, api: str, version: str) -> Stages:
        """Where requests are counted and timed; look it up once."""
        return self._stages.setdefault(api, {}).setdefault(version, Stages())

    def _requests_by_version(self) -> Iterator[Row]:
        for api, versions in list(self._stages.items()):
            for version, stages in list(versions.items()):
                yield (api, version), stages.requests

    def _times_reading(self, name: str, doc: str, stage: Callable[[Stages], Histogram]) -> None:
        def rows() -> Iterator[Row]:
            for api, versions in list(self._stages.items()):
                yield (api,), sum(map(stage, versions.values()), Histogram())

        self._read("histogram", name, doc, labels=("request",), unit="ms").rows = rows

    def _declare_connections(self) -> None:
        self.bytes_received = self._counter(
            "kafka_server_socket_server_metrics_incoming_byte_total",
            "Bytes read from client connections.",
            unit="bytes",
        )
        self.bytes_sent = self._counter(
            "kafka_server_socket_server_metrics_outgoing_byte_total",
            "Bytes handed to client connections for sending.",
            unit="bytes",
        )
        self.connections = self._gauge(
            "kafka_server_socket_server_metrics_connection_count",
            "Client connections that are open.",
        )
        self.connections_accepted = self._counter(
            "kafka_server_socket_server_metrics_connection_creation_total",
            "Client connections that were let in.",
        )
        self.connections_closed = self._counters(
            "kafka_server_socket_server_metrics_connection_close_total",
            "Client connections that ended, by cause.",
            labels=("reason",),
        )
        self.connections_refused = self._counters(
            "godel_connections_refused_total",
            "Client connections closed at once because a limit was reached.",
            labels=("limit",),
        )
        self.frames_oversized = self._counter(
            "godel_frames_oversized_total",
            "Requests refused because their size was negative or above the limit.",
        )
        self.reading_paused = self._counters(
            "godel_reading_paused_total",
            "Times that reading from a connection was paused to bound memory.",
            labels=("cause",),
        )

    def _declare_quotas(self) -> None:
        self.throttled = self._counters(
            "godel_throttled_total",
            "Requests that were above a client quota.",
            labels=("quota",),
        )
        self.throttle_ms = self._counters(
            "godel_throttle_ms_total",
            "How long clients were told to wait because of a quota.",
            labels=("quota",),
            unit="ms",
        )

    def _declare_topics(self) -> None:
        self.messages_in = self._counter_reading(
            "kafka_server_brokertopicmetrics_messagesin_total",
            "Records appended.",
            labels=("topic",),
        )
        self.batches_in = self._counter_reading(
            "godel_topic_batches_in_total", "Record batches appended.", labels=("topic",)
        )
        self.bytes_in = self._counter_reading(
            "kafka_server_brokertopicmetrics_bytesin_total",
            "Bytes of record batches appended, as stored.",
            labels=("topic",),
            unit="bytes",
        )
        self.bytes_out = self._counter_reading(
            "kafka_server_brokertopicmetrics_bytesout_total",
            "Bytes of record batches given to consumers.",
            labels=("topic",),
            unit="bytes",
        )
        self.corrupt_reads = self._counter(
            "godel_corrupt_reads_total",
            "Partitions of Fetch requests that met a damaged batch: CORRUPT_MESSAGE.",
        )
        self.topic_count = self._reading(
            "kafka_controller_kafkacontroller_globaltopiccount", "Topics, internal ones included."
        )
        self.partition_count = self._reading(
            "kafka_server_replicamanager_partitioncount", "Partitions on this broker."
        )
        self.offline_partitions = self._reading(
            "kafka_server_replicamanager_offlinereplicacount",
            "Partitions that cannot be served because their data directory has failed.",
        )

    def _declare_logs(self) -> None:
        partition = ("topic", "partition")
        self.log_size_bytes = self._reading(
            "kafka_log_log_size", "Bytes of a partition's log.", labels=partition, unit="bytes"
        )
        self.log_start_offset = self._reading(
            "kafka_log_log_logstartoffset", "The first offset of a partition.", labels=partition
        )
        self.log_end_offset = self._reading(
            "kafka_log_log_logendoffset",
            "The offset that a partition's next record gets.",
            labels=partition,
        )
        self.sync_times = self._histogram(
            "kafka_log_logflushstats_logflushrateandtimems",
            "How long it took to sync a partition's files to disk.",
        )
        self.compactions = self._counters(
            "godel_compactions_total",
            "Compactions of partitions; one that failed leaves its partition out until restart.",
            labels=("outcome",),
        )
        self.offline_directories = self._reading(
            "kafka_log_logmanager_offlinelogdirectorycount", "Data directories that have failed."
        )
        self.volume_total_bytes = self._reading(
            "godel_log_directory_total_bytes",
            "The size of the volume that a data directory is on.",
            labels=("logdirectory",),
            unit="bytes",
        )
        self.volume_usable_bytes = self._reading(
            "godel_log_directory_usable_bytes",
            "How much of a data directory's volume may still be used.",
            labels=("logdirectory",),
            unit="bytes",
        )

    def _declare_groups(self) -> None:
        self.groups = self._reading(
            "kafka_coordinator_group_groupmetadatamanager_numgroups", "Groups coordinated here."
        )
        of_group = ("consumergroup", "topic", "partition")
        self.group_offset = self._reading(
            "kafka_consumergroup_current_offset", "What a group has committed.", labels=of_group
        )
        self.group_lag = self._reading(
            "kafka_consumergroup_lag",
            "How many offsets that a group may read lie behind the one it has committed; only "
            "where a partition's end is known without opening its log.",
            labels=of_group,
        )

    def _declare_broker(self) -> None:
        self.event_loop_lag = self._histogram(
            "godel_event_loop_lag_ms", "How late a timer of the event loop is, tried every second."
        )
        self.active_controllers = self._reading(
            "kafka_controller_kafkacontroller_activecontrollercount",
            "1: this broker is its own controller.",
        )
        self.build = self._reading(
            "godel_build", "1; the labels say what is running.", labels=("version", "node_id")
        )
        self.fetch_sessions = self._reading(
            "kafka_server_fetchsessioncache_numincrementalfetchsessions", "Fetch sessions kept."
        )
        self.left_out = self._reading(
            "godel_metrics_series_left_out",
            "1 for each metric that has more series than an answer may have, is slow to read, or "
            "cannot be read, which the log explains.",
            labels=("metric",),
        )

    def _counter(self, name: str, doc: str, *, unit: str = "") -> Counter:
        return self._counters(name, doc, unit=unit).of()

    def _gauge(self, name: str, doc: str, *, unit: str = "") -> Gauge:
        return self._gauges(name, doc, unit=unit).of()

    def _histogram(self, name: str, doc: str) -> Histogram:
        return self._histograms(name, doc).of()

    def _counters(
        self, name: str, doc: str, *, labels: Labels = (), unit: str = ""
    ) -> Family[Counter]:
        family = Family(Counter, name, doc, labels=labels, unit=unit)
        self._families[name] = family
        return family

    def _gauges(self, name: str, doc: str, *, labels: Labels = (), unit: str = "") -> Family[Gauge]:
        family = Family(Gauge, name, doc, labels=labels, unit=unit)
        self._families[name] = family
        return family

    def _histograms(self, name: str, doc: str, *, labels: Labels = ()) -> Family[Histogram]:
        family = Family(Histogram, name, doc, labels=labels, unit="ms")
        self._families[name] = family
        return family

    def _reading(self, name: str, doc: str, *, labels: Labels = (), unit: str = "") -> Reading:
        return self._read("gauge", name, doc, labels=labels, unit=unit)

    def _counter_reading(
        self, name: str, doc: str, *, labels: Labels = (), unit: str = ""
    ) -> Reading:
        return self._read("counter", name, doc, labels=labels, unit=unit)

    def _read(self, kind: str, name: str, doc: str, *, labels: Labels, unit: str) -> Reading:
        family = Reading(kind, name, doc, labels=labels, unit=unit)
        self._families[name] = family
        return family

    def families(self) -> list[AnyFamily]:
        """In order of declaration."""
        return list(self._families.values())

    def snapshot(self) -> dict[str, float]:
        """Every series by its name and labels, as in `godel_throttled_total{quota=...}`.

        A histogram by how much it has counted.
        """
        values: dict[str, float] = {}
        for family in self._families.values():
            for labels, value in family.rows():
                pairs = ",".join(
                    f"{name}={text}" for name, text in zip(family.labels, labels, strict=True)
                )
                name = f"{family.name}{{{pairs}}}" if pairs else family.name
                values[name] = value.value if isinstance(value, Histogram) else value
        return values

"""The broker's settings, under Kafka's names and with Kafka's defaults (release 4.4).

Where our default differs, the sentence says so. `effect=False`: kept and shown because Kafka's
tools expect it. `dynamic` follows Kafka's list (KIP-226). Not Kafka's: `write.caching` (Redpanda's
name and meaning), `log.read.verify`, `metrics.listener`, `slow.request.log.ms` and
`auto.create.topics.linger.ms`.
"""

from godel.config.absent_features import AbsentFeatures
from godel.config.log_defaults import LogDefaults
from godel.config.setting import MAX_INT, ValueType, setting

INT = ValueType.INT


class BrokerConfig(LogDefaults, AbsentFeatures):
    """One broker's configuration: what it was started with, or that with live changes applied."""

    # Who this broker is and where clients find it.
    node_id: int = setting(
        "node.id", 1, "This broker's number in the cluster.", type=INT, minimum=0
    )
    broker_rack: str | None = setting(
        "broker.rack", None, "The rack told to clients.", type=ValueType.STRING
    )
    listeners: tuple[str, ...] = setting(
        "listeners",
        ("PLAINTEXT://127.0.0.1:9092",),
        "Where to listen, as NAME://HOST:PORT; unlike Kafka only on this machine by default.",
    )
    advertised_listeners: tuple[str, ...] | None = setting(
        "advertised.listeners",
        None,
        "The addresses that clients are told, where they differ from the listeners.",
        type=ValueType.LIST,
    )
    listener_security_protocol_map: tuple[str, ...] = setting(
        "listener.security.protocol.map",
        (
            "SASL_SSL:SASL_SSL",
            "PLAINTEXT:PLAINTEXT",
            "SSL:SSL",
            "SASL_PLAINTEXT:SASL_PLAINTEXT",
        ),
        "Which security protocol each listener name speaks; only PLAINTEXT is there so far.",
    )
    inter_broker_listener_name: str | None = setting(
        "inter.broker.listener.name",
        None,
        "The listener that brokers use among themselves.",
        type=ValueType.STRING,
        effect=False,
    )

    # Watching it.
    metrics_listener: str = setting(
        "metrics.listener",
        "",
        "Where metrics for Prometheus, /healthz and /readyz are, as 127.0.0.1:9308; empty: nowhere."
        " Whoever reaches it may read it.",
    )
    slow_request_log_ms: int = setting(
        "slow.request.log.ms",
        1000,
        "Log a request that took longer. Its wait behind an earlier request counts, what a quota "
        "or its client made it wait does not. -1: none.",
        minimum=-1,
        dynamic=True,
    )

    # Data.
    log_dirs: tuple[str, ...] | None = setting(
        "log.dirs",
        None,
        "The data directories; a new partition goes to the one that has the fewest.",
        type=ValueType.LIST,
    )
    log_dir: tuple[str, ...] = setting(
        "log.dir", ("./data",), "The data directories, when log.dirs is not given."
    )
    metadata_log_dir: str | None = setting(
        "metadata.log.dir",
        None,
        "Which of the data directories keeps the metadata; the first unless it is said.",
        type=ValueType.STRING,
    )
    write_caching: bool = setting(
        "write.caching",
        False,
        "Answer acks=all before the data is synced to disk, as Kafka does; a power cut loses it.",
        dynamic=True,
    )

    log_read_verify: bool = setting(
        "log.read.verify",
        False,
        "Check the CRC of all that is fetched: what a disk has damaged is refused here and not "
        "left to the client to find.",
        dynamic=True,
    )

    # Topics.
    auto_create_topics_enable: bool = setting(
        "auto.create.topics.enable", True, "Create a topic when a client asks for it by name."
    )
    auto_create_topics_linger_ms: int = setting(
        "auto.create.topics.linger.ms",
        50,
        "How long after a client asked for a topic by name it is created, unless it is asked for "
        "again before; some clients must see it appear.",
        type=INT,
        minimum=0,
    )
    num_partitions: int = setting(
        "num.partitions", 1, "Partitions of a topic that does not say.", type=INT, minimum=1
    )
    default_replication_factor: int = setting(
        "default.replication.factor",
        1,
        "Replicas of a topic that does not say.",
        type=INT,
        minimum=1,
    )
    delete_topic_enable: bool = setting(
        "delete.topic.enable", True, "Whether topics may be deleted."
    )

    # Requests, connections and their limits.
    socket_request_max_bytes: int = setting(
        "socket.request.max.bytes", 104_857_600, "The largest request.", type=INT, minimum=1
    )
    socket_send_buffer_bytes: int = setting(
        "socket.send.buffer.bytes",
        102_400,
        "A socket's send buffer; -1 the system's.",
        type=INT,
        effect=False,
    )
    socket_receive_buffer_bytes: int = setting(
        "socket.receive.buffer.bytes",
        102_400,
        "A socket's receive buffer; -1 the system's.",
        type=INT,
        effect=False,
    )
    socket_listen_backlog_size: int = setting(
        "socket.listen.backlog.size", 50, "Connections waiting to be taken.", type=INT, minimum=1
    )
    connections_max_idle_ms: int = setting(
        "connections.max.idle.ms", 600_000, "Close a connection after this long without requests."
    )
    max_connections: int = setting(
        "max.connections",
        MAX_INT,
        "The most connections to this broker.",
        type=INT,
        minimum=0,
        dynamic=True,
    )
    max_connections_per_ip: int = setting(
        "max.connections.per.ip",
        MAX_INT,
        "The most connections from one address.",
        type=INT,
        minimum=0,
        dynamic=True,
    )
    max_connections_per_ip_overrides: str = setting(
        "max.connections.per.ip.overrides",
        "",
        "Other limits for single addresses, as HOST:COUNT,HOST:COUNT.",
        effect=False,
        dynamic=True,
    )
    queued_max_requests: int = setting(
        "queued.max.requests",
        500,
        "Requests that may wait for a thread.",
        type=INT,
        minimum=1,
        effect=False,
    )
    queued_max_request_bytes: int = setting(
        "queued.max.request.bytes",
        -1,
        "Bytes of requests in flight at which reading from the sockets pauses; -1: 512 MiB.",
    )
    fetch_max_bytes: int = setting(
        "fetch.max.bytes", 57_671_680, "The largest answer to a Fetch.", type=INT, minimum=1024
    )
    max_incremental_fetch_session_cache_slots: int = setting(
        "max.incremental.fetch.session.cache.slots",
        1000,
        "How many fetch sessions are kept.",
        type=INT,
        minimum=0,
    )
    max_request_partition_size_limit: int = setting(
        "max.request.partition.size.limit",
        2000,
        "Partitions in one answer of DescribeTopicPartitions.",
        type=INT,
        minimum=1,
    )
    num_network_threads: int = setting(
        "num.network.threads",
        3,
        "Kafka's threads at the sockets.",
        type=INT,
        minimum=1,
        effect=False,
        dynamic=True,
    )
    num_io_threads: int = setting(
        "num.io.threads",
        8,
        "Kafka's threads for requests.",
        type=INT,
        minimum=1,
        effect=False,
        dynamic=True,
    )
    background_threads: int = setting(
        "background.threads",
        10,
        "Kafka's threads for maintenance.",
        type=INT,
        minimum=1,
        effect=False,
        dynamic=True,
    )
    num_recovery_threads_per_data_dir: int = setting(
        "num.recovery.threads.per.data.dir",
        2,
        "Threads that check logs after an unclean stop; long batches keep two cores busy.",
        type=INT,
        minimum=1,
        dynamic=True,
    )
    num_replica_fetchers: int = setting(
        "num.replica.fetchers",
        1,
        "Kafka's threads for replication.",
        type=INT,
        effect=False,
        dynamic=True,
    )
    unclean_leader_election_enable: bool = setting(
        "unclean.leader.election.enable",
        False,
        "Whether a replica that lags may become leader.",
        effect=False,
        dynamic=True,
    )

    # Groups and their offsets.
    offsets_topic_num_partitions: int = setting(
        "offsets.topic.num.partitions",
        50,
        "Partitions of __consumer_offsets.",
        type=INT,
        minimum=1,
    )
    offsets_topic_replication_factor: int = setting(
        "offsets.topic.replication.factor",
        3,
        "Replicas of __consumer_offsets; at most as many as there are brokers.",
        type=ValueType.SHORT,
        minimum=1,
    )
    offsets_topic_segment_bytes: int = setting(
        "offsets.topic.segment.bytes",
        104_857_600,
        "The segment size of __consumer_offsets.",
        type=INT,
        minimum=1_048_576,
    )
    offsets_retention_minutes: int = setting(
        "offsets.retention.minutes",
        10_080,
        "How long the offsets of an unused group are kept.",
        type=INT,
        minimum=1,
    )
    offsets_retention_check_interval_ms: int = setting(
        "offsets.retention.check.interval.ms",
        600_000,
        "How often expired offsets are looked for.",
        minimum=1,
    )
    offset_metadata_max_bytes: int = setting(
        "offset.metadata.max.bytes", 4096, "The longest text beside a committed offset.", type=INT
    )
    offsets_commit_timeout_ms: int = setting(
        "offsets.commit.timeout.ms",
        5000,
        "How long an offset commit may wait to be kept.",
        type=INT,
        minimum=1,
    )
    group_min_session_timeout_ms: int = setting(
        "group.min.session.timeout.ms", 6000, "The shortest session of a member.", type=INT
    )
    group_max_session_timeout_ms: int = setting(
        "group.max.session.timeout.ms", 1_800_000, "The longest session of a member.", type=INT
    )
    group_initial_rebalance_delay_ms: int = setting(
        "group.initial.rebalance.delay.ms",
        3000,
        "How long a new group waits for more members before its first rebalance.",
        type=INT,
    )
    group_max_size: int = setting(
        "group.max.size", MAX_INT, "The most members of a group.", type=INT, minimum=1
    )
    group_consumer_session_timeout_ms: int = setting(
        "group.consumer.session.timeout.ms",
        45_000,
        "The session of a member of a KIP-848 group.",
        type=INT,
        minimum=1,
        effect=False,
    )
    group_consumer_heartbeat_interval_ms: int = setting(
        "group.consumer.heartbeat.interval.ms",
        5000,
        "How often a member of a KIP-848 group reports.",
        type=INT,
        minimum=1,
        effect=False,
    )

    # Producers.
    producer_id_expiration_ms: int = setting(
        "producer.id.expiration.ms",
        86_400_000,
        "How long a partition remembers a silent producer.",
        type=INT,
        minimum=1,
        dynamic=True,
    )
    producer_id_expiration_check_interval_ms: int = setting(
        "producer.id.expiration.check.interval.ms",
        600_000,
        "How often silent producers are looked for.",
        type=INT,
        minimum=1,
        effect=False,
    )
    transaction_max_timeout_ms: int = setting(
        "transaction.max.timeout.ms",
        900_000,
        "The longest transaction.",
        type=INT,
        minimum=1,
        effect=False,
    )
    transaction_state_log_replication_factor: int = setting(
        "transaction.state.log.replication.factor",
        3,
        "Replicas of __transaction_state.",
        type=ValueType.SHORT,
        minimum=1,
        effect=False,
    )
    transaction_state_log_min_isr: int = setting(
        "transaction.state.log.min.isr",
        2,
        "The min.insync.replicas of __transaction_state.",
        type=INT,
        minimum=1,
        effect=False,
    )

    # Client quotas.
    quota_window_num: int = setting(
        "quota.window.num",
        11,
        "Over how many windows the use of a client quota is counted.",
        type=INT,
        minimum=1,
    )
    quota_window_size_seconds: int = setting(
        "quota.window.size.seconds",
        1,
        "The length of these windows.",
        type=INT,
        minimum=1,
    )

    @property
    def data_directories(self) -> tuple[str, ...]:
        """Where the data are; `log.dirs` wins over `log.dir`."""
        return self.log_dirs or self.log_dir

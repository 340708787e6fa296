"""Kafka's broker settings that this broker does not have: which are ignored, which are refused.

A file written for Apache Kafka should work here. A setting without meaning in this broker is named
once, with the reason, and ignored; one whose silent loss would make the broker less safe than the
operator believes is refused, with the reason. Every setting of Kafka's has its fate: a test holds
this page against all that a broker of release 4.3 declares, hidden ones included.
"""

from __future__ import annotations

IGNORED_NAMES = {
    "this broker is its own controller, and keeps metadata in a database": """
        auto.leader.rebalance.enable broker.heartbeat.interval.ms broker.session.timeout.ms
        control.plane.listener.name controlled.shutdown.enable controlled.shutdown.max.retries
        controlled.shutdown.retry.backoff.ms controller.listener.names
        controller.performance.always.log.threshold.ms controller.performance.sample.period.ms
        controller.quorum.append.linger.ms controller.quorum.auto.join.enable
        controller.quorum.bootstrap.servers controller.quorum.election.backoff.max.ms
        controller.quorum.election.timeout.ms controller.quorum.fetch.max.bytes
        controller.quorum.fetch.snapshot.max.bytes controller.quorum.fetch.timeout.ms
        controller.quorum.request.timeout.ms controller.quorum.retry.backoff.ms
        controller.quorum.voters controller.quota.window.num
        controller.quota.window.size.seconds controller.socket.timeout.ms early.start.listeners
        initial.broker.registration.timeout.ms internal.metadata.delete.delay.millis
        internal.metadata.log.segment.bytes internal.metadata.max.batch.size.in.bytes
        leader.imbalance.check.interval.seconds leader.imbalance.per.broker.percentage
        metadata.log.max.record.bytes.between.snapshots metadata.log.max.snapshot.interval.ms
        metadata.log.segment.bytes metadata.log.segment.ms metadata.max.idle.interval.ms
        metadata.max.retention.bytes metadata.max.retention.ms server.max.startup.time.ms
    """,
    "one broker has nothing to replicate": """
        alter.log.dirs.replication.quota.window.num
        alter.log.dirs.replication.quota.window.size.seconds eligible.leader.replicas.enable
        num.replica.alter.log.dirs.threads replica.fetch.backoff.ms replica.fetch.max.bytes
        replica.fetch.min.bytes replica.fetch.response.max.bytes replica.fetch.wait.max.ms
        replica.lag.time.max.ms replica.selector.class replica.socket.receive.buffer.bytes
        replica.socket.timeout.ms replication.quota.window.num
        replication.quota.window.size.seconds unclean.leader.election.interval.ms
    """,
    "segments stay on this machine": """
        follower.fetch.last.tiered.offset.enable log.local.retention.bytes
        log.local.retention.ms remote.fetch.max.wait.ms remote.list.offsets.request.timeout.ms
        remote.log.index.file.cache.total.size.bytes remote.log.index.file.cache.ttl.ms
        remote.log.manager.copier.thread.pool.size remote.log.manager.copy.max.bytes.per.second
        remote.log.manager.copy.quota.window.num
        remote.log.manager.copy.quota.window.size.seconds
        remote.log.manager.expiration.thread.pool.size
        remote.log.manager.fetch.max.bytes.per.second remote.log.manager.fetch.quota.window.num
        remote.log.manager.fetch.quota.window.size.seconds
        remote.log.manager.follower.thread.pool.size remote.log.manager.task.interval.ms
        remote.log.manager.task.retry.backoff.max.ms remote.log.manager.task.retry.backoff.ms
        remote.log.manager.task.retry.jitter remote.log.manager.thread.pool.size
        remote.log.metadata.custom.metadata.max.bytes remote.log.metadata.manager.class.name
        remote.log.metadata.manager.class.path remote.log.metadata.manager.impl.prefix
        remote.log.metadata.manager.listener.name remote.log.reader.max.pending.tasks
        remote.log.reader.threads remote.log.storage.manager.class.name
        remote.log.storage.manager.class.path remote.log.storage.manager.impl.prefix
    """,
    "there are no share groups yet": """
        group.share.assignment.interval.ms group.share.assignors
        group.share.delivery.count.limit group.share.heartbeat.interval.ms
        group.share.initialize.retry.interval.ms group.share.max.assignment.interval.ms
        group.share.max.delivery.count.limit group.share.max.heartbeat.interval.ms
        group.share.max.partition.max.record.locks group.share.max.record.lock.duration.ms
        group.share.max.session.timeout.ms group.share.max.share.sessions group.share.max.size
        group.share.min.assignment.interval.ms group.share.min.delivery.count.limit
        group.share.min.heartbeat.interval.ms group.share.min.partition.max.record.locks
        group.share.min.record.lock.duration.ms group.share.min.session.timeout.ms
        group.share.partition.max.record.locks group.share.persister.class.name
        group.share.record.lock.duration.ms group.share.session.timeout.ms
        share.coordinator.append.linger.ms share.coordinator.cached.buffer.max.bytes
        share.coordinator.cold.partition.snapshot.interval.ms share.coordinator.load.buffer.size
        share.coordinator.snapshot.update.records.per.snapshot
        share.coordinator.state.topic.compression.codec share.coordinator.state.topic.min.isr
        share.coordinator.state.topic.num.partitions
        share.coordinator.state.topic.prune.interval.ms
        share.coordinator.state.topic.replication.factor
        share.coordinator.state.topic.segment.bytes share.coordinator.threads
        share.coordinator.write.timeout.ms share.fetch.purgatory.purge.interval.requests
    """,
    "there are no streams groups yet": """
        group.streams.assignment.interval.ms group.streams.heartbeat.interval.ms
        group.streams.initial.rebalance.delay.ms group.streams.max.assignment.interval.ms
        group.streams.max.heartbeat.interval.ms group.streams.max.session.timeout.ms
        group.streams.max.size group.streams.max.standby.replicas
        group.streams.min.assignment.interval.ms group.streams.min.heartbeat.interval.ms
        group.streams.min.session.timeout.ms group.streams.num.standby.replicas
        group.streams.session.timeout.ms
    """,
    "there are no groups of the newer protocol (KIP-848) yet": """
        group.consumer.assignment.interval.ms group.consumer.assignors
        group.consumer.max.assignment.interval.ms group.consumer.max.heartbeat.interval.ms
        group.consumer.max.session.timeout.ms group.consumer.max.size
        group.consumer.migration.policy group.consumer.min.assignment.interval.ms
        group.consumer.min.heartbeat.interval.ms group.consumer.min.session.timeout.ms
        group.consumer.regex.refresh.interval.ms
    """,
    "it tunes Kafka's transaction coordinator": """
        add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms
        transaction.abort.timed.out.transaction.cleanup.interval.ms
        transaction.partition.verification.enable
        transaction.remove.expired.transaction.cleanup.interval.ms
        transaction.state.log.load.buffer.size transaction.state.log.num.partitions
        transaction.state.log.segment.bytes transaction.two.phase.commit.enable
        transactional.id.expiration.ms
    """,
    "there is no JMX here; metrics are where metrics.listener says": """
        auto.include.jmx.reporter kafka.metrics.polling.interval.secs kafka.metrics.reporters
        metric.reporters metrics.num.samples metrics.recording.level metrics.sample.window.ms
        telemetry.max.bytes
    """,
    "it tunes authentication or TLS, and there is neither yet": """
        connection.failed.authentication.delay.ms connections.max.reauth.ms
        delegation.token.expiry.check.interval.ms delegation.token.expiry.time.ms
        delegation.token.max.lifetime.ms password.encoder.iterations sasl.kerberos.kinit.cmd
        sasl.login.connect.timeout.ms sasl.login.read.timeout.ms sasl.login.retry.backoff.max.ms
        sasl.login.retry.backoff.ms sasl.oauthbearer.assertion.algorithm
        sasl.oauthbearer.assertion.claim.exp.seconds
        sasl.oauthbearer.assertion.claim.jti.include
        sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.clock.skew.seconds
        sasl.oauthbearer.jwks.endpoint.refresh.ms
        sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms
        sasl.oauthbearer.jwks.endpoint.retry.backoff.ms sasl.oauthbearer.scope.claim.name
        sasl.oauthbearer.sub.claim.name sasl.server.max.receive.size ssl.allow.dn.changes
        ssl.allow.san.changes ssl.cipher.suites ssl.enabled.protocols
        ssl.endpoint.identification.algorithm ssl.keymanager.algorithm ssl.keystore.type
        ssl.protocol ssl.provider ssl.secure.random.implementation ssl.trustmanager.algorithm
        ssl.truststore.type
    """,
    "Apache Kafka has no ZooKeeper any more, and neither has this broker": """
        broker.id.generation.enable reserved.broker.max.id zookeeper.connect
        zookeeper.connection.timeout.ms zookeeper.max.in.flight.requests
        zookeeper.session.timeout.ms zookeeper.set.acl
    """,
    "Apache Kafka 4 has removed it": """
        group.coordinator.new.enable inter.broker.protocol.version
        log.message.downconversion.enable log.message.format.version
        log.message.timestamp.difference.max.ms offsets.commit.required.acks
        quota.consumer.default quota.producer.default
    """,
    "it tunes what works in another way here": """
        delete.records.purgatory.purge.interval.requests fetch.purgatory.purge.interval.requests
        group.coordinator.append.linger.ms group.coordinator.background.threads
        group.coordinator.cached.buffer.max.bytes group.coordinator.rebalance.protocols
        group.coordinator.threads log.dir.failure.timeout.ms max.connection.creation.rate
        offsets.load.buffer.size offsets.topic.compression.codec
        producer.purgatory.purge.interval.requests request.timeout.ms
        socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms
        unstable.api.versions.enable unstable.feature.versions.enable
    """,
}
"""By reason. Those of Kafka 2 and 3 that release 4 no longer has are among them."""

IGNORED = {name: reason for reason, names in IGNORED_NAMES.items() for name in names.split()}

IGNORED_PREFIXES = {
    "log4j.": "it belongs to Kafka's logging; this broker writes JSON lines to standard error",
    "confluent.": "it belongs to a plugin of Confluent's, and this broker cannot run Java classes",
    "cruise.control.": "it belongs to a plugin, and this broker cannot run Java classes",
    "rsm.config.": "it belongs to a plugin for tiered storage; segments stay on this machine",
    "rlmm.config.": "it belongs to a plugin for tiered storage; segments stay on this machine",
}
"""Settings that Kafka hands on to plugins."""

NO_SECURITY = "this broker has no authentication and no TLS yet; do not expose it"
NO_AUTHORIZER = "this broker has no access control lists yet: everybody may do everything"
NO_POLICIES = "this broker cannot run Java classes, so the policy would not be enforced"
SAY_LISTENERS = "Apache Kafka has removed it; say where to listen with listeners"
SAY_ADVERTISED = "Apache Kafka has removed it; say what clients are told with advertised.listeners"

REFUSED_PREFIXES = {
    "sasl.": NO_SECURITY,
    "ssl.": NO_SECURITY,
    "listener.name.": "no listener has settings of its own yet, and no authentication or TLS",
}
"""But for those that only tune, which are ignored: what asks for security is refused."""

REFUSED = {
    "authorizer.class.name": NO_AUTHORIZER,
    "super.users": NO_AUTHORIZER,
    "security.providers": NO_SECURITY,
    "principal.builder.class": NO_SECURITY,
    "delegation.token.secret.key": NO_SECURITY,
    "delegation.token.master.key": NO_SECURITY,
    "password.encoder.secret": NO_SECURITY,
    "client.quota.callback.class": NO_POLICIES,
    "create.topic.policy.class.name": NO_POLICIES,
    "alter.config.policy.class.name": NO_POLICIES,
    "config.providers": "values behind a config provider cannot be read here; write them out",
    "cordoned.log.dirs": "directories cannot be cordoned yet",
    "host.name": SAY_LISTENERS,
    "port": SAY_LISTENERS,
    "advertised.host.name": SAY_ADVERTISED,
    "advertised.port": SAY_ADVERTISED,
}
"""Refused unless the value is empty."""

NO_CONTROLLER_ALONE = "this broker cannot be a controller and nothing else"

HARMLESS_VALUES = {
    "security.inter.broker.protocol": (("plaintext",), NO_SECURITY),
    "remote.log.storage.system.enable": (("false",), "this broker has no tiered storage"),
    "allow.everyone.if.no.acl.found": (("true",), NO_AUTHORIZER),
    "ssl.client.auth": (("none",), NO_SECURITY),
    "ssl.principal.mapping.rules": (("default",), NO_SECURITY),
    "sasl.enabled.mechanisms": (("gssapi",), NO_SECURITY),
    "sasl.mechanism.inter.broker.protocol": (("gssapi",), NO_SECURITY),
    "sasl.mechanism.controller.protocol": (("gssapi",), NO_SECURITY),
    "sasl.kerberos.principal.to.local.rules": (("default",), NO_SECURITY),
    "process.roles": (("broker", "broker,controller", "controller,broker"), NO_CONTROLLER_ALONE),
}
"""Ignored with one of these values, which are Kafka's defaults or ask for nothing; else refused."""

NOTHING_ASKED = "this value asks for nothing that is not here"

ALIASES = {"broker.id": "node.id"}
"""Kafka's second names."""


def refusal(key: str, value: str) -> str | None:
    """Why a setting of Kafka's must not be ignored; None when it may be."""
    if not value.strip() or key in IGNORED:
        return None
    if key in HARMLESS_VALUES:
        harmless, reason = HARMLESS_VALUES[key]
        return None if "".join(value.lower().split()) in harmless else reason
    if key in REFUSED:
        return REFUSED[key]
    return _by_prefix(REFUSED_PREFIXES, key)


def why_ignored(key: str) -> str:
    """Why a setting of Kafka's that is not refused is not followed either."""
    return IGNORED.get(key) or _by_prefix(IGNORED_PREFIXES, key) or NOTHING_ASKED


def is_kafkas(key: str) -> bool:
    """Whether Kafka, or a plugin of Kafka's, knows the name."""
    return (
        key in IGNORED
        or key in REFUSED
        or key in HARMLESS_VALUES
        or _by_prefix(IGNORED_PREFIXES | REFUSED_PREFIXES, key) is not None
    )


def _by_prefix(reasons: dict[str, str], key: str) -> str | None:
    return next((reason for prefix, reason in reasons.items() if key.startswith(prefix)), None)

"""Kafka's broker settings that this broker does not have: which are ignored, which are refused.

A file written for Apache Kafka should work here. A setting without meaning in this broker is named
once and ignored; one whose silent loss would make the broker less safe than the operator believes
is refused, with the reason.
"""

from __future__ import annotations

NAMES = """
    add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms
    allow.everyone.if.no.acl.found alter.log.dirs.replication.quota.window.num
    alter.log.dirs.replication.quota.window.size.seconds auto.include.jmx.reporter
    auto.leader.rebalance.enable broker.heartbeat.interval.ms broker.id.generation.enable
    broker.session.timeout.ms connection.failed.authentication.delay.ms
    connections.max.reauth.ms control.plane.listener.name controlled.shutdown.enable
    controlled.shutdown.max.retries controlled.shutdown.retry.backoff.ms
    controller.listener.names controller.quorum.append.linger.ms
    controller.quorum.auto.join.enable controller.quorum.bootstrap.servers
    controller.quorum.election.backoff.max.ms controller.quorum.election.timeout.ms
    controller.quorum.fetch.max.bytes controller.quorum.fetch.snapshot.max.bytes
    controller.quorum.fetch.timeout.ms controller.quorum.request.timeout.ms
    controller.quorum.retry.backoff.ms controller.quorum.voters controller.quota.window.num
    controller.quota.window.size.seconds controller.socket.timeout.ms
    delegation.token.expiry.check.interval.ms delegation.token.expiry.time.ms
    delegation.token.max.lifetime.ms delete.records.purgatory.purge.interval.requests
    early.start.listeners eligible.leader.replicas.enable
    fetch.purgatory.purge.interval.requests follower.fetch.last.tiered.offset.enable
    group.consumer.assignment.interval.ms group.consumer.assignors
    group.consumer.max.assignment.interval.ms group.consumer.max.heartbeat.interval.ms
    group.consumer.max.session.timeout.ms group.consumer.max.size
    group.consumer.migration.policy group.consumer.min.assignment.interval.ms
    group.consumer.min.heartbeat.interval.ms group.consumer.min.session.timeout.ms
    group.coordinator.append.linger.ms group.coordinator.background.threads
    group.coordinator.cached.buffer.max.bytes group.coordinator.new.enable
    group.coordinator.rebalance.protocols group.coordinator.threads
    group.share.assignment.interval.ms group.share.assignors group.share.delivery.count.limit
    group.share.heartbeat.interval.ms group.share.max.assignment.interval.ms
    group.share.max.delivery.count.limit group.share.max.heartbeat.interval.ms
    group.share.max.partition.max.record.locks group.share.max.record.lock.duration.ms
    group.share.max.session.timeout.ms group.share.max.share.sessions group.share.max.size
    group.share.min.assignment.interval.ms group.share.min.delivery.count.limit
    group.share.min.heartbeat.interval.ms group.share.min.partition.max.record.locks
    group.share.min.record.lock.duration.ms group.share.min.session.timeout.ms
    group.share.partition.max.record.locks group.share.record.lock.duration.ms
    group.share.session.timeout.ms group.streams.assignment.interval.ms
    group.streams.heartbeat.interval.ms group.streams.initial.rebalance.delay.ms
    group.streams.max.assignment.interval.ms group.streams.max.heartbeat.interval.ms
    group.streams.max.session.timeout.ms group.streams.max.size
    group.streams.max.standby.replicas group.streams.min.assignment.interval.ms
    group.streams.min.heartbeat.interval.ms group.streams.min.session.timeout.ms
    group.streams.num.standby.replicas group.streams.session.timeout.ms
    initial.broker.registration.timeout.ms inter.broker.protocol.version
    kafka.metrics.polling.interval.secs kafka.metrics.reporters
    leader.imbalance.check.interval.seconds
    log.dir.failure.timeout.ms log.local.retention.bytes log.local.retention.ms
    log.message.downconversion.enable log.message.format.version
    log.message.timestamp.difference.max.ms max.connection.creation.rate
    metadata.log.max.record.bytes.between.snapshots metadata.log.max.snapshot.interval.ms
    metadata.log.segment.bytes metadata.log.segment.ms metadata.max.idle.interval.ms
    metadata.max.retention.bytes metadata.max.retention.ms metric.reporters metrics.num.samples
    metrics.recording.level metrics.sample.window.ms num.replica.alter.log.dirs.threads
    offsets.commit.required.acks offsets.load.buffer.size offsets.topic.compression.codec
    password.encoder.iterations password.encoder.secret process.roles
    producer.purgatory.purge.interval.requests
    remote.fetch.max.wait.ms remote.list.offsets.request.timeout.ms
    remote.log.index.file.cache.total.size.bytes remote.log.manager.copier.thread.pool.size
    remote.log.manager.copy.max.bytes.per.second remote.log.manager.copy.quota.window.num
    remote.log.manager.copy.quota.window.size.seconds
    remote.log.manager.expiration.thread.pool.size remote.log.manager.fetch.max.bytes.per.second
    remote.log.manager.fetch.quota.window.num remote.log.manager.fetch.quota.window.size.seconds
    remote.log.manager.follower.thread.pool.size remote.log.manager.task.interval.ms
    remote.log.manager.thread.pool.size remote.log.metadata.custom.metadata.max.bytes
    remote.log.metadata.manager.class.name remote.log.metadata.manager.class.path
    remote.log.metadata.manager.impl.prefix remote.log.metadata.manager.listener.name
    remote.log.reader.max.pending.tasks remote.log.reader.threads
    remote.log.storage.manager.class.name remote.log.storage.manager.class.path
    remote.log.storage.manager.impl.prefix replica.fetch.backoff.ms replica.fetch.max.bytes
    replica.fetch.min.bytes replica.fetch.response.max.bytes replica.fetch.wait.max.ms
    replica.lag.time.max.ms replica.selector.class replica.socket.receive.buffer.bytes
    replica.socket.timeout.ms replication.quota.window.num replication.quota.window.size.seconds
    request.timeout.ms reserved.broker.max.id share.coordinator.append.linger.ms
    share.coordinator.cached.buffer.max.bytes share.coordinator.load.buffer.size
    share.coordinator.snapshot.update.records.per.snapshot
    share.coordinator.state.topic.compression.codec share.coordinator.state.topic.min.isr
    share.coordinator.state.topic.num.partitions
    share.coordinator.state.topic.replication.factor share.coordinator.state.topic.segment.bytes
    share.coordinator.threads share.coordinator.write.timeout.ms
    share.fetch.purgatory.purge.interval.requests socket.connection.setup.timeout.max.ms
    socket.connection.setup.timeout.ms telemetry.max.bytes
    transaction.abort.timed.out.transaction.cleanup.interval.ms
    transaction.partition.verification.enable
    transaction.remove.expired.transaction.cleanup.interval.ms
    transaction.state.log.load.buffer.size transaction.state.log.num.partitions
    transaction.state.log.segment.bytes transaction.two.phase.commit.enable
    transactional.id.expiration.ms unstable.api.versions.enable unstable.feature.versions.enable
    zookeeper.connect zookeeper.connection.timeout.ms zookeeper.max.in.flight.requests
    zookeeper.session.timeout.ms zookeeper.set.acl
"""
IGNORED = frozenset(NAMES.split())
"""Settings of Kafka 3.x and 4.x brokers (DescribeConfigs of a 4.3 broker, and earlier removals)."""

NO_SECURITY = "this broker has no authentication and no TLS yet; do not expose it"
NO_AUTHORIZER = "this broker has no access control lists yet: everybody may do everything"
NO_POLICIES = "this broker cannot run Java classes, so the policy would not be enforced"

REFUSED_PREFIXES = {
    "sasl.": NO_SECURITY,
    "ssl.": NO_SECURITY,
    "listener.name.": NO_SECURITY,
}

REFUSED = {
    "authorizer.class.name": NO_AUTHORIZER,
    "super.users": NO_AUTHORIZER,
    "security.providers": NO_SECURITY,
    "principal.builder.class": NO_SECURITY,
    "delegation.token.secret.key": NO_SECURITY,
    "client.quota.callback.class": NO_POLICIES,
    "create.topic.policy.class.name": NO_POLICIES,
    "alter.config.policy.class.name": NO_POLICIES,
    "config.providers": "values behind a config provider cannot be read here; write them out",
    "cordoned.log.dirs": "directories cannot be cordoned yet",
}
"""Refused unless the value is empty."""

HARMLESS_VALUES = {
    "security.inter.broker.protocol": ("PLAINTEXT", NO_SECURITY),
    "remote.log.storage.system.enable": ("false", "this broker has no tiered storage"),
    "allow.everyone.if.no.acl.found": ("true", NO_AUTHORIZER),
}
"""Ignored with this value, refused with any other."""

ALIASES = {"broker.id": "node.id"}
"""Kafka's second names."""


def refusal(key: str, value: str) -> str | None:
    """Why a setting of Kafka's must not be ignored; None when it may be."""
    if key in HARMLESS_VALUES:
        harmless, reason = HARMLESS_VALUES[key]
        return None if value.strip().lower() == harmless.lower() else reason
    if not value.strip():
        return None
    if key in REFUSED:
        return REFUSED[key]
    for prefix, reason in REFUSED_PREFIXES.items():
        if key.startswith(prefix):
            return reason
    return None


def is_kafkas(key: str) -> bool:
    """Whether Kafka knows the name."""
    return (
        key in IGNORED
        or key in REFUSED
        or key in HARMLESS_VALUES
        or key.startswith(tuple(REFUSED_PREFIXES))
    )

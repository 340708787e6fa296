"""Apache Kafka itself, one node from its published jars: what writes the data that we import."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from compat_tests.brokers import HOST, BrokerProcess, free_port
from compat_tests.java.jars import libraries
from compat_tests.java.runner import JVM

CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAQ"
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
offsets.topic.num.partitions=5
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=200
metadata.log.max.record.bytes.between.snapshots=2000
"""


class KafkaProcess(BrokerProcess):
    """A `BrokerProcess` of the Kafka `version` whose data are in `folder`/data, or elsewhere."""

    def __init__(self, folder: Path, version: str, log_dirs: Sequence[Path] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        properties = folder / "server.properties"
        classpath = f"{libraries(version)}/*"
        java = (*JVM[:-1], "-Xmx512m", "-cp", classpath)
        super().__init__(folder, " ".join((*java, "kafka.Kafka", str(properties))))
        self.data = folder / "data"
        text = PROPERTIES.format(
            host=HOST,
            port=self.port,
            controller_port=free_port(),
            data=",".join(map(str, log_dirs or [self.data])),
        )
        properties.write_text(text)
        if not any(one.exists() for one in log_dirs or [self.data]):
            tool = ("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties))
            subprocess.run([*java, *tool], check=True, capture_output=True)

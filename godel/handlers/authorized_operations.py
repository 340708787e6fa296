"""What a client may do, as the bits of Kafka's `AclOperation` (KIP-430): everything, so far."""

from __future__ import annotations

CLUSTER_OPERATIONS = 8096
TOPIC_OPERATIONS = 3576
GROUP_OPERATIONS = 3400
NOT_ASKED = -2147483648

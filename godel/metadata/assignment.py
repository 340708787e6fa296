"""Which brokers hold a partition: checks of what a client asks for, and our own choice.

The first replica leads. Leaders go round the brokers. Data is as safe as the store below, so that
more replicas do not mean more copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from godel.errors import ApiError, ErrorCode


def check_counts(partitions: int, replication_factor: int) -> None:
    """Beside assignments no counts are allowed. Raises `ApiError` INVALID_REQUEST."""
    if replication_factor != -1:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "With assigned partitions the replication factor must be -1.",
        )
    if partitions != -1:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "With assigned partitions the number of partitions must be -1.",
        )


def check_factor(factor: int, brokers: Sequence[int]) -> None:
    """Raises `ApiError` INVALID_REPLICATION_FACTOR."""
    if factor <= 0:
        raise ApiError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "The replication factor must be above 0, or -1 for the default.",
        )
    if factor > len(brokers):
        raise ApiError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"A replication factor of {factor} needs {factor} brokers, but there are"
            f" {len(brokers)}.",
        )


def check_partition_count(count: int) -> None:
    """Raises `ApiError` INVALID_PARTITIONS."""
    if count <= 0:
        raise ApiError(
            ErrorCode.INVALID_PARTITIONS,
            "The number of partitions must be above 0, or -1 for the default.",
        )


def spread(count: int, factor: int, brokers: Sequence[int], *, first: int) -> list[tuple[int, ...]]:
    """Replicas of `count` partitions, the leaders in turn from the `first` broker on."""
    turns = [
        tuple(brokers[(start + step) % len(brokers)] for step in range(factor))
        for start in range(len(brokers))
    ]
    return [turns[(first + index) % len(brokers)] for index in range(count)]


def checked_new(
    assignments: Mapping[int, Sequence[int]], brokers: Sequence[int]
) -> list[tuple[int, ...]]:
    """A new topic's assignment. Raises `ApiError` INVALID_REPLICA_ASSIGNMENT."""
    if set(assignments) != set(range(len(assignments))):
        raise _refused("Assigned partitions must be numbered 0, 1, 2 and so on without gaps.")
    factor = len(assignments[0])
    return [checked(assignments[index], brokers, factor=factor) for index in sorted(assignments)]


def checked(replicas: Sequence[int], brokers: Sequence[int], *, factor: int) -> tuple[int, ...]:
    """One partition's assignment. Raises `ApiError` INVALID_REPLICA_ASSIGNMENT."""
    if not replicas:
        raise _refused("An assignment names no broker.")
    if len(set(replicas)) != len(replicas):
        raise _refused(f"An assignment names a broker twice: {list(replicas)}.")
    for broker in replicas:
        if broker not in brokers:
            raise _refused(f"An assignment names broker {broker}, which does not exist.")
    if len(replicas) != factor:
        raise _refused(f"An assignment has {len(replicas)} replica(s), another one has {factor}.")
    return tuple(replicas)


def _refused(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)

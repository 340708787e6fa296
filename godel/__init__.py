"""Gödel: the Kafka broker you can pip install."""

__version__ = "0.1.0"

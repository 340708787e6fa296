"""`godel export`: the records of a topic into a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from godel.cli.completion import topic_names
from godel.cli.exits import Refused, Status
from godel.cli.output import say, show_value, size, warn
from godel.cli.produce import records
from godel.cli.progress import Progress, progress
from godel.cli.record_files import Form, Survey, end_mark, heading, is_beginning, survey, written
from godel.cli.session import Session, command
from godel.client.cluster import Cluster
from godel.client.fetching import Reader
from godel.client.offsets import spans
from godel.client.topics import named_topics
from godel.records.crc import crc32c
from godel.types import TopicPartition

app = typer.Typer()

STDOUT = "-"
SUFFIX = ".batches"

FormOption = Annotated[
    Form | None,
    typer.Option(
        "--as",
        metavar="|".join(Form),
        show_default=False,
        help="JSON lines, or batches as they are in the log. Without it the name of the file "
        f"decides: batches where it ends with {SUFFIX}.",
    ),
]


@command(
    app,
    "export",
    "godel export flights flights.jsonl",
    "godel export flights flights.batches",
    "godel export flights flights.batches --resume",
    "godel export flights | gzip > flights.jsonl.gz",
)
def export(
    session: Session,
    topic: Annotated[
        str, typer.Argument(metavar="TOPIC", help="A topic.", autocompletion=topic_names)
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Where to; - is standard output.")
    ] = STDOUT,
    *,
    form: FormOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a file that is there already.")
    ] = False,
) -> None:
    """Write the records of a topic to a file, up to where its partitions end now.

    The file says how far it is: after an interruption --resume completes it, and later adds what
    has come since. A file of batches says besides whether it is whole; JSON lines are records and
    nothing else, for other tools. Records of aborted transactions are left out. `godel import`
    reads both forms.
    """
    chosen = form or (Form.BATCHES if file.endswith(SUFFIX) else Form.JSON)
    if file == STDOUT and chosen is Form.BATCHES and sys.stdout.isatty():
        raise typer.BadParameter("batches are nothing for a terminal: name a file")
    before = Survey(chosen)
    if file != STDOUT:
        with progress(f"checking {file}", clock=session.clock) as shown:
            before = beginning(Path(file), topic, chosen, resume=resume, shown=shown)
    with target(file) as out, progress(f"exporting {topic}", clock=session.clock) as shown:
        export = Export(chosen, out, shown, rest_from=None if file == STDOUT else before.end)
        try:
            session.run(lambda cluster: export.run(cluster, topic, before))
        except KeyboardInterrupt:
            if file != STDOUT:
                say(f"interrupted after {records(export.records)}: --resume goes on from here")
            raise
    if file != STDOUT and not session.is_for_people:
        show_value(session.format, export.summary(topic, file))
    else:
        say(f"exported {records(export.records)} of {topic} ({size(export.size_bytes)})")


def beginning(path: Path, topic: str, form: Form, *, resume: bool, shown: Progress) -> Survey:
    """What there is already of a file to be written."""
    if not path.exists():
        return Survey(form)
    if not resume:
        raise Refused(
            f"{path} exists already", hint="--resume goes on with it", status=Status.FAILED
        )
    found = survey(path, shown)
    if found.topic is None:
        if found.is_cut and not is_beginning(path, form):
            raise Refused(f"{path} is no export", hint="export to a new file")
        return Survey(form)
    if (found.topic, found.form) != (topic, form):
        raise Refused(f"{path} has {found.topic} as {found.form}, not {topic} as {form}")
    return found


def warn_of_deleted(where: TopicPartition, before: int, after: int) -> None:
    warn(f"{where}: the offsets {before} to {after - 1} were deleted meanwhile")


@contextmanager
def target(name: str) -> Iterator[BinaryIO]:
    """Standard output, or a file that is written on and then synced."""
    if name == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with naming(name), Path(name).open("ab") as file:
        try:
            yield file
        except BaseException:
            file.flush()
            if not os.fstat(file.fileno()).st_size:
                Path(name).unlink()  # nothing is in it to go on with
            raise
        finally:
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Have a write that fails say to which file."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or name
        raise


class Export:
    """Writes a topic out. Owns how much that was.

    `rest_from`: where an end, or half an entry, begins that is in the way of the first write. Until
    then it is left alone: a whole file stays whole where there is no broker to go on with.
    """

    def __init__(
        self, form: Form, out: BinaryIO, shown: Progress, *, rest_from: int | None = None
    ) -> None:
        self.records = 0
        self.size_bytes = 0
        self._form = form
        self._out = out
        self._shown = shown
        self._rest_from = rest_from
        self._crc = 0

    async def run(self, cluster: Cluster, name: str, before: Survey) -> None:
        (topic,) = await named_topics(cluster, [name])
        self._crc = before.crc
        if before.topic is None:
            self._write(0, heading(self._form, name, len(topic.partitions)))
        there = await spans(cluster, topic.indexes(), committed_only=True)
        starts, ends = {}, {}
        for where, span in there.items():
            position = before.positions.get(where.partition, span.start)
            if position < span.start:
                warn_of_deleted(where, position, span.start)
            start = max(position, span.start)
            if start > span.end:
                raise Refused(
                    f"the file has {where} up to {start}, where the topic ends at {span.end}",
                    hint="is it another topic of the same name? Export it to a new file",
                )
            if start < span.end:
                starts[where], ends[where] = start, span.end
        self._shown.expect(sum(ends[each] - starts[each] for each in ends))
        await self._read(Reader(cluster, starts, committed_only=True, moved=warn_of_deleted), ends)
        self._write(0, end_mark(self._form, before.records + self.records, self._crc))

    async def _read(self, reader: Reader, ends: dict[TopicPartition, int]) -> None:
        """Up to the ends, or to where nothing follows any more, as after compaction."""
        while reader.positions:
            before = dict(reader.positions)
            batches = await reader.poll()
            for batch in batches:
                if batch.header.base_offset < ends[batch.partition]:
                    self._write(*written(self._form, batch))
                    self._shown.update(self.records, self.size_bytes)
            if not batches and reader.positions == before:
                for where, position in before.items():
                    warn(f"{where}: nothing is there from {position} to {ends[where] - 1}")
                return
            for where, position in before.items():
                if reader.positions.get(where, position) >= ends[where]:
                    del reader.positions[where]

    def _write(self, count: int, raw: bytes) -> None:
        if self._rest_from is not None:
            self._out.truncate(self._rest_from)
            self._rest_from = None
        self._out.write(raw)
        self._crc = crc32c(raw, self._crc)
        self.records += count
        self.size_bytes += len(raw)

    def summary(self, topic: str, file: str) -> dict[str, object]:
        return {"topic": topic, "file": file, "records": self.records, "bytes": self.size_bytes}

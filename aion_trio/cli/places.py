"""Where a verb looks: a daemon, or a journal directory for what only reads.

`--journal DIR` reads a directory; `--url`, or `--socket` for a Unix socket, names a daemon, which is the default
(`http://127.0.0.1:8420`). Each has an environment variable. A token comes from a file or from the environment, never from the
command line, where everybody could see it.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click
import trio
from click.core import ParameterSource

from aion_trio.engine import WorkflowDescription, WorkflowSummary
from aion_trio.errors import WorkflowNotFoundError
from aion_trio.events import Event
from aion_trio.extras import what_to_install
from aion_trio.history import WorkflowStatus
from aion_trio.stores.contract import AttributeValue

from .offline import open_journal_reader
from .verbs import did_you_mean, options

if TYPE_CHECKING:
    from aion_trio.client import Client

USUAL_URL = "http://127.0.0.1:8420"
MOST_IDS_COMPARED = 5000
T = TypeVar("T")


class ReadableHandle(Protocol):
    """What can be read of one workflow, in a journal or through a daemon."""

    @property
    def id(self) -> str: ...
    async def describe(self) -> WorkflowDescription: ...
    def history(self, *, follow: bool = False) -> AsyncIterator[Event]: ...
    async def result(self) -> Any: ...


class Readable(Protocol):
    """What can be read of a journal, in its directory or through a daemon."""

    def handle(self, id: str, run_id: str | None = None) -> ReadableHandle: ...

    def list_workflows(
        self, *, status: frozenset[WorkflowStatus] | None = None, type: str | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> AsyncIterator[WorkflowSummary]: ...  # fmt: skip

    async def count_workflows(
        self, *, status: frozenset[WorkflowStatus] | None = None, type: str | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
        started_after: datetime | None = None, started_before: datetime | None = None,
        closed_after: datetime | None = None, closed_before: datetime | None = None,
    ) -> int: ...  # fmt: skip

    async def export_history(self, id: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for TLS: authorities to trust, and a certificate to show with its key. Without any, the system's authorities."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """The client's context; None where there is nothing of its own to say. Raises `UsageError` for files that cannot be used."""
        if self == Tls():
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # SSLError is one
            raise click.UsageError(f"the files for TLS cannot be used: {error}") from None
        return context


@dataclass(frozen=True, slots=True)
class Place:
    """Where a verb looks: the directory `journal`, or where that is None the daemon at `url`."""

    url: str = USUAL_URL
    token_file: Path | None = None
    tls: Tls = Tls()
    journal: Path | None = None
    namespace: str = "default"

    @property
    def name(self) -> str:
        """The place, for people."""
        return self.url if self.journal is None else f"the journal {self.journal}"


_URL = click.option("--url", envvar="AION_URL", metavar="URL", help=f"The daemon's address.  [default: {USUAL_URL}]", show_envvar=True)
_SOCKET = click.option(
    "--socket", envvar="AION_SOCKET", type=click.Path(path_type=Path), metavar="PATH", help="The daemon's Unix socket.", show_envvar=True
)
_TOKEN_FILE = click.option(
    "--token-file",
    envvar="AION_TOKEN_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file with the token for the daemon; or set AION_TOKEN.",
    show_envvar=True,
)
_JOURNAL = click.option(
    "--journal",
    envvar="AION_JOURNAL",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Read this journal directory, also while an engine writes it.",
    show_envvar=True,
)
_TLS = tuple(
    click.option(
        name,
        envvar="AION_" + name.removeprefix("--").replace("-", "_").upper(),
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help=text,
        show_envvar=True,
    )
    for name, text in (
        ("--tls-ca", "The authorities to trust, instead of the system's."),
        ("--tls-certificate", "A certificate to show."),
        ("--tls-key", "The certificate's key."),
    )
)
NAMESPACE = click.option("--namespace", default="default", show_default=True, help="The namespace within the journal.")


def daemon_options(fn: Callable[..., None]) -> Callable[..., None]:
    """The options of a verb that needs a daemon; the function gets `place`."""
    return options(_URL, _SOCKET, _TOKEN_FILE, *_TLS)(_with_place(fn))


def place_options(fn: Callable[..., None]) -> Callable[..., None]:
    """The options of a verb that reads, from a daemon or from a journal directory; the function gets `place`."""
    return options(_JOURNAL, NAMESPACE, _URL, _SOCKET, _TOKEN_FILE, *_TLS)(_with_place(fn))


PLACE_PARAMETERS = ("url", "socket", "token_file", "journal", "namespace", "tls_ca", "tls_certificate", "tls_key")


def _with_place(fn: Callable[..., None]) -> Callable[..., None]:
    @wraps(fn)
    def with_place(**given: Any) -> None:
        fn(place=take_place(click.get_current_context(), given), **given)

    return with_place


def take_place(context: click.Context, given: dict[str, Any]) -> Place:
    """Take the place out of a verb's parameters. What the command line says goes before what the environment says."""
    values = {name: given.pop(name, None) for name in PLACE_PARAMETERS}
    said = [name for name in ("journal", "url", "socket") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if len(said) > 1:
        raise click.UsageError(f"--{said[0]} and --{said[1]} name two places; give one", context)
    chosen = said[0] if said else next((name for name in ("journal", "socket", "url") if values[name] is not None), "url")
    if chosen == "journal":
        return Place(journal=values["journal"], namespace=values["namespace"])
    url = f"unix:{values['socket']}" if chosen == "socket" else values["url"] or USUAL_URL
    return Place(url, values["token_file"], Tls(values["tls_ca"], values["tls_certificate"], values["tls_key"]))


def token_of(place: Place) -> str | None:
    """The token of the file, or of the environment. A file of the daemon's own kind gives its first line's token."""
    if place.token_file is None:
        return os.environ.get("AION_TOKEN") or None
    lines = [line.split() for line in place.token_file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise click.UsageError(f"{place.token_file} holds no token")
    return lines[0][-1]


@asynccontextmanager
async def open_daemon_client(place: Place) -> AsyncIterator[Client]:
    """A client of the place's daemon, that does not wait long for one that is not there."""
    if sentence := what_to_install("client"):
        raise click.UsageError(f"{sentence}; --journal DIR reads without it")
    from aion_trio.client import open_client
    from aion_trio.client.wire import Retry

    async with open_client(place.url, token=token_of(place), tls=place.tls.context(), retry=Retry(attempts=3, initial=0.1)) as client:
        yield client


@asynccontextmanager
async def open_place(place: Place) -> AsyncIterator[Readable]:
    """What a reading verb reads from."""
    if place.journal is None:
        async with open_daemon_client(place) as client:
            yield client
        return
    with open_journal_reader(place.journal, place.namespace) as reader:
        yield reader


@asynccontextmanager
async def closed_after(values: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """What a source yields, closed with the block, also where the block has seen enough."""
    try:
        yield values
    finally:
        if isinstance(values, AsyncGenerator):
            await values.aclose()


def read(place: Place, work: Callable[[Readable], Awaitable[T]], workflow_id: str | None = None) -> T:
    """Run a reading verb's work. Of a workflow that is not there, the error names the ids that are nearest."""

    async def main() -> T:
        async with open_place(place) as source:
            try:
                return await work(source)
            except WorkflowNotFoundError as error:
                raise await _with_suggestion(source, workflow_id, error) from None

    return trio.run(main)


def operate(place: Place, work: Callable[[Client], Awaitable[T]], workflow_id: str | None = None) -> T:
    """Run the work of a verb that needs a daemon."""

    async def main() -> T:
        async with open_daemon_client(place) as client:
            try:
                return await work(client)
            except WorkflowNotFoundError as error:
                raise await _with_suggestion(client, workflow_id, error) from None

    return trio.run(main)


async def _with_suggestion(source: Readable, workflow_id: str | None, error: WorkflowNotFoundError) -> WorkflowNotFoundError:
    if workflow_id is None:
        return error
    ids: list[str] = []
    async with closed_after(source.list_workflows()) as found:
        async for summary in found:
            ids.append(summary.id)
            if len(ids) >= MOST_IDS_COMPARED:
                break
    return WorkflowNotFoundError(f"{error}{did_you_mean(workflow_id, ids)}")

"""The journal actor: one writer for all histories.

Run actors put appends on a queue; one writer *thread* takes what has queued up while the previous commit was on its way
to disk, commits it once and wakes the waiters with one call into Trio (J3). There is no timer and no artificial delay:
under load batches grow by themselves. A store that does not wait for a disk is applied on the loop instead, so that
virtual time stands still while it works.

Three ends of an append: acknowledged, refused with nothing written, or *unknown* because the commit failed half-way.
After the last the store is opened again before the next batch, and whoever waited reads its head before it goes on.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import trio
from outcome import Error, Outcome, Value

from .. import codec, errors
from ..events import Raw
from ..stores import contract as stores
from ..stores.contract import Append, Obligation, ObligationKind, RunRow, Store, Summary, WorkflowKey

log = logging.getLogger("aion_trio")

MAX_BATCH = 1024
MAX_BATCH_BYTES = 8 << 20
PAGE_BYTES = 1 << 16
"""How much of a history is decoded at a time. Of more than some thousand events the first have left the processor's cache when they
are needed, and the cyclic collector walks them all: with 1 MiB a replay takes a tenth longer."""
PAGE_ROWS = 1000


Applied = list[stores.Outcome] | stores.StoreError
"""What a transaction came to: an outcome for each append, or the error that they share."""


@dataclass(slots=True, eq=False)
class _Queued:
    """Appends that must be in one transaction, and the task that waits for them."""

    appends: Sequence[Append]
    task: trio.lowlevel.Task
    then: Callable[[], object] | None
    taken: bool = False  # once in a batch, an append can no longer be withdrawn


class Journal:
    """The single writer of the store, and everyone's way to read it.

    Invariant: an `append` that returned would survive a power cut; one that raised anything but
    `AppendOutcomeUnknown` wrote nothing.
    """

    def __init__(self, store: Store, quarantined: dict[str, str] | None = None) -> None:
        self.store = store
        self._quarantined = {} if quarantined is None else quarantined
        self._told: set[str] = set()
        self._queue: deque[_Queued] = deque()
        self._lock = threading.Lock()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._running = False
        self._idle = False
        self._failed = False
        self._full = trio.Event()
        self.commits = 0
        self.appends = 0

    # ---- the actor

    async def run(self, *, task_status: trio.TaskStatus[Journal] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve appends until cancelled; what is in a batch then is finished, what is queued is withdrawn by its waiter."""
        if not self.store.blocking:
            task_status.started(self)
            await trio.sleep_forever()
        if self._failed:  # the previous writer did not get the store open again
            await trio.to_thread.run_sync(self.store.reopen)
            self._failed = False
        finished = trio.Event()
        fault: list[BaseException] = []
        self._running = True
        token = trio.lowlevel.current_trio_token()
        thread = threading.Thread(target=self._write, args=(token, finished, fault), name="aion-journal", daemon=True)
        thread.start()
        task_status.started(self)
        try:
            await finished.wait()
        finally:
            self._running = False
            self._wake.put(None)
            with trio.CancelScope(shield=True):
                await finished.wait()
        raise fault[0]  # nothing else ends it but a cancellation

    async def append(self, item: Append) -> int:
        """Make one step durable; the new head.

        Cancelled while it is queued, it is withdrawn and nothing was written; once its batch is on the way to disk it
        completes, and the cancellation is delivered at the next checkpoint. Raises `SequenceConflict`,
        `JournalFullError`, `PayloadTooLargeError`, `AppendOutcomeUnknown`.
        """
        (head,) = await self.append_all([item])
        return head

    async def append_all(self, items: Sequence[Append], then: Callable[[], object] | None = None) -> list[int]:
        """As `append`, for several appends that are durable together or not at all with their transaction.

        `then` is called as soon as they are known to be durable, a turn of the loop before the caller goes on, and whether
        or not it is cancelled meanwhile; what it raises is raised here.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            return await self._append_all(items, then)
        except errors.JournalFullError:
            self._full.set()
            raise

    async def full(self) -> None:
        """Return when an append, from this call on, has found no room."""
        self._full = trio.Event()
        await self._full.wait()

    async def _append_all(self, items: Sequence[Append], then: Callable[[], object] | None) -> list[int]:
        if not self.store.blocking:
            applied = self._apply(items)
            self._reopen_after(applied)
            outcome = _outcome_of(applied, then)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return self._heads(outcome.unwrap())
        waiting = _Queued(items, trio.lowlevel.current_task(), then)
        self._queue.append(waiting)
        if self._idle:  # at worst an extra wake-up: the thread looks at the queue again after it has said that it is idle
            self._idle = False
            self._wake.put(None)

        def abort(_: object) -> trio.lowlevel.Abort:
            with self._lock:
                if waiting.taken:
                    return trio.lowlevel.Abort.FAILED
                waiting.taken = True
            return trio.lowlevel.Abort.SUCCEEDED

        outcomes_list: list[stores.Outcome] = await trio.lowlevel.wait_task_rescheduled(abort)
        return self._heads(outcomes_list)

    def _heads(self, outcomes: Sequence[stores.Outcome]) -> list[int]:
        heads: list[int] = []
        for outcome in outcomes:
            if isinstance(outcome, int):
                heads.append(outcome)
            else:
                raise translated(outcome) from None
        return heads

    def _apply(self, items: Sequence[Append]) -> Applied:
        """One durable transaction: an outcome for each append, or the error that they all share."""
        try:
            applied = self.store.apply(items)
        except stores.StoreError as error:
            return error
        self.commits += 1
        self.appends += len(items)
        return applied

    # ---- the writer thread

    def _write(self, token: trio.lowlevel.TrioToken, finished: trio.Event, fault: list[BaseException]) -> None:
        try:
            while self._running:
                batch = self._take_batch()
                if batch:
                    self._commit(batch, token)
                    continue
                self._idle = True
                if not self._queue:
                    self._wake.get()
                self._idle = False
        except BaseException as error:  # carried to `run`, which raises it in the actor
            self._failed = True
            fault.append(error)
        finally:
            token.run_sync_soon(finished.set)

    def _take_batch(self) -> list[_Queued]:
        batch: list[_Queued] = []
        count = size = 0
        while self._queue and count < MAX_BATCH and size < MAX_BATCH_BYTES:
            waiting = self._queue.popleft()
            with self._lock:
                if waiting.taken:
                    continue
                waiting.taken = True
            batch.append(waiting)
            count += len(waiting.appends)
            size += sum(len(item.frame) for item in waiting.appends)
        return batch

    def _commit(self, batch: list[_Queued], token: trio.lowlevel.TrioToken) -> None:
        items = [item for waiting in batch for item in waiting.appends]
        try:
            result = self._apply(items)
            self._reopen_after(result)  # before anyone is woken: the first thing that they do is read their head
        except BaseException as error:
            token.run_sync_soon(_wake, batch, stores.StoreFailed(f"the journal's writer failed: {error!r}"))
            raise
        token.run_sync_soon(_wake, batch, result)

    def _reopen_after(self, result: Applied) -> None:
        """After a commit whose outcome is unknown: nothing is read or written before the store was opened again."""
        if isinstance(result, stores.StoreError) and isinstance(translated(result), errors.AppendOutcomeUnknown):
            self.store.reopen()

    # ---- reads: committed state only, one short transaction a page (J5)

    def head(self, key: WorkflowKey) -> int:
        """The seq of the newest event, 0 for an unknown id."""
        with reading():
            return self.store.head(key)

    def summary(self, key: WorkflowKey) -> Summary | None:
        """The projection row, or None for an unknown id."""
        with reading():
            return self.store.summary(key)

    def runs(self, key: WorkflowKey) -> list[RunRow]:
        """Every run of the id, oldest first."""
        with reading():
            return self.store.runs(key)

    def mark(self, key: WorkflowKey, name: bytes) -> bytes | None:
        """What the id remembers under `name`, or None."""
        with reading():
            return self.store.mark(key, name)

    def obligation(self, key: WorkflowKey, kind: ObligationKind, row: bytes) -> Obligation | None:
        """One open obligation, or None."""
        with reading():
            return self.store.obligation(key, kind, row)

    def obligations(
        self, kind: ObligationKind, *, until_us: int | None = None, after: Obligation | None = None, limit: int = PAGE_ROWS
    ) -> list[Obligation]:
        """A page of what is owed of one kind, ordered by due time; a damaged row is left out, and its workflow quarantined (R8)."""
        with reading():
            return self.store.obligations(kind, until_us=until_us, after=after, limit=limit, on_damage=self._leave_out)

    def _leave_out(self, damage: stores.CorruptRecord) -> None:
        text = f"{damage}; `aion-trio journal verify` lists all damage"
        if damage.workflow_id:
            self._quarantined.setdefault(damage.workflow_id, f"JournalCorruptedError: {text}")
        if text not in self._told:
            self._told.add(text)
            log.error("what is owed could not be read: %s", text)

    def obligations_of(self, key: WorkflowKey) -> list[Obligation]:
        """Everything that one workflow owes."""
        with reading():
            return self.store.obligations_of(key)

    def pages(self, key: WorkflowKey, from_seq: int = 1, max_bytes: int = PAGE_BYTES) -> Iterator[tuple[int, list[Raw], int]]:
        """Decoded events from the frame that holds `from_seq` on: first seq, events, bytes. Raises `JournalCorruptedError`."""
        next_seq: int | None = from_seq
        while next_seq is not None:
            with reading():
                page = self.store.history(key, next_seq, max_bytes)
            try:  # the frames of a page are decoded by one call
                data = b"".join([frame.data for frame in page.frames])
                raws = codec.decode_frame(data, sum([frame.count for frame in page.frames]))
            except errors.AionError:  # frame by frame, so that the one that does not decode is named
                yield from map(partial(_alone, key), page.frames)
            else:
                if page.frames:
                    yield page.frames[0].first_seq, raws, len(data)
            next_seq = page.next_seq

    def event(self, key: WorkflowKey, seq: int) -> Raw | None:
        """One event, or None where the history does not reach."""
        with reading():
            page = self.store.history(key, seq, 1)
        for frame in page.frames:
            if frame.first_seq <= seq < frame.first_seq + frame.count:
                return decoded(key, frame)[seq - frame.first_seq]
        return None


def _wake(batch: list[_Queued], result: Applied) -> None:
    """Give each waiter of a batch its own appends' outcomes, or its own copy of the error: an exception has one traceback."""
    position = 0
    for waiting in batch:
        own = result
        if isinstance(result, list):
            end = position + len(waiting.appends)
            own, position = result[position:end], end
        trio.lowlevel.reschedule(waiting.task, _outcome_of(own, waiting.then))


def _outcome_of(result: Applied, then: Callable[[], object] | None) -> Outcome[list[stores.Outcome]]:
    """What a waiter gets, with the store's errors in the engine's words; `then` is called if all of it is durable."""
    if not isinstance(result, list):
        return Error(translated(result))
    if then is not None and all(type(outcome) is int for outcome in result):
        try:
            then()
        except BaseException as error:  # it is the waiter's, not the loop's
            return Error(error)
    return Value(result)


def _alone(key: WorkflowKey, frame: stores.Frame) -> tuple[int, list[Raw], int]:
    """A frame as a page of its own."""
    return frame.first_seq, decoded(key, frame), len(frame.data)


def decoded(key: WorkflowKey, frame: stores.Frame) -> list[Raw]:
    """The events of a frame; a frame that does not decode is a corrupted record of this workflow alone (J7)."""
    try:
        return codec.decode_frame(frame.data, frame.count)
    except errors.UnknownEventError as error:
        raise errors.UnknownEventError(f"workflow {key.workflow_id!r}, events from {frame.first_seq}: {error}") from error
    except errors.AionError as error:
        raise errors.JournalCorruptedError(
            f"workflow {key.workflow_id!r}: the events from {frame.first_seq} cannot be decoded ({error}); restore the id "
            "from a backup or an export, other workflows are not affected",
            key.workflow_id,
            frame.first_seq,
        ) from error


class reading:
    """A block in which the store's errors become the engine's."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, stores.StoreError):
            raise translated(error) from error


def translated(error: stores.StoreError) -> errors.AionError:
    """The engine's error for a store's."""
    text = str(error)
    match error:
        case stores.SequenceConflict():
            return errors.SequenceConflict(text, error.expected, error.found)
        case stores.ObligationGone():
            return ObligationSettled(text)
        case stores.RecordTooLarge():
            return errors.PayloadTooLargeError(text)
        case stores.InvalidRecord():
            return errors.InvalidInputError(text)
        case stores.StoreClosed():
            return errors.EngineClosedError(f"{text}; the engine's block has been left")
        case stores.StoreFull():
            return errors.JournalFullError(text)
        case stores.StoreLocked():
            return errors.JournalLockedError(text, error.pid)
        case stores.StoreFormatError():
            return errors.JournalFormatError(text)
        case stores.StoreNotWritable():
            return errors.JournalNotWritableError(text)
        case stores.CorruptRecord():
            return errors.JournalCorruptedError(text, error.workflow_id, error.seq)
        case _:
            return errors.AppendOutcomeUnknown(text)


class ObligationSettled(errors.AionError):
    """What an append was to settle has been settled already; nothing was written."""

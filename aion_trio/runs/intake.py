"""What an actor takes from its mailbox for one turn, so that nobody keeps another one out.

Outcomes of activities are urgent, since whoever reports them does not wait; a workflow with many activities may be sent
them without a pause. So callers have a share of every batch, and what is served alone has a turn behind every batch.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..errors import JournalFullError
from ..supervision import Mailbox
from .messages import Ask, Cancel, Deliver, Import, Message, Stack, Start, Terminate

BATCH = 64
_CALLS = (Start, Deliver, Cancel, Terminate, Import, Ask, Stack)
_ALONE = (Ask, Stack, Import)  # a query sees what is durable; a history that is taken over has no room for more

_Match = Callable[[Message], bool]


def batch_behind(mailbox: Mailbox[Message], message: Message) -> list[Message]:
    """The message and what waits behind it: up to a half of callers', if there are as many, and then urgent ones first."""
    batch = [message]
    if mailbox.queued and not isinstance(message, _ALONE):
        _fill(batch, BATCH // 2, mailbox.receive_patient_nowait, _joins_others)
        _fill(batch, BATCH, mailbox.receive_nowait, _joins_others)
    return batch


def one_alone(mailbox: Mailbox[Message]) -> list[Message]:
    """The first message that waits to be served alone, or none."""
    batch: list[Message] = []
    if mailbox.queued:
        _fill(batch, 1, mailbox.receive_patient_nowait, _stands_alone)
    return batch


async def next_call(mailbox: Mailbox[Message]) -> Message:
    """The next message of a caller from outside of the engine. If this is cancelled, nothing was taken."""
    try:
        return await mailbox.receive(_is_call)
    except trio.EndOfChannel:  # the engine stops, and nobody calls any more
        return await trio.sleep_forever()


def refuse_calls(batch: list[Message], error: JournalFullError) -> list[Message]:
    """Tell callers that there is no room; what the engine itself owes stays in hand (J6)."""
    kept: list[Message] = []
    for message in batch:
        if isinstance(message, _CALLS):
            message.fail(error)
        else:
            kept.append(message)
    return kept


def _fill(batch: list[Message], size: int, receive: Callable[[_Match], Message], match: _Match) -> None:
    while len(batch) < size:
        try:
            batch.append(receive(match))
        except (trio.WouldBlock, trio.EndOfChannel):
            return


def _joins_others(message: Message) -> bool:
    return not isinstance(message, _ALONE)


def _stands_alone(message: Message) -> bool:
    return isinstance(message, _ALONE)


def _is_call(message: Message) -> bool:
    return isinstance(message, _CALLS)

"""Actors and supervisors for Trio: `async with` blocks whose tasks are run again when they fail.

It stands alone: it knows nothing of durable execution, and needs nothing but Trio. ``docs/supervision.md`` is its
chapter.
"""

from .address import Address
from .directory import Directory, open_directory
from .errors import ActorStopped, AskCycle, GaveUp, LinkBroken, NotAnswered, StartFailed, SupervisionError
from .exits import Exit
from .handle import Handle, linked, watch
from .instrument import Instrument, LogInstrument
from .mailbox import Mailbox, MailboxStatistics
from .policy import AutoShutdown, Backoff, Budget, Restart, Strategy
from .requests import Request
from .slot import Child
from .snapshot import Node, render
from .supervisor import Supervisor, open_supervisor, supervise

__all__ = [
    "ActorStopped",
    "Address",
    "AskCycle",
    "AutoShutdown",
    "Backoff",
    "Budget",
    "Child",
    "Directory",
    "Exit",
    "GaveUp",
    "Handle",
    "Instrument",
    "LinkBroken",
    "LogInstrument",
    "Mailbox",
    "MailboxStatistics",
    "Node",
    "NotAnswered",
    "Request",
    "Restart",
    "StartFailed",
    "Strategy",
    "SupervisionError",
    "Supervisor",
    "linked",
    "open_directory",
    "open_supervisor",
    "render",
    "supervise",
    "watch",
]

"""The engine: `open_engine` assembles the tree of actors, `Engine` and `WorkflowHandle` are its public face."""

from .assembly import open_engine
from .config import EngineConfig
from .descriptions import ParentLink, PendingActivity, PendingChild, WorkflowDescription, WorkflowSummary
from .engine import Engine
from .handle import WorkflowHandle

__all__ = [
    "Engine",
    "EngineConfig",
    "ParentLink",
    "PendingActivity",
    "PendingChild",
    "WorkflowDescription",
    "WorkflowHandle",
    "WorkflowSummary",
    "open_engine",
]

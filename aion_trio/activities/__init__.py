"""The activities actor: runs attempts, within limits per kind, and reports how each ended.

An attempt belongs to a durable obligation row and carries its key; its outcome counts only while the row names that
attempt, so running one twice after a crash has one recorded effect (A1).
"""

from .actor import Activities
from .info import ActivityInfo, NotInActivityError, activity_info, heartbeat
from .task import ActivityOutcome, ActivityTask

__all__ = ["Activities", "ActivityInfo", "ActivityOutcome", "ActivityTask", "NotInActivityError", "activity_info", "heartbeat"]

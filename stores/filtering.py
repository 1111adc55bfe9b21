"""Which summaries a listing holds: the one reading of `SummaryFilter`, shared by the backends."""

from __future__ import annotations

from .attributes import encode_value
from .contract import Summary, SummaryFilter


class Condition:
    """A filter made ready to be asked of many summaries.

    Attribute values are compared as they are encoded, so that `1` does not match `True`. A time condition on the
    end of a workflow holds for closed ones alone. 'After' includes the time given, 'before' does not.
    """

    __slots__ = ("_attributes", "where")

    def __init__(self, where: SummaryFilter) -> None:
        self.where = where
        self._attributes = [(name, encode_value(value)) for name, value in where.attributes.items()]

    def holds(self, summary: Summary) -> bool:
        """Whether all conditions that are given are true of `summary`."""
        where = self.where
        if where.statuses is not None and summary.status not in where.statuses:
            return False
        if where.type is not None and summary.type != where.type:
            return False
        return self._times_hold(summary) and self._attributes_hold(summary)

    def _times_hold(self, summary: Summary) -> bool:
        where = self.where
        if not _within(summary.started_us, where.started_after_us, where.started_before_us):
            return False
        if where.closed_after_us is None and where.closed_before_us is None:
            return True
        return summary.closed_us > 0 and _within(summary.closed_us, where.closed_after_us, where.closed_before_us)

    def _attributes_hold(self, summary: Summary) -> bool:
        for name, encoded in self._attributes:
            value = summary.attributes.get(name)
            if value is None or encode_value(value) != encoded:
                return False
        return True


def _within(time_us: int, after_us: int | None, before_us: int | None) -> bool:
    return (after_us is None or time_us >= after_us) and (before_us is None or time_us < before_us)

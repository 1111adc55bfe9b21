"""The journal: the single writer of all histories, and the index rows that follow from events.

`Journal` is the actor that makes appends durable and answers reads; `Projection` is the one function from events to
index rows, used by the live path, by import and by verification alike (H2, J4).
"""

from .projection import Changes, Projection
from .writer import Journal

__all__ = ["Changes", "Journal", "Projection"]

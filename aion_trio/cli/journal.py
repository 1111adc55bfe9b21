"""`aion-trio journal …`: look into a journal, check it, mend it, copy it, move histories."""

from __future__ import annotations

from .verbs import group

command = group(
    "journal",
    "Look into a journal directory, check it, mend it, copy it, move histories. No daemon is needed.",
    {
        "verify": "journal_reading:verify",
        "stats": "journal_reading:stats",
        "backup": "journal_reading:backup",
        "export": "journal_reading:export_history",
        "import": "journal_writing:import_history",
        "repair": "journal_writing:repair",
        "compact": "journal_writing:compact",
    },
    "journal verify orders.aion",
    "journal backup orders.aion /backup/orders-2026-01-31",
)

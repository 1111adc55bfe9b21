"""The durable backend: one directory, one LMDB environment, one writer (`LmdbStore`).

layout      the keys of the six trees                records, rows   what a value holds, and its checksum
directory   the files, the lock, the room on disk    environment     LMDB opened with measured settings; snapshots
writer      one batch, one transaction               batch, purge    what happens inside it
reader      one workflow                             listing, owed   many workflows
verify      every record against every other         backup          a copy while the writer works
"""

from .store import LmdbStore

__all__ = ["LmdbStore"]

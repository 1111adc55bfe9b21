"""The main job: orders that are reserved, charged, shipped and settled by an engine that is killed again and again.

`workflows` and `ledger` are code that an application would have; `worker` is the process that is killed, `conductor` the
one that kills, restarts and counts.
"""

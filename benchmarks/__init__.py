"""Measurements that a stranger can believe: `python -m benchmarks`, or `aion-trio bench`.

Every row is a cost for one piece (a step, a workflow, an event), as median and spread of several rounds; wall-clock time,
and beside it the processor time of this process, which other work on the machine disturbs less. Wherever there is one,
a *floor* was measured in the same run, its rounds alternating with those of the row: what the disk, LMDB, the decoder
or Trio itself takes for the same bytes. Read the ratio. With `--peers` other engines do the same work in environments of
their own, on the same disk and with the same durability.

| module       | what it measures                                                                              |
|--------------|-----------------------------------------------------------------------------------------------|
| `floors`     | fdatasync, an LMDB commit, a coroutine, a Trio checkpoint                                     |
| `replay`     | a history read back and the code run through it, by shape and by length                      |
| `steps`      | one durable step, the start-to-result latency, a fan-out, the cost of a step in a long run    |
| `throughput` | short workflows, 1 to 10 000 in flight                                                        |
| `recovery`   | what a crash left owed, beside few and beside many parked workflows                           |
| `parking`    | parked workflows: bytes on disk, memory, the time to open                                     |
| `footprint`  | memory of a workflow that waits, import time, hello world                                     |
| `peers`      | Temporal's replayer, DBOS, Absurd, Restate                                                     |

`suite` names them all; `row` says what a target is. Parts with scripts of their own are listed in `parts`.
"""

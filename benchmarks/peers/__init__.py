"""Other engines, doing the same work in the same run: each in an environment of its own, installed when it is asked for.

`environments` makes those, `rows` runs the scripts and puts what they print into rows. The scripts (`temporal_script`, `dbos_script`,
`absurd_script`, `restate_script`) import nothing of this package: they run in the peer's environment, take their counts as JSON and
print one JSON object a line. `postgres` starts Debian's PostgreSQL on loopback for those that need one, `restate_server` Restate's own
server.
"""

"""Mutation testing: faults put in by rule, one at a time, and the tests that notice them.

`operators` says which faults, `places` where they go, `session` runs the tests that pass there in a forked child,
`areas` which tests belong to which modules, and `python -m tests.mutation` is the command.
"""

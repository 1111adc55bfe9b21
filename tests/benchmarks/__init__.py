"""The benchmarks themselves: what they say of a row, what they keep, and a guard that fails when something got much slower."""

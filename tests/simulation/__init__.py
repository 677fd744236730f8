"""A deterministic simulation: the real service on a chain, a clock and a chance of its own, in one thread of one process.

One seed makes one list of plain actions (`actions`): payments, settlement, faults, restarts. `world` carries them out on the
real backend, whose node is `node` over `chain`: our compiled contracts in an EVM in this process. `oracle` looks at the promises
after each action, and at all of them when everything has come to rest. `shrink` makes a failing list short.
"""

"""Python's garbage collector, told what a busy process knows better."""

import gc

YOUNG = 50_000  # objects between two collections: so few are garbage in circles that a request pays more than it gets


def calm_collector() -> None:
    """To be called first of all, as what is loaded is no garbage: looking for some in it takes a fifth of the time of loading. And when
    everything is loaded: what is there stays, and what comes is looked at seldom.

    A full look at all that was imported would hold up every request for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)

"""`taesan demo --scenario year`: eighteen months of two hundred customers, and what their small change became.

The hub, its worker, its chain and its clients are the real ones; only time is not: hub, clients and chain go by one clock that the
story moves (`world.py`), so a month takes seconds, and the same seed tells the same story. `people.py` says who takes part and what
they have signed, `story.py` what happens when, `happenings.py` how, `market.py` what others do on the chain, and `figures.py`
reads afterwards from books and chain what came of it.
"""

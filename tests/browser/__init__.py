"""A package, so that what it opens is closed when a worker goes on to other tests."""

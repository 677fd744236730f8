"""What the books know of the chain: since when it may be too little, and whether it is too doubtful to move money by.

Apart from who reads the chain (`watcher`), as the intake's process asks this and no node.
"""

from datetime import datetime

from sqlmodel import Session

from taesan.chain.models import ChainCursor
from taesan.core import outbox, restoration
from taesan.core.problems import Problem


def known_since(session: Session) -> datetime:
    """Since when the books may lack something that the chain knows: when we last heard from it, or when the oldest
    event came that is not booked yet."""
    heard = session.get_one(ChainCursor, 1).read_at
    waiting = outbox.oldest_waiting(session)
    return min(heard, waiting) if waiting else heard


def closed(session: Session) -> Problem | None:
    """Why no money may be taken in or moved now, if so: the books may lack, or hold, what the chain does not."""
    if restoration.is_reconciling(session):
        return restoration.reconciling()
    if is_doubtful(session):
        return Problem(
            "chain-view-too-old",
            503,
            "The hub has not heard from its blockchain for too long to accept payments.",
            "A reorganisation has removed blocks that counted as final. It goes on when they are read again.",
            headers={"retry-after": "30"},
        )
    return None


def is_doubtful(session: Session) -> bool:
    """Whether the books hold what a deep reorganisation has removed, and it is not known yet what of it comes back."""
    return session.get_one(ChainCursor, 1).doubtful_until is not None

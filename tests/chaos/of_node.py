"""The node and the way to it: answers that are lost, late, doubled, wrong or old; blocks that are taken back; fees and nonces."""

import functools
import time
from collections.abc import Sequence

from tests.chaos import proxy
from tests.chaos.proxy import Manner
from tests.chaos.registry import FAULTS, Fault, fault
from tests.chaos.world import SETTINGS, World
from tests.support.stage import DEPTH
from tests.support.wallet import Wallet

GWEI = 10**9
SEND = "eth_sendRawTransaction"
TROUBLE_S = 3.0
PENDING = "SELECT hash, nonce FROM chain_transaction WHERE state = 'broadcast' ORDER BY nonce"


def _spoil(world: World, manner: Manner, only: Sequence[str] = (), seconds: float = TROUBLE_S, least: int = 3) -> None:
    """For some seconds, and until so many requests are spoilt."""
    spoilt = world.proxy.spoilt.total()
    with world.proxy.behaving(manner, only):
        world.struck()
        time.sleep(seconds)
        world.wait_until(lambda: world.proxy.spoilt.total() >= spoilt + least, "requests that are spoilt")


@fault("replies of the node are lost", times=2)
def lose_replies(world: World) -> None:
    _spoil(world, proxy.dropping_replies)


@fault("replies to a broadcast are lost", times=2)
def lose_replies_to_broadcasts(world: World) -> None:
    _spoil(world, proxy.dropping_replies, [SEND], least=2)


@fault("broadcasts are lost, as if they had been taken")
def lose_broadcasts(world: World) -> None:
    """What is sent then is sent again when nobody has seen it for long enough."""
    _spoil(world, lambda request, forward: proxy.accepted(request), [SEND], least=1, seconds=1)


@fault("replies later than the time-out")
def late_replies(world: World) -> None:
    _spoil(world, proxy.late(float(str(SETTINGS["rpc_timeout_s"])) + 1), seconds=6)


@fault("requests reach the node twice", times=2)
def double_requests(world: World) -> None:
    _spoil(world, proxy.doubling)


@fault("the node answers nonsense", times=2)
def talk_nonsense(world: World) -> None:
    _spoil(world, proxy.talking_nonsense(), seconds=4, least=9)


@fault("the node refuses connections", times=2)
def refuse_connections(world: World) -> None:
    with world.proxy.refusing():
        world.struck()
        time.sleep(TROUBLE_S)


@fault("the node is behind", times=2)
def live_in_the_past(world: World) -> None:
    """By more blocks than what counts as final."""
    _spoil(world, proxy.living_in_the_past(3 * DEPTH), ["eth_getBlockByNumber", "eth_blockNumber"])


@fault("the node is restarted", times=2)
def restart_node(world: World) -> None:
    world.struck()
    world.chain.restart(pause_s=1)


# ------------------------------------------------------------------- the chain


@fault("a reorganisation with a settlement in it", times=2)
def reorganise(world: World) -> None:
    mined = "SELECT hash FROM chain_transaction WHERE kind = 'batch' AND state IN ('broadcast', 'mined')"
    fallen: list[str] = []

    def falls_out() -> bool:
        hashes = [hash_ for (hash_,) in world.rows(mined) if _is_mined(world, hash_)]
        if not hashes:
            return False
        with world.chain.held():
            in_flight = world.in_flight()
            world.chain.reorganise(DEPTH)
            fallen.extend(hash_ for hash_ in hashes if not _is_mined(world, hash_))  # if it was not deeper by then
        if fallen:
            world.struck(in_flight)
        return bool(fallen)

    world.wait_until(falls_out, "a settlement in the last blocks")


def _is_mined(world: World, hash_: str) -> bool:
    return bool(world.chain.ask("eth_getTransactionReceipt", hash_))


@fault("transactions are dropped from the pool")
def drop_transactions(world: World) -> None:
    with world.chain.held():
        world.wait_until(lambda: _in_pool(world), "a transaction in the pool")
        world.struck()
        world.chain.ask("anvil_dropAllTransactions")
        assert not _in_pool(world)


@fault("the first of several transactions is dropped: a gap")
def drop_the_first(world: World) -> None:
    with world.chain.held():
        world.wait_until(lambda: len(world.rows(PENDING)) > 1 and _in_pool(world) > 1, "two transactions in the pool")
        world.struck()
        world.chain.ask("anvil_dropTransaction", world.rows(PENDING)[0][0])


def _in_pool(world: World) -> int:
    pool = world.chain.ask("txpool_status")
    return int(pool["pending"], 16) + int(pool["queued"], 16)


@fault("a number is left out in the hub's nonces: a gap that nobody fills by itself")
def leave_out_a_nonce(world: World) -> None:
    """As after a restore, or when somebody has edited the database."""
    world.struck()
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE signer_account SET next_nonce = next_nonce + 1")


@fault("somebody spends a nonce of the operator's key")
def spend_a_nonce(world: World) -> None:
    """While a transaction of the hub with this nonce is on its way."""
    key = world.stage.settings.operator_key.get_secret_value()
    with world.proxy.behaving(proxy.swallowing, [SEND]):
        world.wait_until(lambda: not _in_pool(world) and world.rows(_SIGNED), "a transaction that is not sent")
        world.struck()
        world.chain.send(key, "asset", "mint", Wallet("stranger").address, 1)


_SIGNED = "SELECT id FROM chain_transaction WHERE state = 'signed'"


@fault("the base fee jumps while a transaction waits", times=2)
def raise_base_fee(world: World) -> None:
    """Fivefold what was offered; it falls by an eighth with each empty block."""
    with world.chain.held():
        world.wait_until(lambda: _in_pool(world), "a transaction in the pool")
        world.struck()
        world.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(5 * GWEI))
        world.chain.mine()


def _die_offering_more(target: str, world: World) -> None:
    """kill -9 there, and once more after it was started again, while nothing is mined at what was offered."""
    with world.chain.held():
        world.wait_until(lambda: _in_pool(world), "a transaction in the pool")
        world.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(5 * GWEI))
        world.chain.mine()
        world.hub.stop_worker()
        for _ in range(2):
            world.hub.wait_for_death(world.hub.start_worker(target))
            world.struck()
        world.hub.start_worker()


FAULTS += [
    Fault("kill -9 at a point of a higher offer", functools.partial(_die_offering_more, target), target)
    for target in ("offer.before_commit", "offer.after_commit")
]


@fault("the base fee stays above what a waiting transaction offers")
def keep_base_fee_up(world: World) -> None:
    """Until it is mined all the same, with a higher fee."""
    with world.chain.held():
        world.wait_until(lambda: _in_pool(world), "a transaction in the pool")
        world.struck()
        nonce = world.rows(PENDING)[0][1]
        world.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(5 * GWEI))
        world.chain.mine()
    signer = world.stage.hub.signer.address

    def is_mined() -> bool:
        world.chain.ask("anvil_setNextBlockBaseFeePerGas", hex(5 * GWEI))
        return world.chain.web3.eth.get_transaction_count(signer) > nonce  # type: ignore[arg-type]

    world.wait_until(is_mined, "the transaction replaced by one that offers more", patience_s=45)

"""What gathering payments costs on chain, ours beside everybody else's: all measured in one run on one anvil.

`make bench-gas` prints the tables, writes docs/benchmarks/gas.md and the snapshot that the tests compare with.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from taesan.core.values import bytes_of
from taesan.settlement import merkle, packing
from tests.bench.actors import (
    DOLLAR,
    FOREVER,
    OPERATOR,
    Payer,
    address_of,
    asset_domain,
    key_of,
    open_channels,
    signature,
)
from tests.support.chain import Chain

PAYMENTS_EACH = 100
MERCHANTS = [address_of(key_of(f"merchant {n}")) for n in range(5)]
SAMPLE = 20
_TRANSFER = (
    "TransferWithAuthorization(address from,address to,uint256 value,"
    "uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
_TRANSFER_TYPES = ["address", "address", "uint256", "uint256", "uint256", "bytes32"]


@dataclass(frozen=True)
class Measured:
    """A way to bring `payers` × 100 payments on chain. `gas` is for all of them; `transactions` is how many that takes."""

    way: str
    payers: int
    gas: int
    transactions: int = 1

    @property
    def a_payer(self) -> int:
        return round(self.gas / self.payers)

    @property
    def a_payment(self) -> float:
        return self.gas / self.payers / PAYMENTS_EACH


def measure(chain: Chain, sizes: list[int], on_progress: Callable[[str], None] = lambda _: None) -> Iterator[Measured]:
    """Ours and the others' for each number of payers."""
    chain.ask("anvil_autoImpersonateAccount", True)
    peers = Peers(chain)
    hub = Hub(chain)
    for size in sizes:
        on_progress(f"{size:,} payers")
        yield from peers.measure(size)
        yield from hub.measure(size)


# --------------------------------------------------------------------- ours


class Hub:
    """Settles batches as the backend does. Each payer pays 100 times, and then all that is in the jar goes to a token."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.batch = 0
        self._random = random.Random(2026)
        self._settle([*open_channels(chain, ["anybody"], chain.deployment.settlement)])  # merchants that return

    def measure(self, size: int) -> Iterator[Measured]:
        payers = open_channels(self.chain, [f"{size}-{n}" for n in range(size)], self.chain.deployment.settlement)
        yield Measured("ours: claim, credit, entitle; first time", size, self._settle(payers))
        yield Measured("ours: relayed claimMany; first time", size, self._claim_many(payers))
        yield Measured("ours: claim, credit, entitle", size, self._settle(payers))
        yield Measured("ours: relayed claimMany", size, self._claim_many(payers))
        yield Measured("ours: claim, credit, entitle, mint", size, self._settle(payers, mint=True))
        others = open_channels(self.chain, [f"{size}-{n} too" for n in range(size)], self.chain.deployment.settlement)
        yield Measured("ours: claim, credit, entitle, mint; first time", size, self._settle(others, mint=True))

    def _settle(self, payers: list[Payer], *, mint: bool = False) -> int:
        self.batch += 1
        claims, credits, entitled = [], dict.fromkeys(MERCHANTS, 0), 0
        for payer in payers:
            spent = sum(self._random.randrange(1, 25) * 10_000 for _ in range(PAYMENTS_EACH))
            round_ups = sum(self._random.randrange(1, 100) * 100 for _ in range(PAYMENTS_EACH))
            credits[self._random.choice(MERCHANTS) if len(payers) > len(MERCHANTS) else MERCHANTS[0]] += spent
            payer.entitled += round_ups
            entitled += round_ups
            voucher = payer.voucher(self.chain, spent + round_ups)
            claims.append(packing.Claim(payer.channel_id, voucher, payer.signed, payer.signed))
        if credits[MERCHANTS[0]] and len(payers) <= len(MERCHANTS):  # five merchants in every batch
            share = credits[MERCHANTS[0]] // len(MERCHANTS)
            credits = dict.fromkeys(MERCHANTS, share) | {MERCHANTS[0]: credits[MERCHANTS[0]] - 4 * share}
        root = merkle.join(keccak(text=f"payments of batch {self.batch}"), self._tree(payers).root)
        terms = (
            self.batch,
            root,
            PAYMENTS_EACH * len(payers),
            entitled,
            [packing.word(merchant, amount) for merchant, amount in credits.items()],
        )
        mints = [packing.word(payer.address, payer.entitled) for payer in payers] if mint else []
        receipt = self.chain.send(OPERATOR, "settlement", "settle", terms, packing.packed_claims(claims), mints)
        return int(receipt["gasUsed"])

    def _claim_many(self, payers: list[Payer]) -> int:
        """The tokens of the last batch, brought by a relayer with one multiproof."""
        by_leaf = {merkle.entitlement_leaf(payer.address, payer.entitled): payer for payer in payers}
        proof = self._tree(payers).multiproof(by_leaf)
        words = [packing.word(by_leaf[leaf].address, by_leaf[leaf].entitled) for leaf in proof.leaves]
        branch = keccak(text=f"payments of batch {self.batch}")
        receipt = self.chain.send(
            OPERATOR, "settlement", "claimMany", self.batch, words, [*proof.proof, branch], [*proof.flags, False]
        )
        return int(receipt["gasUsed"])

    def _tree(self, payers: list[Payer]) -> merkle.MerkleTree:
        return merkle.MerkleTree(merkle.entitlement_leaf(payer.address, payer.entitled) for payer in payers)


# --------------------------------------------------------------------- peers


class Peers:
    """What pays one by one costs the same for any number: a sample is measured and multiplied."""

    IN_A_MULTICALL = 250  # authorisations that 128 KiB hold
    IN_A_CLAIM = 150  # claims in x402's open shape that 128 KiB hold

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.merchant = key_of("merchant of the others")
        self.receiver = address_of(self.merchant)
        self._payers = open_channels(chain, [f"other {n}" for n in range(10)], self.receiver)
        self._multicall = chain.web3.eth.contract(
            address="0xcA11bde05977b3631167028862bE2a173976CA11", abi=_abi_of(chain, "Multicall3")
        )
        self._nonces = iter(range(10**9))
        chain.give_dollars(self.receiver, 1)  # merchants have money already
        self._transfer_gas = self._average(lambda payer: self._sent(payer.address, "transfer", self.receiver, 70_000))
        self._exact_gas = self._average(lambda payer: self._sent(self.receiver, *self._exact(payer)))

    def measure(self, size: int) -> Iterator[Measured]:
        count = size * PAYMENTS_EACH
        yield Measured("ERC-20 transfer each", size, self._transfer_gas * count, count)
        yield Measured("EIP-3009 each (x402 exact)", size, self._exact_gas * count, count)
        yield self._exact_in_multicalls(size, count)
        yield self._open_claims(size)
        yield self._distributor(size)

    def _average(self, send: Callable[[Payer], int]) -> int:
        for payer in self._payers:  # the first of each may be dearer: nobody's first is meant here
            send(payer)
        return round(sum(send(self._payers[n % len(self._payers)]) for n in range(SAMPLE)) / SAMPLE)

    def _sent(self, sender: str, function: str, *arguments: object) -> int:
        return self._transact(
            sender, self.chain.deployment.asset, self.chain.contracts.encode("asset", function, *arguments)
        )

    def _transact(self, sender: str, to: str, data: str) -> int:
        self.chain.ask("anvil_setBalance", sender, hex(10**20))
        sent = self.chain.web3.eth.send_transaction({"from": sender, "to": to, "data": data})  # type: ignore[typeddict-item]
        receipt = self.chain.web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.02)
        assert receipt["status"] == 1
        return int(receipt["gasUsed"])

    def _exact(self, payer: Payer) -> tuple[object, ...]:
        nonce = keccak(text=f"nonce {next(self._nonces)}")
        message = (payer.address, self.receiver, 70_000, 0, FOREVER, nonce)
        digest = asset_domain(self.chain).digest(_TRANSFER, _TRANSFER_TYPES, message)
        signed = bytes_of(signature(payer.key, digest))
        return (
            "transferWithAuthorization",
            *message,
            signed,
        )

    def _exact_in_multicalls(self, size: int, count: int) -> Measured:
        """The whole of it for one payer; for more, so much of it as one transaction holds."""
        payers = self._payers[: min(size, len(self._payers))]
        sample = min(count, self.IN_A_MULTICALL)
        asset = self.chain.deployment.asset
        calls = [
            (asset, False, self.chain.contracts.encode("asset", *self._exact(payers[n % len(payers)])))
            for n in range(sample)
        ]
        gas = self._transact(self.receiver, self._multicall.address, self._multicall.encode_abi("aggregate3", [calls]))
        transactions = -(-count // sample)
        return Measured("EIP-3009 in multicalls", size, gas * count // sample, transactions)

    def _open_claims(self, size: int) -> Measured:
        """Vouchers in x402's own shape, all to one merchant; the second batch of payers that return."""
        payers = open_channels(self.chain, [f"{size}-{n} elsewhere" for n in range(size)], self.receiver)
        for _ in range(2):
            gas = transactions = 0
            claims = []
            for payer in payers:
                voucher = bytes_of(payer.voucher(self.chain, 7 * DOLLAR))
                claims.append(((payer.config, payer.signed), voucher, payer.signed))
            for start in range(0, size, self.IN_A_CLAIM):
                data = self.chain.contracts.encode("channels", "claim", claims[start : start + self.IN_A_CLAIM])
                gas += self._transact(self.receiver, self.chain.deployment.channels, data)
                transactions += 1
            data = self.chain.contracts.encode("channels", "settle", self.receiver, self.chain.deployment.asset)
            gas += self._transact(self.receiver, self.chain.deployment.channels, data)
        return Measured("x402 claims, open shape, and settle", size, gas, transactions + 1)

    def _distributor(self, size: int) -> Measured:
        """A share for each payer, fetched by each; nobody pays or is verified."""
        accounts = [address_of(key_of(f"{size}-{n} fetching")) for n in range(size)]
        leaves = [
            keccak(keccak(encode(["uint256", "address", "uint256"], [n, account, DOLLAR])))
            for n, account in enumerate(accounts)
        ]
        tree = merkle.MerkleTree(leaves)
        distributor = self.chain.deploy("MerkleDistributor", self.chain.deployment.asset, tree.root)
        self.chain.give_dollars(distributor.address, size * DOLLAR)
        sample = random.Random(size).sample(range(size), min(size, SAMPLE))
        self.chain.give_everybody_dollars([accounts[n] for n in sample], 1)
        gas = 0
        for n in sample:
            data = distributor.encode_abi("claim", [n, accounts[n], DOLLAR, tree.proof(leaves[n])])
            gas += self._transact(accounts[n], distributor.address, data)
        return Measured("Merkle distributor, a claim each", size, gas * size // len(sample), size)


def _abi_of(chain: Chain, name: str) -> list[dict[str, object]]:
    from taesan.chain.contracts import artifact
    from tests.support.chain import ARTIFACTS

    return artifact(ARTIFACTS, name)["abi"]  # type: ignore[no-any-return]

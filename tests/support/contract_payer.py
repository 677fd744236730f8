"""A payer whose wallet is a contract (ERC-1271) that signs its channel by itself, without a hot key."""

from typing import Any

from tests.support import signing
from tests.support.chain import RICH_KEY
from tests.support.stage import Payer, Stage, key
from tests.support.wallet import Json, Wallet, channel_id, config_tuple, raw


class ContractPayer(Payer):
    """:param contract: an address with code that answers `isValidSignature`; a new `ContractWallet` if left out
    :ivar owner: whose key the contract goes by"""

    def __init__(self, stage: Stage, contract: str | None = None) -> None:
        self.owner = Wallet()
        super().__init__(stage, self.owner)
        self.contract: Any = None if contract else stage.chain.deploy("ContractWallet", self.owner.address)
        self._address = contract or self.contract.address
        self.config |= {"payer": self._address, "payer_authorizer": signing.ZERO_ADDRESS}
        self.id = channel_id(stage.facts, self.config)
        self.suffix = ""  # what the owner's signature is followed by, hex

    @property
    def address(self) -> str:
        return str(self._address)

    def deposit(self, amount: int) -> Json:
        signed = self.owner.deposit(self.stage.facts, self.config, amount, holder=self.address)
        body = {"config": self.config, "deposit": signed}
        answer = self.stage.client.post("/v1/channels", json=body, headers=key())
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def open(self, deposit: int) -> "ContractPayer":
        self.open_channel(deposit)
        self.stage.confirm()
        assert self.state() == "open"
        return self

    def sign(self, cumulative: int) -> str:
        voucher = {"channelId": raw(self.id), "maxClaimableAmount": cumulative}
        domain = self.stage.facts["voucher_domain"]
        return signing.sign(self.owner.key, domain, "Voucher", **voucher) + self.suffix

    def payment(self, amount: int, merchant: Any = None, **changes: Any) -> Json:
        body = super().payment(amount, merchant)
        body["voucher"]["signature"] = self.sign(self.charged + amount)
        return body | changes

    def answer(self, how: int) -> None:
        """0: honestly. 1: that nobody has signed. 2: reverts."""
        self.stage.chain.send_to(RICH_KEY, self.contract, "setAnswer", how)

    def change_owner(self, owner: Wallet) -> None:
        self.stage.chain.send_to(self.owner.key, self.contract, "setOwner", owner.address)

    def do(self, function: str, *arguments: Any) -> None:
        """Has the contract call the channels."""
        channels = self.stage.chain.contracts.channels
        data = channels.encode_abi(function, args=[config_tuple(self.config), *arguments])
        self.stage.chain.send_to(self.owner.key, self.contract, "execute", channels.address, raw(data))


def fund(stage: Stage, amount: int) -> None:
    """Somebody pays the hub's surplus in."""
    chain, settlement = stage.chain, stage.facts["settlement"]
    chain.send(RICH_KEY, "asset", "mint", Wallet("sponsor").address, amount)
    sponsor = Wallet("sponsor").key
    chain.send(sponsor, "asset", "approve", settlement, amount)
    chain.send(sponsor, "settlement", "fund", amount)
    stage.confirm()

"""How many signatures a core verifies: the measure that the intake is held against.

`python -m tests.bench.signatures lean|bare SECONDS` tells one process's rate.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean

from coincurve import PrivateKey, PublicKey

from taesan.channels import vouchers
from taesan.core.crypto import Domain, keccak

COUNT = 500
DOMAIN = Domain("x402 Batch Settlement", "1", 31337, "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003")


@dataclass(frozen=True)
class Rates:
    """A second.

    :ivar bare: libsecp256k1's recovery alone, one process. :ivar v1: vouchers verified by one process: digest, recovery,
        address, comparison. :ivar v2: by two at once
    """

    bare: float
    v1: float
    v2: float

    @classmethod
    def mean(cls, some: Sequence["Rates"]) -> "Rates":
        return cls(*(fmean(getattr(rates, field.name) for rates in some) for field in fields(cls)))


def rates(seconds: float) -> Rates:
    return Rates(_together("bare", 1, seconds), _together("lean", 1, seconds), _together("lean", 2, seconds))


def _together(what: str, processes: int, seconds: float) -> float:
    command = [sys.executable, "-m", "tests.bench.signatures", what, str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(float(json.loads(process.communicate()[0])) for process in running)


def _measure(what: str, seconds: float) -> float:
    key = PrivateKey(keccak(b"signatures"))
    signer = keccak(key.public_key.format(compressed=False)[1:])[12:]
    channel = "0x" + "5a" * 32
    digests = [vouchers.voucher_digest(DOMAIN, channel, n) for n in range(COUNT)]
    raw = [key.sign_recoverable(digest, hasher=None) for digest in digests]
    signatures = [r[:64] + bytes([27 + r[64]]) for r in raw]

    def bare() -> None:
        for signature, digest in zip(raw, digests, strict=True):
            PublicKey.from_signature_and_message(signature, digest, hasher=None)

    def lean() -> None:
        assert all(
            vouchers.is_signed_by(signer, DOMAIN, channel, n, signature) for n, signature in enumerate(signatures)
        )

    round_ = {"bare": bare, "lean": lean}[what]
    round_()
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        round_()
        count += COUNT
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    print(_measure(sys.argv[1], float(sys.argv[2])))

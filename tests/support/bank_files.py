"""The sample files of banks' shapes, and what stands in them."""

from pathlib import Path

import httpx

from taesan.insights import ofx, statements
from taesan.insights.lines import Contents
from tests.support.wallet import Json

FOLDER = Path(__file__).parents[1] / "data" / "statements"
MAPPING: Json = {
    "date": "Date",
    "date_order": "ymd",
    "amount": "Amount",
    "incoming": "refunded",
    "currency": "USD",
    "names": ["Description"],
}
TWO = (
    b"Date,Description,Amount\n2026-10-02,SQ *BLUE DOOR,11.77\n",
    b"Date,Payee,Debit,Credit\n2026-10-03,Blue Door,11.77,\n",
)
SAMPLES = sorted(path.name for path in FOLDER.iterdir())


class NobodyKnows(Exception):
    """Headings of which nothing can be guessed."""


def sample(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def contents(file: bytes, label: str = "") -> Contents:
    """As it is read by what is guessed of it. :raises NobodyKnows: nothing is"""
    if ofx.is_ofx(file):
        return ofx.read(file)
    table = statements.table(file, lambda _: False)
    mapping = statements.guess(table)
    if mapping is None:
        raise NobodyKnows(table.headings)
    return statements.read(table, mapping, label)


def import_two(client: httpx.Client, headers: Json) -> Json:
    """Of somebody who has asked for insights: a card's statement and its account's, which show one purchase. Returns ids, by the
    names of the paths' parameters."""
    made: Json = {}
    for file in TWO:
        shown = client.post("/v1/insights/imports/preview", content=file, headers=headers).json()
        fingerprint = shown["fingerprint"]
        path = f"/v1/insights/statement-mappings/{fingerprint}"
        client.put(path, json=shown["mapping"], headers=headers)
        answer = client.post("/v1/insights/imports", content=file, headers=headers)
        assert answer.status_code == 201, answer.text
        made = {"import_id": answer.json()["id"], "fingerprint": fingerprint}
    (found,) = client.get("/v1/insights/duplicates", headers=headers).json()["items"]
    return made | {"movement_id": found["movement"]["id"]}

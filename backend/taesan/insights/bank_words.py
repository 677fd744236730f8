"""What banks' words say of a line: a card's bill, a transfer between one's own accounts, what was cancelled or never booked. Pure."""

import re
from collections.abc import Iterable

_UNBOOKED = re.compile(
    "pending|declined|failed|refused|rejected|reverted|expired|vorgemerkt|대기|거절|실패", re.IGNORECASE
)
_CANCELLED = re.compile(r"취소|cancel|reversed|^y$", re.IGNORECASE)

_ONLY_CANCELLED = re.compile(
    "(승인|매출|결제|거래|이용|사용|전체|부분)? ?취소 ?(완료|됨|매출|승인|건)?|cancell?ed|reversed", re.IGNORECASE
)

_BILL_PAID = re.compile(r"카드대금|결제대금|\bcredit (card|crd)\b.*\b(payment|pymt|autopay)\b", re.IGNORECASE)
_BILL_TAKEN = re.compile(r"\b(payment|autopay)\b|카드대금|결제대금|선결제", re.IGNORECASE)
_COMPANY = r"(?:\(주\)|㈜|주식회사)?"
_ISSUERS = "kb국민|국민|kb|신한|삼성|현대|롯데|하나|우리|bc|비씨|nh농협|nh|농협|씨티|ibk기업|ibk|기업"
# The whole name, or it is a shop that is called after an issuer: 현대카드 쿠킹라이브러리, 우리카드게임방.
_ISSUER = re.compile(
    rf"{_COMPANY}(?:{_ISSUERS})카드{_COMPANY}"
    r"(?:이용|대금|결제|청구|자동|이체|납부|출금|[0-9]{1,2}월분?|[0-9]{4}|[-*()/])*",
    re.IGNORECASE,
)
_DEBIT_CARD = re.compile(r"체크|직불|\bdebit\b", re.IGNORECASE)

_OWN_NAME = re.compile(r"\(본인\)$|^본인$|^(본인|내) ?계좌|^세이프박스")
_OWN_TYPE = re.compile(
    r"본인|내 ?계좌|계좌 ?간|세이프박스|저금통|\b(own|internal) (account )?transfer\b|^(umbuchung|exchange)$",
    re.IGNORECASE,
)


def counts_not(status: str) -> bool:
    """Whether a line tells of nothing that has been booked: refused, or not yet."""
    return bool(_UNBOOKED.search(status))


def is_cancelled(status: str) -> bool:
    return bool(_CANCELLED.search(status))


def says_cancelled(text: str) -> bool:
    """Whether it says so and nothing else, in whichever column it stands."""
    return bool(_ONLY_CANCELLED.fullmatch(text))


def is_bill(name: str, *, is_paid: bool) -> bool:
    """Whether it is a card's bill, in an account's or in the card's own statement. :param is_paid: money went out"""
    return bool((_BILL_PAID if is_paid else _BILL_TAKEN).search(name))


def is_issuers_bill(names: Iterable[str], type_: str) -> bool:
    """Whether an account has paid a company that issues cards; only that, as a debit card's line may name its company, too."""
    if _DEBIT_CARD.search(type_):
        return False
    return any(_ISSUER.fullmatch(re.sub(r"\s", "", name)) for name in names) or is_bill(type_, is_paid=True)


def is_own_transfer(names: Iterable[str], type_: str) -> bool:
    """Whether an account's money has gone to another one of the same person's, if the bank says so."""
    return bool(_OWN_TYPE.search(type_)) or any(map(_OWN_NAME.search, names))


def word_in(texts: Iterable[str], words: Iterable[str]) -> str | None:
    """The first of the words that stands in one of the texts, in whatever capitals."""
    folded = [text.casefold() for text in texts]
    return next((word for word in words if any(word.casefold() in text for text in folded)), None)

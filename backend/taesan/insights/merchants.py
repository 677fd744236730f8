"""One name for one merchant, however its payments are written: `SQ *BLUE BOTTLE 0042 OAKLAND CA` and `Blue Bottle` are the same. Pure.

What is stripped: who acquired the payment, legal forms, dates and numbers, web domains, branches and places. Short numbers within
a word stay, as they are names (`gs25`, `11번가`, `7-eleven`). Nothing is guessed: two names that do not come out equal are two merchants.
"""

import re
from unicodedata import normalize

from taesan.core.values import parse_address

# Who stands between, before a mark: `SQ *`, `PAYPAL *SQ *`, `KCP_`, `토스페이먼츠_`.
_ACQUIRERS = (
    "sq|sqc|gosq.com|tst|sp|spo|pp|py|paypal|zettle|izettle|sumup|stripe|adyen|mollie|klarna|ppro|2co|fs|cko|wl|dri|bt|pos|google|amzn"
    "|kcp|nhn ?kcp|엔에이치엔케이씨피|kg이니시스|kg ?inicis|이니시스|inicis|kg모빌리언스|모빌리언스|다날|danal|나이스|나이스페이|나이스페이먼츠|nice|nicepay"
    "|토스|토스페이|토스페이먼츠|toss|tosspayments|카카오페이|kakaopay|네이버페이|naverpay|npay|페이코|payco|삼성페이|스마트로|smartro|ksnet|키움페이|헥토파이낸셜|한국정보통신"
)
_ACQUIRED = re.compile(rf"^(?:(?:{_ACQUIRERS})\s*[*_|/:>-]+\s*)+(?=\S)")
# What a bank writes before the name.
_KIND = re.compile(
    r"^(?:(?:(?:recurring|card|debit|visa|mastercard|pos|check ?card|contactless|online|sepa|direct)\s+)*"
    r"(?:purchase|payment|debit|withdrawal|lastschrift|pos)(?:\s+(?:to|at|authorized on|-))?\s+)+(?=\S)"
)
_KIND_KO = re.compile(
    r"^(?:(?:체크카드|신용카드|카드결제|자동결제|정기결제|자동이체|해외결제|해외승인|cms|체크)[\s_:\-]+)+(?=\S)"
)
# What was given back was paid under the same name.
_GIVEN_BACK = re.compile(
    r"^[\[(]?(?:승인|부분|매출|결제)?(?:취소|환불)[\])]?\s+(?=\S)"
    r"|(?<=\S)\s*[\[(](?:승인|부분|매출|결제)?(?:취소|환불)[\])]$|(?<=\S)\s+(?:승인|부분|매출|결제)?(?:취소|환불)$|(?<=\S)\s+(?:refund|reversal)$"
)
_FORM_KO = re.compile(r"\((?:주|유|재|사|합)\)|주식회사|유한회사|유한책임회사|재단법인|사단법인")
_FORMS = r"inc|llc|ltd|limited|corp|corporation|co\.?,? ?ltd|gmbh|ag|s\.?a\.?r\.?l|s\.?a|b\.?v|oy|ab|plc|pty ?ltd|kk"
_ADDRESS = re.compile(
    r"\b(?:https?://)?(?:www\.)?([\w-]+)(?:\.(?:com|net|org|io|co|app|tv|me|ai|de|fr|nl|eu|kr|jp|uk|us))+(?:\.\w\w)?(?:/\S*)?(?!\w)"
)
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-./]?[01]\d[-./]?[0-3]\d|[0-3]?\d[./][0-3]?\d(?:[./](?:20)?\d\d)?)\.?(?!\d)"
    r"|(?:20)?\d\d년(?:도)?|(?<!\d)[01]?\d월(?:분|호)?(?:\s*[0-3]?\d일)?"
)
_NUMBERED = re.compile(
    r"(?:\b(?:store|shop|no|nr|number|ref|id|invoice|order|term|terminal|filiale|branch)\b[.:]?\s*)?#?(?<![\w-])[\dx*-]*\d[\d-]*(?![\w-])"
)
# `amzn mktp us*2k4vx9q`
_CODE = re.compile(r"(?<=\S)\s*\*\s*(?=\S*\d)\S*|(?<=\s)(?:(?=\S*\d\S*\d\S*\d)[a-z0-9-]{5,}(?:\s+|$))+$")
_SHOPS = "(?:서|음식|백화|편의|전문|할인|제과|문구|주류)"  # 서점, 백화점 … are no branches
_BRANCH = re.compile(rf"(?<=\S)\s*\((?:[^()]*점|[^()]*\d+호)\)|(?<=\S)(?:\s+(?!\S*{_SHOPS}점(?!\S))\w*점)+$")
_CHAINS = (
    "스타벅스|이디야커피|이디야|투썸플레이스|메가커피|컴포즈커피|빽다방|할리스|파스쿠찌|폴바셋|파리바게뜨|파리바게트|뚜레쥬르|던킨|배스킨라빈스|맥도날드|버거킹|롯데리아"
    "|맘스터치|서브웨이|세븐일레븐|이마트24|미니스톱|gs25|cu|씨유|올리브영|다이소|이마트|홈플러스|롯데마트"
)
_CHAIN_BRANCH = re.compile(rf"^({_CHAINS})(?!{_SHOPS}점$)[가-힣a-z0-9]+점$")
_STATES = (
    "al|ak|az|ar|ca|co|ct|de|fl|ga|hi|id|il|in|ia|ks|ky|la|me|md|ma|mi|mn|ms|mo|mt|ne|nv|nh|nj|nm|ny|nc|nd|oh|ok|or|pa|ri|sc|sd|tn|tx|ut|vt|va"
    "|wa|wv|wi|wy|dc"
)
_COUNTRIES = (
    "us|usa|uk|gb|gbr|kr|kor|korea|de|deu|ie|irl|ireland|nl|nld|lu|lux|luxembourg|sg|sgp|singapore|se|swe|jp|jpn"
)
_CITIES = (
    "new york|los angeles|los gatos|san francisco|san jose|san diego|mountain view|menlo park|palo alto|cupertino|oakland|seattle|portland|chicago|boston"
    "|austin|dallas|houston|miami|denver|atlanta|philadelphia|washington|brooklyn|las vegas|phoenix|london|dublin|berlin|munich|münchen|hamburg|paris"
    "|amsterdam|stockholm|luxembourg|singapore|tokyo|seoul|busan|incheon|서울|부산|대구|인천|광주|대전|울산|세종|경기|제주|서울시|서울특별시|부산광역시"
)
# Places and legal forms, in any order and number. Possessive: `co ltd` is one form, or a state and another.
_AFTER = re.compile(rf"(?<=\w)(?:[\s,]+(?:(?:{_FORMS})\.?|{_CITIES}|{_STATES}|{_COUNTRIES})(?=[\s,]|$))++$")
_MARKS = re.compile(r"[^\w&+'-]+|(?<!\w)[-'_]+|[-'_]+(?!\w)|_+")
_AFTER_NUMBER = re.compile(r"(?<=[^\W\d])\s+(?:store\s+|#\s*)?#?\d{3,}\s+[a-z .]+$")  # `starbucks 04521 seattle wa`
_PERSON = re.compile(r"0x[0-9a-fA-F]{40}")
_MOST = 200  # characters of a name that are looked at
_MOST_ROUNDS = 8  # names as banks write them need two or three


def key_of(asked: str) -> str:
    """What movements are found by, of a merchant as a person has seen it: any of its names, or of another person the address.

    :raises ValueError: an address with a mistyped digit
    """
    asked = asked.strip()
    return parse_address(asked) if _PERSON.fullmatch(asked) else normalised(asked)


def category_of(asked: str) -> str:
    """By which categories are compared: who writes them does not agree on capitals."""
    return _plain(asked)


def normalised(name: str) -> str:
    """The merchant's key: lower case, without what changes from payment to payment. Normalising it again leaves it as it is, unless
    somebody has made it up to be stripped without end.

    A name of which nothing would be left keeps what it has; one without letters and digits is "".
    """
    found, stripped = "", _plain(name)[:_MOST]
    # What one pattern strips may lay open what another does.
    for _ in range(_MOST_ROUNDS):
        if stripped == found:
            break
        found, stripped = stripped, _stripped(stripped)
    return stripped if any(c.isalnum() for c in stripped) else ""


def _plain(name: str) -> str:
    return " ".join(normalize("NFKC", normalize("NFKC", name).casefold()).split())


def _stripped(name: str) -> str:
    for pattern, left in (
        (_KIND, ""),
        (_KIND_KO, ""),
        (_ACQUIRED, ""),
        (_GIVEN_BACK, ""),
        (_FORM_KO, " "),
        (_ADDRESS, r"\1 "),
        (_CODE, ""),
        (_DATE, " "),
        (_AFTER_NUMBER, ""),
        (_NUMBERED, " "),
        (_BRANCH, ""),
        (_CHAIN_BRANCH, r"\1"),
        (_AFTER, ""),
        (_MARKS, " "),
    ):
        shorter = pattern.sub(left, name)
        if shorter == name:
            continue
        shorter = _plain(shorter)
        if any(c.isalnum() for c in shorter):
            name = shorter
    return name

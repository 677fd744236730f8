"""The layout's rules, read off the source: who may import whom, who may write what, what stands in no router."""

import ast
import re

import pytest

from tests.support.source import Module, calls, modules, names

FLOORS = [
    {"core", "settings"},
    {"ledger", "chain", "paywall"},  # a merchant's paywall knows nothing of the service that it asks
    {"hub"},
    {"identity"},
    {"channels"},
    {"jars"},
    {"client"},
    {"payments"},
    {"gateways"},
    {"rules"},
    {"settlement"},
    {"conversions"},
    {"merchants"},
    {"loyalty"},
    {"gifts"},
    {"reminders"},
    {"webhooks"},
    {"insights"},
    {"web"},
    {"operations"},
    {"auditing"},
    {"glance"},
    {"app", "backup", "work"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {domain: number for number, domains in enumerate(FLOORS) for domain in domains}
PURE = {
    "core/authorizations.py",
    "core/crypto.py",
    "core/days.py",
    "core/money.py",
    "core/signing_secrets.py",
    "core/values.py",
    "chain/errors.py",
    "chain/multicall.py",
    "channels/vouchers.py",
    "client/signing.py",
    "conversions/reasons.py",
    "client/sites.py",
    "client/x402.py",
    "gateways/drawing.py",
    "gifts/states.py",
    "insights/cells.py",
    "insights/duplicates.py",
    "insights/figures.py",
    "insights/lines.py",
    "insights/mail.py",
    "insights/mappings.py",
    "insights/audit_models.py",
    "insights/audit_month.py",
    "insights/budgets.py",
    "insights/documents.py",
    "insights/merchants.py",
    "insights/movements.py",
    "insights/ofx.py",
    "insights/sources.py",
    "insights/statements.py",
    "insights/tables.py",
    "insights/texts.py",
    "insights/advice.py",
    "insights/advice_words.py",
    "insights/cadence.py",
    "insights/custom.py",
    "insights/fitting.py",
    "insights/forecast.py",
    "insights/hidden.py",
    "insights/reasons.py",
    "insights/recurring.py",
    "insights/unusual.py",
    "insights/wording.py",
    "jars/accrual.py",
    "jars/bounds.py",
    "jars/grammar.py",
    "jars/reasons.py",
    "jars/rehearsal.py",
    "jars/signed.py",
    "jars/sources.py",
    "jars/splits.py",
    "ledger/accounts.py",
    "loyalty/cashback.py",
    "loyalty/judging.py",
    "loyalty/points.py",
    "loyalty/tiers.py",
    "merchants/transfer_terms.py",
    "payments/cover.py",
    "payments/decision.py",
    "payments/x402_exact_wire.py",
    "payments/quotes.py",
    "payments/ruled.py",
    "payments/x402_wire.py",
    "paywall/terms.py",
    "settlement/attribution.py",
    "settlement/bisection.py",
    "settlement/merkle.py",
    "webhooks/addresses.py",
    "webhooks/schedule.py",
}


def _domain(name: str) -> str:
    """`taesan.ledger.posting` → `ledger`."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "core"  # `taesan` itself holds the version, no code


def test_every_file_has_its_floor() -> None:
    assert {m.domain for m in modules()} - {"__init__"} <= FLOOR_OF.keys()


def test_files_import_from_their_own_domain_and_the_floors_below() -> None:
    wrong = [
        f"{module.path}:{line} imports {name}"
        for module in modules()
        if module.domain != "__init__"
        for name, line in module.imports()
        if _domain(name) != module.domain
        and FLOOR_OF[_domain(name)] >= FLOOR_OF[module.domain]
        # `core` and the settings are one floor without walls.
        and not {_domain(name), module.domain} <= FLOORS[0]
    ]
    assert not wrong


def test_the_package_itself_imports_nothing() -> None:
    assert [m.imports() for m in modules() if m.domain == "__init__"] == [[]]


def test_no_import_leads_back_to_where_it_began() -> None:
    graph = {m.name: {name for name, _ in m.imports()} & names() for m in modules()}
    while graph:
        leaves = {name for name, imported in graph.items() if not imported & graph.keys() - {name}}
        assert leaves, f"a circle among {sorted(graph)}"
        assert not any(name in graph[name] for name in leaves)
        graph = {name: imported for name, imported in graph.items() if name not in leaves}


def test_pure_modules_do_no_input_or_output() -> None:
    outside = re.compile(r"sqlalchemy|sqlmodel|requests|httpx|web3|socket|pathlib|time|threading|fastapi")
    wrong = []
    for module in modules():
        if module.path.as_posix() not in PURE:
            continue
        for node in module.nodes:
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            wrong += [f"{module.at(node)} imports {n}" for n in named if outside.fullmatch(n.split(".")[0])]
    assert not wrong
    assert {m.path.as_posix() for m in modules()} >= PURE


# ------------------------------------------------------------------ the books


BOOKS = {"Account", "Balance", "JournalEntry", "Posting", "Turnover"}
WRITES = {"insert", "update", "delete"}


def _names_of_books(module: Module) -> set[str]:
    """What the books' tables are called in this module; eth-account has an `Account` too."""
    return {local for local, name in module.imported_from("taesan.ledger.models").items() if name in BOOKS}


def test_only_posting_writes_the_books() -> None:
    wrong = []
    for module in modules():
        if module.path.as_posix() in ("ledger/posting.py", "ledger/models.py"):
            continue
        books = _names_of_books(module)
        for name, call in calls(module.nodes):
            first = call.args[0] if call.args else None
            if name in WRITES and isinstance(first, ast.Name) and first.id in books:
                wrong.append(f"{module.at(call)} {name}s {first.id}")
            if isinstance(call.func, ast.Name) and name in books:
                wrong.append(f"{module.at(call)} makes a row of {name}")
        wrong += [
            f"{module.at(node)} sets a balance"
            for node in module.nodes
            if isinstance(node, ast.Attribute) and node.attr == "balance" and isinstance(node.ctx, ast.Store)
        ]
    assert not wrong


def test_no_sql_text_writes_the_books() -> None:
    writing = re.compile(
        r"\b(insert\s+(or\s+\w+\s+)?into|update|delete\s+from|drop\s+\w+)\s+\"?(account|journal_entry|posting)\b", re.I
    )
    wrong = [
        f"{module.at(node)}: {node.value[:60]}"
        for module in modules()
        for node in module.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and writing.search(node.value)
    ]
    assert not wrong


# ------------------------------------------------------------------- the chain


SENDING = {
    "sign",
    "sign_message",
    "sign_transaction",
    "sign_typed_data",
    "sign_authorization",
    "unsafe_sign_hash",
    "send_raw",
    "send_raw_transaction",
    "send_transaction",
    "transact",
}


# Only the sender asks a signer, and only it sends.
ALLOWED = {
    "chain/sender.py": SENDING,
    "chain/signers.py": {"sign_transaction"},
    "chain/nodes.py": {"send_raw"},
    "chain/rpc.py": {"send_raw_transaction"},
    "paywall/receipts.py": {"sign_message"},  # with a merchant's own key, on the merchant's own machine
    "webhooks/deliveries.py": {"sign"},  # with a merchant's webhook secret
}


def test_only_the_sender_signs_and_sends() -> None:
    wrong = [
        f"{module.at(call)} calls {name}"
        for module in modules()
        if module.domain not in ("client", "demo")  # a payer's wallet signs too
        for name, call in calls(module.nodes)
        if name in SENDING - ALLOWED.get(module.path.as_posix(), set())
    ]
    assert not wrong


def test_only_signers_see_a_key() -> None:
    wrong = [
        f"{module.at(node)} reads operator_key"
        for module in modules()
        if module.path.as_posix() != "chain/signers.py"
        for node in module.nodes
        if isinstance(node, ast.Attribute) and node.attr == "operator_key"
    ]
    assert not wrong


def test_only_chain_talks_to_a_node() -> None:
    wrong = [
        f"{module.at(node)} imports {node.module}"
        for module in modules()
        if module.domain not in ("chain", "demo")
        for node in module.nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("web3", "requests")
    ]
    assert not wrong


def test_nothing_else_fetches_anything() -> None:
    """So nobody can have the service ask an address of their choice (SSRF): the node, the signer, the mail server and the language
    model are the operator's, and what a merchant names is checked by the one module that sends webhooks. A payer's client and a merchant's paywall are
    no part of the service: they ask what their users name."""
    fetching = {"web3", "requests", "httpx", "aiohttp", "urllib3", "urllib.request", "http.client", "smtplib"}
    elsewhere = {"chain", "client", "demo", "paywall"}
    asking = {"webhooks/sending.py", "insights/phrasing.py", "core/smtp.py"}
    wrong = []
    for module in modules():
        if module.domain in elsewhere or module.path.as_posix() in asking:
            continue
        for node in module.nodes:
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            wrong += [f"{module.at(node)} imports {n}" for n in named if n in fetching or n.split(".")[0] in fetching]
    assert not wrong


# ------------------------------------------------------------------ the routers


def _routers() -> list[Module]:
    """Also those that share a domain with others, such as `budgets_router.py`."""
    return [m for m in modules() if m.path.name.endswith("router.py")]


def test_there_are_routers_to_look_at() -> None:
    assert {m.path.name for m in _routers()} > {"router.py", "budgets_router.py", "reports_router.py"}


def test_routers_hold_no_sql() -> None:
    wrong = []
    for module in _routers():
        for node in module.nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("sqlalchemy", "sqlmodel"):
                wrong += [f"{module.at(node)} imports {a.name}" for a in node.names if a.name != "Session"]
            if isinstance(node, ast.Import):
                wrong += [f"{module.at(node)} imports {a.name}" for a in node.names if a.name.startswith("sql")]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "session":
                wrong.append(f"{module.at(node)} uses session.{node.attr}")
    assert not wrong


def test_nobody_commits_but_the_database() -> None:
    wrong = [
        f"{module.at(call)} calls {name}"
        for module in modules()
        if module.domain != "demo"
        for name, call in calls(module.nodes)
        if name in ("commit", "begin", "begin_nested", "rollback") and module.path.as_posix() != "core/db.py"
    ]
    assert not wrong


# --------------------------------------------------------------------- the money


# What is no money, and amounts on their way to a reader's eye; nothing of it is stored or paid.
NO_MONEY = {
    "insights/wording.py": {"Decimal"},  # numbers in a language model's sentence
    "insights/cadence.py": {"float", "round", "/"},  # likelihoods
    "insights/forecast.py": {"float", "round", "/"},  # what a day's weight keeps, once, as a whole number
    "insights/recurring.py": {"round"},
    "insights/pdf.py": {"float", "/"},  # millimetres
    "insights/phrasing.py": {"float"},  # seconds
    "insights/scheduling.py": {"float"},  # chance
    "insights/mailing.py": {"float"},
    "insights/report.py": {"/"},  # paths
}


@pytest.mark.parametrize(
    "domain",
    [
        "ledger",
        "payments",
        "gateways",
        "jars",
        "channels",
        "rules",
        "settlement",
        "conversions",
        "merchants",
        "loyalty",
        "gifts",
        "reminders",
        "insights",
    ],
)
def test_money_is_never_a_float(domain: str) -> None:
    wrong, met = [], set()
    for module in modules():
        if module.domain != domain:
            continue
        path = module.path.as_posix()
        for node in module.nodes:
            what = _inexact(node)
            if what in NO_MONEY.get(path, ()):
                met.add((path, what))
            elif what:
                wrong.append(f"{module.at(node)} has {what}")
    assert not wrong
    assert met == {(path, what) for path, of in NO_MONEY.items() for what in of if path.startswith(f"{domain}/")}


def _inexact(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return "float"
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
        return "/"
    return node.id if isinstance(node, ast.Name) and node.id in ("float", "round", "Decimal") else None

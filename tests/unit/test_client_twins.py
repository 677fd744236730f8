"""The client with `await` does what the other does."""

from inspect import getdoc, iscoroutinefunction, signature

from taesan.client import AsyncClient, Client


def _methods(client: type) -> dict[str, object]:
    return {name: value for name, value in vars(client).items() if callable(value) and not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    waits, awaits = _methods(Client), _methods(AsyncClient)
    assert waits.keys() == awaits.keys() >= {"pay", "open_channel", "get", "close"}
    assert {name for name, method in awaits.items() if not iscoroutinefunction(method)} == set()
    for name, method in waits.items():
        assert signature(method) == signature(awaits[name]), name  # type: ignore[arg-type]
        assert getdoc(awaits[name]) in (f"As `Client.{name}`.", None), name


def test_both_tell_what_they_are_made_of() -> None:
    for client in (Client, AsyncClient):
        assert ":param patience_s:" in (client.__doc__ or "")
        assert "What both have in common" not in (client.__doc__ or "")

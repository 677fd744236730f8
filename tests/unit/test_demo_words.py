"""What `taesan demo` says last: where to go on, in a terminal of 80 columns."""

import io

from rich.console import Console

from taesan.demo.run import show_apps


def test_each_app_is_named_with_its_address() -> None:
    told = io.StringIO()
    show_apps("http://127.0.0.1:18000", Console(file=told, width=80))
    for app in ("wallet", "merchant", "operator"):
        assert f"  http://127.0.0.1:18000/{app} " in told.getvalue()
    assert max(map(len, told.getvalue().splitlines())) <= 80

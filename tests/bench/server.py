"""The hub's API on a database of its own and no node: `python -m tests.bench.server DATABASE_URL PORT`."""

if __name__ == "__main__":  # the intake's process reads this file too, and serves nothing
    import sys

    import uvicorn

    from taesan.app import create_app
    from taesan.core.garbage import calm_collector
    from taesan.core.logs import logs_of, set_up_logs
    from taesan.core.server import BoundedHttp
    from taesan.payments.lanes import ProcessLanes
    from tests.bench.payers import DEPOSIT
    from tests.support.offline import hub_on

    url, port = sys.argv[1:]
    hub = hub_on(url, channel_exposure=DEPOSIT)  # without a chain nothing is ever claimed
    set_up_logs(
        logs_of(hub.settings)
    )  # as `taesan serve` does; without it structlog tells everything, and each request
    calm_collector()
    uvicorn.run(
        create_app(hub, ProcessLanes(hub)),
        host="127.0.0.1",
        port=int(port),
        log_config=None,
        access_log=False,
        server_header=False,
        loop="uvloop",
        http=BoundedHttp,
    )

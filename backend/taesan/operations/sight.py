"""What a process that stays sets up first, so that one can see what it does."""

from taesan.chain.tracing import trace_nodes
from taesan.core import tracing
from taesan.core.logs import logs_of, set_up_logs
from taesan.settings import Settings


def set_up_sight(settings: Settings, service: str) -> None:
    """Logs, and traces if the environment asks for them.

    :raises TracingUnavailable: it does, and they cannot be had
    """
    set_up_logs(logs_of(settings))
    tracing.set_up_tracing(service)
    if tracing.is_on():
        trace_nodes()

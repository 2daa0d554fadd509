"""The arguments of a monitor, checked before there is a model."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from zerosum.monitor._monitor import Monitor
from zerosum.monitor.cost import limit_of
from zerosum.monitor.log import log_to
from zerosum.monitor.probe import held_out_ids
from zerosum.monitor.schedule import parse_schedule


def require_arguments(probe_tokens: Any, settings: Mapping[str, Any]) -> None:
    """For hosts that make a monitor when training begins. Raises what `Monitor` raises for wrong arguments."""
    given = signature(Monitor).bind(None, probe_tokens, **settings)
    given.apply_defaults()
    parse_schedule(given.arguments["schedule"])
    limit_of(given.arguments["cost"])
    log_to(given.arguments["log"])
    held_out_ids(probe_tokens)

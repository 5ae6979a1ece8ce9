"""Runtimes: read-only environments that the operator declares for jobs."""

from comptoir.desk.requests import DeclareRuntime, RuntimeRef
from comptoir.desk.transaction import Transaction
from comptoir.leases.commands import check_environment
from comptoir.leases.jobs import Runtime
from comptoir.tenants.permissions import not_found
from comptoir.units.errors import Conflict, Invalid
from comptoir.units.ids import RuntimeId
from comptoir.units.text import check_slug
from comptoir.units.values import replace

MOST_PATHS = 16


def declare_runtime(tx: Transaction, request: DeclareRuntime) -> Runtime:
    """Declare a runtime. Whether its paths exist is the engine's to say, at the start.

    Raises:
        Invalid: `bad_path`: not absolute, or with `..`; `bad_environment`.
        Conflict: `runtime_exists`.
    """
    name = check_slug("name", request.name)
    if any(runtime.name == name and not runtime.retired for runtime in tx.book.runtimes):
        raise Conflict("runtime_exists", f"there is a runtime {name!r}", "retire it first")
    if len(request.paths) > MOST_PATHS:
        raise Invalid("bad_path", f"{len(request.paths)} paths; at most {MOST_PATHS}")
    for path in request.paths:
        if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise Invalid(
                "bad_path", f"{path!r} is not a plain absolute path", "give it as /opt/env"
            )
    check_environment(request.environment)
    runtime = Runtime(
        RuntimeId(tx.new_id("rt")), name, request.paths, request.environment, False, tx.now_ms
    )
    tx.book.runtimes.put(runtime)
    tx.emit("runtime.declared", runtime.id, None, name=name, paths=list(request.paths))
    return runtime


def retire_runtime(tx: Transaction, request: RuntimeRef) -> Runtime:
    """No new job may name it; jobs that have it keep it."""
    runtime = tx.book.runtimes.get(request.runtime_id)
    if runtime is None:
        raise not_found(f"runtime {request.runtime_id}")
    if runtime.retired:
        return runtime
    tx.emit("runtime.retired", runtime.id, None, name=runtime.name)
    return tx.book.runtimes.put(replace(runtime, retired=True))

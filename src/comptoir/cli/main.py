"""The entry point: parse, run, and turn whatever happens into words and an exit code.

The table below is all that `comptoir --help` needs, so it imports no command.
"""

import json
import os
import sys
from collections.abc import Sequence

import click

from comptoir import __version__
from comptoir.cli.exits import FAILED, INTERRUPTED, OK, USAGE, exit_code_of, word_of
from comptoir.cli.lazy import Group
from comptoir.cli.session import Session, debugging
from comptoir.units.errors import ComptoirError, InvariantBroken

_AT = "comptoir.cli.commands"
SECTIONS = {
    "Start": {
        "demo": (f"{_AT}.serving:demo", "Watch a trading post do its main job on this machine."),
        "up": (f"{_AT}.serving:up", "Open a trading post: the book, the API, the local engine."),
        "login": (f"{_AT}.profiles:login", "Remember a server and the key that opens it."),
        "logout": (f"{_AT}.profiles:logout", "Forget a server and its key."),
        "profile": (f"{_AT}.profiles:profile", "The servers you have logged in to."),
        "status": (f"{_AT}.status:status", "What the server does now."),
    },
    "Work": {
        "run": (f"{_AT}.run:run", "Upload this directory, lease, run a command, follow it."),
        "lease": (f"{_AT}.lease_windows:lease", "Ask for accelerators, see why, extend, end."),
        "offers": (f"{_AT}.offers:offers", "When, where and at what price you could have it."),
        "hold": (f"{_AT}.offers:hold", "Keep an offer while you decide."),
        "job": (f"{_AT}.jobs:job", "Commands on leases: submit, follow, fetch, cancel."),
        "events": (f"{_AT}.events:events", "What happens, as notices; --follow goes on."),
    },
    "Money": {
        "usage": (f"{_AT}.accounts:usage", "Accelerator time, by measure."),
        "charge": (f"{_AT}.accounts:charge", "Usage with its price."),
        "period": (f"{_AT}.periods:period", "Months of a legal entity, and their close."),
        "invoice": (f"{_AT}.invoices:invoice", "Invoices: preview, drafts, final, void."),
        "payment": (f"{_AT}.payments:payment", "What came in, and what it pays."),
        "approval": (f"{_AT}.approvals:approval", "Acts on money that two people agree to."),
        "dispute": (f"{_AT}.disputes:dispute", "Lines that a customer does not owe."),
        "dunning": (f"{_AT}.disputes:dunning", "When unpaid invoices are asked for again."),
        "credit-note": (f"{_AT}.credit_notes:credit_note", "Invoices taken back, in part."),
        "ledger": (f"{_AT}.accounts:ledger", "Entries, balances, and the proof."),
        "contract": (f"{_AT}.contracts:contract", "What is agreed, version by version."),
        "commitment": (f"{_AT}.commitments:commitment", "What was promised, drawn and is left."),
        "credit": (f"{_AT}.commitments:credit", "Credit that usage draws on."),
        "rate-card": (f"{_AT}.rates:rate_card", "Prices: proposed by one, approved by another."),
        "entity": (f"{_AT}.entities:entity", "Who sells; taxes and rates of exchange."),
        "admission": (f"{_AT}.admissions:admission", "How customers come in, and their limits."),
        "export": (f"{_AT}.exports:export", "Ledger and usage as files for other programs."),
        "import": (f"{_AT}.imports:import_", "What is brought from another system."),
        "budget": (f"{_AT}.budgets:budget", "What tenants and projects mean to spend."),
    },
    "Operate": {
        "tenant": (f"{_AT}.tenants:tenant", "Teams and customers."),
        "user": (f"{_AT}.users:user", "People and programs that act."),
        "key": (f"{_AT}.users:key", "API keys."),
        "quota": (f"{_AT}.tenants:quota", "How much a tenant may hold."),
        "entitlement": (f"{_AT}.entitlements:entitlement", "What teams have, lend and borrow."),
        "policy": (f"{_AT}.entitlements:policy", "Notice, minimum runtime, ageing by class."),
        "fleet": (f"{_AT}.fleet:fleet", "Nodes and accelerator kinds."),
        "supply": (f"{_AT}.supply:supply", "Capacity that is owned or rented."),
        "runtime": (f"{_AT}.runtimes:runtime", "Read-only environments for jobs."),
        "clock": (f"{_AT}.clock:clock", "What time it is in the book; move a test clock on."),
        "setting": (f"{_AT}.settings:setting", "What holds for the whole book."),
        "webhook": (f"{_AT}.subscriptions:webhook", "Notices sent to a URL, signed."),
        "mail": (f"{_AT}.subscriptions:mail", "Notices sent by mail."),
        "audit": (f"{_AT}.status:audit", "Who did what, in order."),
        "db": (f"{_AT}.db:db", "Upgrade, back up and restore a book."),
        "doctor": (f"{_AT}.doctor:doctor", "Check this machine, with a remedy for each finding."),
        "simulate": (f"{_AT}.simulate:simulate", "Replay a past year: who waits, what it earns."),
        "bench": (f"{_AT}.bench:bench", "Measure this machine."),
        "completion": (f"{_AT}.completion:completion", "Completion for your shell."),
    },
}


@click.group(
    "comptoir",
    cls=Group,
    lazy=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="comptoir %(version)s")
@click.pass_context
def comptoir(ctx: click.Context) -> None:
    """A compute cloud is a book of leases.

    Comptoir leases the accelerators of a private fleet to teams and customers, runs their
    work, meters it, and bills it. Exit codes: docs/cli.md.
    """
    ctx.ensure_object(Session)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and say what it ends with.

    Returns:
        The exit code; the table of `exits` maps errors to it.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = comptoir.main(arguments, prog_name="comptoir", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        _hush()
        return FAILED
    except (ComptoirError, InvariantBroken) as error:
        return report(error, as_json=_wants_json(arguments))
    except Exception as error:
        if debugging():
            raise
        click.echo(
            f"broken  {type(error).__name__}: {error}\n"
            "        this is a bug: COMPTOIR_DEBUG=1 shows the trace; please report it",
            err=True,
        )
        return FAILED


def report(error: ComptoirError | InvariantBroken, *, as_json: bool = False) -> int:
    """Say a no: what, with the numbers, then what to do next. The one place that does."""
    if debugging():
        import traceback

        traceback.print_exception(error)
    if isinstance(error, InvariantBroken):
        code, message, step, facts = "invariant_broken", str(error), "report this bug", {}
    else:
        code, message, step, facts = error.code, error.message, error.next, error.facts
    if as_json:
        said = {"code": code, "message": message, "next": step, "facts": facts}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False), err=True)
        return exit_code_of(error)
    word = word_of(error)
    click.echo(f"{click.style(word, 'red', bold=True)}  {code}: {message}", err=True)
    if step:
        click.echo(f"{'':{len(word) + 2}}{step}", err=True)
    return exit_code_of(error)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` was said to us, not to the command after `--`; some take a file there."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in ours and ours[0] not in ("bench", "simulate")


def _hush() -> None:
    """Nobody reads stdout any more: keep the interpreter from complaining at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def entry() -> None:
    """For `python -m comptoir`."""
    sys.exit(main())

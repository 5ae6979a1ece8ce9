"""`completion`: the script that completes commands and options in a shell."""

import click

from comptoir.cli.lazy import Session, leaf
from comptoir.cli.session import note

INSTALL = {
    "bash": 'add to ~/.bashrc:  eval "$(comptoir completion bash)"',
    "zsh": 'add to ~/.zshrc:  eval "$(comptoir completion zsh)"',
    "fish": "comptoir completion fish > ~/.config/fish/completions/comptoir.fish",
}
VARIABLE = "_COMPTOIR_COMPLETE"


@leaf("completion", 'eval "$(comptoir completion bash)"', "comptoir completion fish", online=False)
@click.argument("shell", type=click.Choice([*INSTALL]))
def completion(cli: Session, shell: str) -> None:
    """Print the completion script of a shell; how to install it goes to stderr."""
    import sys

    from click.shell_completion import get_completion_class

    from comptoir.cli.main import comptoir

    found = get_completion_class(shell)
    assert found is not None
    script = found(comptoir, {}, "comptoir", VARIABLE).source()
    if cli.json:
        cli.record({"shell": shell, "script": script, "install": INSTALL[shell]}, "")
        return
    click.echo(script)
    if sys.stdout.isatty():
        note(INSTALL[shell])

"""Every command of the command line, by its path."""

from collections.abc import Iterator

import click

from comptoir.cli.lazy import Command, Group
from comptoir.cli.main import comptoir


def leaves(group: Group = comptoir, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, Group):
            yield from leaves(found, (*path, name))
        else:
            assert isinstance(found, Command), name
            yield " ".join((*path, name)), found


LEAVES = dict(leaves())

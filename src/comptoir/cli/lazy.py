"""Groups that import their commands on use, and commands that carry examples.

`comptoir --help` reads one static table and imports no command. Every leaf has the common
options and at least one example; a test holds that each example parses.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from comptoir.cli.session import COMMON_OPTIONS, OFFLINE_OPTIONS, Session


class Command(click.Command):
    """A leaf: its own options, then the common ones, then examples.

    Args:
        examples: Command lines that work when pasted, each starting with `comptoir`.
        online: Whether it asks a server, and so takes the options that say which.
    """

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), online: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.common = [make() for make in (COMMON_OPTIONS if online else OFFLINE_OPTIONS)]
        own = {name for param in self.params for name in param.opts}
        self.common = [option for option in self.common if not own & {*option.opts}]
        self.params.extend(self.common)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Own options first; what every command has, apart."""
        common = {id(option) for option in self.common}
        own = [p for p in self.get_params(ctx) if id(p) not in common]
        for title, params in (("Options", own), ("Common options", self.common)):
            records = [param.get_help_record(ctx) for param in params]
            rows = [row for row in records if row is not None and row[1]]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples."""
        with formatter.section("Example" if len(self.examples) == 1 else "Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Group(click.Group):
    """Commands by section; those that are named in `lazy` are imported when used.

    Args:
        lazy: Section title -> command name -> ("module:attribute", one-line help).
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("no_args_is_help", True)
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}
        self._where = {name: to for section in self.lazy.values() for name, to in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in their order."""
        return [*self._where, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now if it was not."""
        if cmd_name in self._where:
            module, _, attribute = self._where[cmd_name][0].partition(":")
            found = getattr(import_module(module), attribute)
            assert isinstance(found, click.Command)
            return found
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest names when there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), 3, 0.6) if args else []
            if near:
                hint = f"{error.message} Did you mean {' or '.join(near)}?"
                raise click.UsageError(hint, ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Section by section, without importing anything."""
        for title, section in self.lazy.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()])
        if self.commands:
            rows = [(name, c.get_short_help_str(80)) for name, c in self.commands.items()]
            with formatter.section("Commands"):
                formatter.write_dl(rows)


Body = Callable[..., int | None]


def leaf(
    name: str,
    *examples: str,
    group: Group | None = None,
    online: bool = True,
    **attributes: Any,
) -> Callable[[Body], Command]:
    """Make a function a command; its first argument is the `Session`."""

    def decorate(body: Body) -> Command:
        command = click.command(name, cls=Command, examples=examples, online=online, **attributes)(
            click.pass_obj(body)
        )
        assert isinstance(command, Command)
        if group is not None:
            group.add_command(command)
        return command

    return decorate


__all__ = ["Command", "Group", "Session", "leaf"]

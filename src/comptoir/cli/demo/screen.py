"""What a person sees of the demo: a story line by line, with live progress under it."""

import time
from types import TracebackType
from typing import Literal, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table


class Screen:
    """Story lines that stay, and one bar a job that moves. Plain lines without a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = console.is_terminal and not console.record
        """Whether bars move; otherwise every step is a line."""
        self._bars = Progress(
            TextColumn("            {task.description:<19}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not self.live,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, who: str, what: str, style: str = "") -> None:
        """A line of the story, with the local time."""
        line = f"  [dim]{time.strftime('%H:%M:%S')}[/]  [bold]{who:<9}[/] {what}"
        self._bars.console.print(line, style=style, highlight=False)

    def bar(self, job: str, description: str, done: float, total: float, note: str) -> None:
        """Move a job's bar."""
        if job not in self._tasks:
            self._tasks[job] = self._bars.add_task(description, total=total, note=note)
        task = self._tasks[job]
        self._bars.update(task, description=description, completed=done, total=total, note=note)

    def done(self, job: str) -> None:
        """Take a job's bar away."""
        if job in self._tasks:
            self._bars.remove_task(self._tasks.pop(job))

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """A small table; all but the first two columns to the right."""
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1), pad_edge=True)
        for number, column in enumerate(columns):
            justify: Literal["left", "right"] = "left" if number < 2 else "right"
            table.add_column(column, justify=justify, header_style="dim", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    def line(self, text: str = "") -> None:
        """A line of its own."""
        self.console.print(text, highlight=False)

"""What a person sees of the demo: a story line by line, with live progress under it."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


class Screen:
    """Story lines that stay, and one bar a job that moves. Plain lines without a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(
            TextColumn("  {task.description:<34}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[note]:<40}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, int] = {}

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
        now = time.strftime("%H:%M:%S")
        self._bars.console.print(
            f"  [dim]{now}[/]  [bold]{who:<9}[/] {what}", style=style, highlight=False
        )

    def bar(self, job: str, description: str, done: float, total: float, note: str) -> None:
        """Move a job's bar."""
        if job not in self._tasks:
            self._tasks[job] = self._bars.add_task(description, total=total, note=note)
        self._bars.update(
            self._bars.task_ids[list(self._tasks).index(job)],
            completed=done,
            total=total,
            note=note,
        )

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """A small table; all but the first column to the right."""
        table = Table(
            title=title, title_justify="left", box=None, padding=(0, 2), title_style="bold"
        )
        for number, column in enumerate(columns):
            table.add_column(column, justify="left" if number == 0 else "right", header_style="dim")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    def line(self, text: str = "") -> None:
        """A line of its own."""
        self.console.print(text, highlight=False)

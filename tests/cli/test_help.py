"""Every command explains itself, and what it shows works when pasted."""

import shlex
from pathlib import Path

import click
import pytest

from comptoir.cli.main import SECTIONS, comptoir
from tests.cli.commands import LEAVES

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with the files that examples name."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "supply.toml", "fleet.toml", "inventory.csv", "post.backup", "burn-in.log",
        "enterprise-2027.toml", "acme.toml", "opening.toml", "prices.csv",
    ):  # fmt: skip
        (tmp_path / name).touch()


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_and_option_has_a_help_text(name: str) -> None:
    command = LEAVES[name]
    assert command.help, "says what it does"
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, f"{param.opts} says what it is for"
            assert param.help.endswith((".", ")")), f"{param.opts}: a sentence"


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_an_example_that_parses(name: str) -> None:
    command = LEAVES[name]
    assert command.examples
    for example in command.examples:
        words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
        assert words[: len(name.split()) + 1] == ["comptoir", *name.split()]
        command.make_context(name, words[len(name.split()) + 1 :], resilient_parsing=False)


@pytest.mark.parametrize("name", LEAVES)
def test_help_fits_the_page_and_shows_the_examples(name: str) -> None:
    context = comptoir.make_context("comptoir", ["--help"], resilient_parsing=True)
    for word in name.split():
        group = context.command
        assert isinstance(group, click.Group)
        found = group.get_command(context, word)
        assert found is not None
        context = click.Context(found, info_name=word, parent=context)
    said = context.get_help()
    assert all(example in said for example in LEAVES[name].examples)
    body = said.split("Example")[0]
    assert [line for line in body.splitlines() if len(line) > 100] == []


def test_the_short_texts_name_real_commands() -> None:
    for section in SECTIONS.values():
        for name in section:
            assert any(leaf == name or leaf.startswith(f"{name} ") for leaf in LEAVES)


def test_the_docs_name_every_command() -> None:
    text = DOCS.read_text()
    assert [name for name in LEAVES if f"comptoir {name}" not in text] == []


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_can_speak_json(name: str) -> None:
    assert "--json" in {word for param in LEAVES[name].params for word in param.opts}

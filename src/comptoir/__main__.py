"""`python -m comptoir` is `comptoir`."""

from comptoir.cli.main import entry

entry()

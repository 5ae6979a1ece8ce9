"""The client's way to exports: the book as files for other programs."""

from comptoir.client.transport import Transport, path_of


class Exports:
    """Files made of the whole book."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def journal(self, daily: bool | None = None) -> bytes:
        """The ledger as a Beancount journal; `daily`: each day's sums instead of each entry."""
        said = None if daily is None else str(daily).lower()
        return self._transport.get_bytes(path_of("exports", "journal"), daily=said)[0]

"""The client's way to contracts, credit, and the cost of what is bought."""

from collections.abc import Iterator
from typing import Any, cast

from comptoir.client.contract_records import (
    Act,
    Contract,
    ContractDetail,
    ContractProposed,
    CreditBlock,
    Drawdown,
)
from comptoir.client.parties import PAGE
from comptoir.client.transport import Transport, path_of


class Contracts:
    """Contracts in both directions: proposed by one, approved by another."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def propose(self, file: str, text: str, dry_run: bool = False) -> ContractProposed:
        """Propose what a contract file says, as a new contract or the next version of one.

        Args:
            file: The file's name, for its problems.
            text: Its TOML; see docs/contracts.md.
            dry_run: Only say what the book thinks of it.
        """
        body = {"file": file, "text": text, "dry_run": dry_run}
        return cast(ContractProposed, self._transport.write("POST", path_of("contracts"), body))

    def approve(self, contract: str, version: int) -> ContractProposed:
        """Put a proposed version in force from its date on."""
        return self._version(contract, version, "approve")

    def withdraw(self, contract: str, version: int) -> ContractProposed:
        """Take a proposed version back."""
        return self._version(contract, version, "withdraw")

    def list(self, tenant: str | None = None, direction: str | None = None) -> Iterator[Contract]:
        """Every contract that you may see, newest first."""
        return self._transport.pages(path_of("contracts"), PAGE, tenant=tenant, direction=direction)

    def get(self, contract: str) -> ContractDetail:
        """One, by its number or id."""
        return cast(ContractDetail, self._transport.get(path_of("contracts", contract)))

    def act(
        self,
        contract: str,
        act: str,
        about: str = "",
        effective_at: str | None = None,
        note: str = "",
    ) -> Act:
        """Deliver, accept, reject or cancel a tranche; exercise an expansion; exit.

        Args:
            contract: Its number or id.
            act: deliver, accept, reject, cancel, exercise or exit.
            about: The tranche or expansion; of an exit, nothing.
            effective_at: When an exit takes effect; as soon as it may if not said.
            note: Why.
        """
        body = {"act": act, "about": about, "effective_at": effective_at, "note": note}
        path = path_of("contracts", contract, "acts")
        return cast(Act, self._transport.write("POST", path, body))

    def _version(self, contract: str, version: int, verb: str) -> ContractProposed:
        path = path_of("contracts", contract, "versions", str(version), verb)
        return cast(ContractProposed, self._transport.write("POST", path))


class Credit:
    """Credit blocks, what was drawn of them, and the cost of what is bought."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def blocks(self, tenant: str | None = None) -> Iterator[CreditBlock]:
        """Every credit block that you may see, newest first."""
        return self._transport.pages(path_of("credit-blocks"), PAGE, tenant=tenant)

    def drawdowns(
        self, tenant: str | None = None, credit_block: str | None = None
    ) -> Iterator[Drawdown]:
        """What was drawn for good, newest first."""
        return self._transport.pages(
            path_of("drawdowns"), PAGE, tenant=tenant, credit_block=credit_block
        )

    def settle_supply(self, until: str | None = None) -> dict[str, Any]:
        """Book the cost of bought capacity up to now, or to an instant before."""
        written = self._transport.write("POST", path_of("supply", "settle"), {"until": until})
        return cast(dict[str, Any], written)

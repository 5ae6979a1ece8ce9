"""What doors ask of the desk about contracts: one frozen value an operation."""

from dataclasses import dataclass

from comptoir.sales.contracts import Contract, ContractFile, ContractVersion
from comptoir.sales.tranches import ActType
from comptoir.units.ids import ContractId


@dataclass(frozen=True, slots=True)
class ProposeContract:
    """A contract file, as a new contract or a new version of one; `dry_run`: only judged."""

    file: ContractFile
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ContractVersionRef:
    """Approve or withdraw the proposed version of a contract, by its number."""

    contract_id: ContractId
    number: int


@dataclass(frozen=True, slots=True)
class ProposedContract:
    """The answer to the two above: the contract and the version; `dry_run`: nothing is kept."""

    contract: Contract
    version: ContractVersion
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ContractRef:
    """Explain this contract, by its id or its number."""

    contract_id: ContractId


@dataclass(frozen=True, slots=True)
class ContractDeed:
    """Something that one side does under a contract, now or (an exit) from an instant on."""

    contract_id: ContractId
    act: ActType
    subject: str = ""
    effective_at_ms: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SettleSupply:
    """Book the cost of bought capacity up to an instant (None: now)."""

    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SupplySettled:
    """The answer to `SettleSupply`."""

    contracts: int
    until_ms: int

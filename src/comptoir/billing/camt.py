"""camt.053, read: the statements of an XML file, their balances and control totals checked.

Elements are found by their local names, so that every version of the message is read. A file
with a document type is refused before it is parsed: no entity is ever expanded. Neighbour:
`bank_files`, which has the values, and CSV.

Source: ISO 20022, BankToCustomerStatement (camt.053.001.02 to .11).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from comptoir.billing.bank_files import (
    MOST_BYTES,
    MOST_ENTRIES,
    MOST_TEXT,
    BankEntry,
    EntryIds,
    Place,
    Statement,
    total_micros,
)
from comptoir.units.banking import check_iban


def read_camt(name: str, data: bytes) -> list[Statement]:
    """The statements of a camt.053 file, booked entries only.

    Args:
        name: The file's, for what is wrong with it.
        data: Its bytes.

    Raises:
        Invalid: `bad_bank_file`, `bad_iban`, or `bank_file_checksum`: balances or control
            totals that its entries do not make; with file, place and numbers.
    """
    whole = Place(name)
    if len(data) > MOST_BYTES:
        raise whole.bad("", f"it has {len(data):,} bytes, more than {MOST_BYTES:,}")
    if any("<!DOCTYPE".encode(coding) in data for coding in ("utf-8", "utf-16-le", "utf-16-be")):
        raise whole.bad("", "it has a document type, which no bank statement has")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise whole.bad("", f"it is not XML: {error}") from error
    ids = EntryIds()
    found = [_statement(Place(name, f"Stmt[{n}]"), s, ids) for n, s in _numbered(root, "Stmt")]
    if not found:
        raise whole.bad("BkToCstmrStmt/Stmt", "there is no statement in it")
    return found


def _statement(at: Place, element: Element, ids: EntryIds) -> Statement:
    iban = _text(element, "Acct/Id/IBAN")
    account = (
        check_iban(f"{at.path}/Acct/Id/IBAN", iban) if iban else _text(element, "Acct/Id/Othr/Id")
    )
    balances = [_balance(at.within(f"Bal[{n}]"), b) for n, b in _numbered(element, "Bal")]
    currency = _text(element, "Acct/Ccy") or next((b[2] for b in balances), "")
    at.currency("Acct/Ccy", currency)
    entries: list[BankEntry] = []
    for number, booked in _numbered(element, "Ntry"):
        entries += _entry(at.within(f"Ntry[{number}]"), booked, currency, ids)
        if len(entries) > MOST_ENTRIES:
            raise at.bad("", f"it has more than {MOST_ENTRIES:,} entries")
    opening = _of_kind(balances, "OPBD", "PRCD")
    closing = _of_kind(balances, "CLBD")
    if opening is not None and closing is not None:
        made = opening + total_micros(entries)
        at.agree("Bal[CLBD]", closing, made, currency)
    _check_totals(at, element, entries, currency)
    identity = _text(element, "Id") or at.path
    return Statement(identity, account, currency, tuple(entries), opening, closing)


def _balance(at: Place, element: Element) -> tuple[str, int, str]:
    """The kind of a balance, its signed micros and its currency."""
    kind = _text(element, "Tp/CdOrPrtry/Cd")
    micros, currency = _signed(at, element)
    return kind, micros, currency


def _of_kind(balances: list[tuple[str, int, str]], *kinds: str) -> int | None:
    return next((micros for kind in kinds for k, micros, _ in balances if k == kind), None)


def _entry(at: Place, element: Element, currency: str, ids: EntryIds) -> Iterator[BankEntry]:
    """A booked entry: one, or one for each payment of a batch."""
    status = _text(element, "Sts/Cd") or _text(element, "Sts")
    if status not in ("BOOK", ""):
        return
    micros, own = _signed(at, element)
    if own != currency:
        raise at.bad("Amt", f"it is in {own}, and the account in {currency}")
    day = at.day("ValDt", _date(element, "ValDt") or _date(element, "BookgDt"))
    reversal = _text(element, "RvslInd") in ("true", "1")
    given = _text(element, "AcctSvcrRef")
    base = BankEntry(
        given, day, micros, currency, _remittance(element)[:MOST_TEXT], "", "", reversal, "", given
    )
    details = [detail for _, detail in _numbered(element, "NtryDtls/TxDtls")]
    several = len(details) > 1  # one detail tells who and what for; the entry what came
    parts = [_detail(at.within(f"TxDtls[{n}]"), base, d, several) for n, d in enumerate(details, 1)]
    if len(parts) > 1:
        at.agree("Amt", micros, total_micros(parts), currency)
    for part in parts or [base]:
        said = (part.day_ms, part.micros, part.reference, part.payer)
        batched = len(parts) > 1 or not part.id
        yield replace(part, id=ids.of(part.id, *said) if batched else ids.own(part.id, *said))


def _detail(at: Place, entry: BankEntry, element: Element, several: bool) -> BankEntry:
    """One payment of an entry: its own amount and words where it has them."""
    inner = element if _find(element, "Amt") is not None else _find(element, "AmtDtls/TxAmt")
    micros = entry.micros
    if several and inner is not None and _find(inner, "Amt") is not None:
        size, own = _money(at, inner)
        if own == entry.currency:
            micros = -size if entry.micros < 0 else size
    own_reference = _text(element, "Refs/AcctSvcrRef")
    payer, account = _counterparty(element, entry.micros < 0)
    end_to_end = _text(element, "Refs/EndToEndId")
    return replace(
        entry,
        id=own_reference or entry.id,
        micros=micros,
        reference=(_remittance(element) or entry.reference)[:MOST_TEXT],
        payer=payer[:MOST_TEXT],
        payer_account=account[:MOST_TEXT],
        reversal=entry.reversal or _find(element, "RtrInf") is not None,
        end_to_end="" if end_to_end == "NOTPROVIDED" else end_to_end[:MOST_TEXT],
        bank_reference=own_reference or ("" if several else entry.bank_reference),
    )


def _counterparty(element: Element, went_out: bool) -> tuple[str, str]:
    """Who paid, or who was paid, and at which account."""
    sides = ("Cdtr", "Dbtr") if went_out else ("Dbtr",)
    for side in sides:
        found = _find(element, f"RltdPties/{side}")
        if found is not None:
            name = _text(found, "Nm") or _text(found, "Pty/Nm")
            return name, _text(element, f"RltdPties/{side}Acct/Id/IBAN")
    return "", ""


def _remittance(element: Element) -> str:
    """What the payer wrote: structured references first, then the free words."""
    info = _find(element, "RmtInf")
    words = []
    if info is not None:
        words += [_text(s, "CdtrRefInf/Ref") for _, s in _numbered(info, "Strd")]
        words += [_text(s, "RfrdDocInf/Nb") for _, s in _numbered(info, "Strd")]
        words += [(u.text or "").strip() for _, u in _numbered(info, "Ustrd")]
    words.append(_text(element, "AddtlNtryInf") or _text(element, "Refs/EndToEndId"))
    return " ".join(word for word in words if word and word != "NOTPROVIDED")


def _check_totals(at: Place, element: Element, entries: list[BankEntry], currency: str) -> None:
    summary = _find(element, "TxsSummry")
    if summary is None:
        return
    came = [e.micros for e in entries if e.micros > 0]
    went = [-e.micros for e in entries if e.micros < 0]
    booked = Counter(
        _text(entry, "CdtDbtInd")
        for _, entry in _numbered(element, "Ntry")
        if (_text(entry, "Sts/Cd") or _text(entry, "Sts") or "BOOK") == "BOOK"
    )
    for tag, parts in (("TtlNtries", came + went), ("TtlCdtNtries", came), ("TtlDbtNtries", went)):
        total = _find(summary, tag)
        if total is None:
            continue
        said = _text(total, "Sum")
        if said:
            at.agree(f"TxsSummry/{tag}/Sum", at.micros(tag, said, currency), sum(parts), currency)
        count = _text(total, "NbOfNtries")
        found = {"TtlNtries": sum(booked.values()), "TtlCdtNtries": booked["CRDT"]}.get(
            tag, booked["DBIT"]
        )
        if count and count != str(found):
            raise at.checksum(f"TxsSummry/{tag}/NbOfNtries", f"{count} entries", str(found))


def _signed(at: Place, element: Element) -> tuple[int, str]:
    micros, currency = _money(at, element)
    sign = _text(element, "CdtDbtInd")
    if sign not in ("CRDT", "DBIT"):
        raise at.bad("CdtDbtInd", f"{sign!r} is neither CRDT nor DBIT")
    return (micros if sign == "CRDT" else -micros), currency


def _money(at: Place, element: Element) -> tuple[int, str]:
    amount = _find(element, "Amt")
    if amount is None:
        raise at.bad("Amt", "there is no amount")
    currency = at.currency("Amt/@Ccy", amount.get("Ccy", ""))
    micros = at.micros("Amt", (amount.text or "").strip(), currency)
    if micros < 0:
        raise at.bad("Amt", f"{(amount.text or '').strip()} has a sign; CdtDbtInd says which way")
    return micros, currency


def _date(element: Element, path: str) -> str:
    return _text(element, f"{path}/Dt") or _text(element, f"{path}/DtTm")


def _text(element: Element, path: str) -> str:
    found = _find(element, path)
    return "" if found is None else (found.text or "").strip()


def _find(element: Element, path: str) -> Element | None:
    return next((found for _, found in _numbered(element, path)), None)


def _numbered(element: Element, path: str) -> list[tuple[int, Element]]:
    """The elements at a path of local names; `Stmt` is found at any depth."""
    if path == "Stmt":
        return list(enumerate((e for e in element.iter() if _local(e) == "Stmt"), 1))
    level = [element]
    for name in path.split("/"):
        level = [child for parent in level for child in parent if _local(child) == name]
    return list(enumerate(level, 1))


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""

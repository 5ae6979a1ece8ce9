"""One payment that two files tell of is booked once; two payments that look alike are two."""

from dataclasses import replace

import pytest

from comptoir.billing.bank_csv import read_csv
from comptoir.billing.bank_files import BankEntry
from comptoir.billing.camt import read_camt
from comptoir.billing.receipts import Payment, PaymentState
from comptoir.desk.operations.money.receipts import ReceiptsRecorded
from comptoir.desk.receipt_requests import BookPayment, RecordReceipts
from comptoir.leases.lease import LeaseClass
from comptoir.ledger import entries as ledger
from comptoir.tenants.entities import HOUSE_ENTITY
from comptoir.units.errors import Refused
from comptoir.units.time import format_day
from tests.billing.test_bank_files import IBAN
from tests.builders import START_MS, Book
from tests.desk.test_receipts import CENT, TEN_DOLLARS, balance, invoiced, no, status

DAY = format_day(START_MS - START_MS % 86_400_000)
ACCOUNT = IBAN.replace(" ", "")


@pytest.fixture
def shop(book: Book) -> Book:
    book.price(LeaseClass.SPOT, TEN_DOLLARS)
    book.supply(8)
    return book


def csv(*rows: str, header: str = "date,amount,currency,reference,payer") -> str:
    return "\n".join((header, *rows)) + "\n"


def camt(*entries: str, statement: str = "S-1", closing: str) -> bytes:
    return (
        "<Document><BkToCstmrStmt><Stmt>"
        f"<Id>{statement}</Id><Acct><Id><IBAN>{ACCOUNT}</IBAN></Id><Ccy>USD</Ccy></Acct>"
        '<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="USD">0</Amt>'
        '<CdtDbtInd>CRDT</CdtDbtInd></Bal><Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>'
        f'<Amt Ccy="USD">{closing}</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>{"".join(entries)}'
        "</Stmt></BkToCstmrStmt></Document>"
    ).encode()  # fmt: skip


def ntry(amount: str, words: str, own: str = "", e2e: str = "NOTPROVIDED") -> str:
    given = f"<AcctSvcrRef>{own}</AcctSvcrRef>" if own else ""
    return (
        f'<Ntry><Amt Ccy="USD">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<ValDt><Dt>{DAY}</Dt></ValDt>{given}<NtryDtls><TxDtls><Refs><EndToEndId>{e2e}"
        "</EndToEndId></Refs><RltdPties><Dbtr><Nm>Acme Robotics SAS</Nm></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>{words}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def file(shop: Book, text: str | bytes) -> ReceiptsRecorded:
    """All statements of a file, as the door books them."""
    found = read_camt("f", text) if isinstance(text, bytes) else read_csv("f", text)
    name = str(hash(text))
    made: tuple[Payment, ...] = ()
    repeated = outgoing = 0
    for one in found:
        request = RecordReceipts(HOUSE_ENTITY, one.id, one.account, one.entries, name)
        done = shop.desk.call("record_receipts", request, shop.finance)
        made, repeated = made + done.payments, repeated + done.repeated
        outgoing += done.outgoing
    return ReceiptsRecorded(made, repeated, outgoing)


def states(done: ReceiptsRecorded) -> list[PaymentState]:
    return [payment.state for payment in done.payments]


def test_a_payment_of_a_csv_file_is_not_booked_again_from_camt(shop: Book) -> None:
    invoice = invoiced(shop)
    [first] = file(shop, csv(f"{DAY},10.00,USD,{invoice.number},Acme Robotics")).payments
    again = file(shop, camt(ntry("10.00", f"{invoice.number}", "B-1"), closing="10.00"))
    assert states(again) == [PaymentState.DUPLICATE]
    assert again.payments[0].about == first.id
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 1_000
    assert balance(shop, ledger.customer_credit(invoice.tenant_id)) == 0
    # the same file again knows it already
    assert file(
        shop, camt(ntry("10.00", f"{invoice.number}", "B-1"), closing="10.00")
    ).repeated == 1  # fmt: skip


def test_the_payers_own_reference_tells_what_is_the_same(shop: Book) -> None:
    head = "date,amount,currency,reference,end_to_end"
    file(shop, csv(f"{DAY},5.00,USD,thanks a lot,E-1", header=head))
    done = file(
        shop,
        camt(ntry("5.00", "THANKS", e2e="E-1"), ntry("5.00", "thanks a lot", e2e="E-2"),
             closing="10.00"),
    )  # fmt: skip
    assert states(done) == [PaymentState.DUPLICATE, PaymentState.UNIDENTIFIED]


def test_two_equal_payments_of_one_file_are_two_and_each_is_recognised_once(shop: Book) -> None:
    row = f"{DAY},3.00,USD,seat,Ann"
    assert states(file(shop, csv(row, row))) == [PaymentState.UNIDENTIFIED] * 2
    three = camt(ntry("3.00", "seat"), ntry("3.00", "seat"), ntry("3.00", "seat"), closing="9.00")
    named = three.replace(b"Acme Robotics SAS", b"Ann")
    # the two are recognised; the third is another payment
    assert states(file(shop, named)) == [
        PaymentState.DUPLICATE,
        PaymentState.DUPLICATE,
        PaymentState.UNIDENTIFIED,
    ]
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 900


def test_another_payers_equal_payment_is_another(shop: Book) -> None:
    file(shop, csv(f"{DAY},3.00,USD,seat,Ann"))
    assert states(file(shop, csv(f"{DAY},3.00,USD,seat,Bob"))) == [PaymentState.UNIDENTIFIED]


def test_equal_entries_of_two_statements_are_both_kept(shop: Book) -> None:
    one = camt(ntry("3.00", "seat"), statement="S-1", closing="3.00")
    two = camt(ntry("3.00", "seat"), statement="S-2", closing="3.00")
    both = one.replace(b"</Stmt>", b"</Stmt>" + two.partition(b"<BkToCstmrStmt>")[2].partition(
        b"</BkToCstmrStmt>")[0])  # fmt: skip
    assert states(file(shop, both)) == [PaymentState.UNIDENTIFIED] * 2
    # told of by another file, each is flagged; nothing is silently lost
    apart = file(shop, two.replace(b"S-2", b"S-3"))
    assert (states(apart), apart.repeated) == ([PaymentState.DUPLICATE], 0)


def test_a_banks_reference_that_it_gives_again_to_another_amount_is_another_payment(
    shop: Book,
) -> None:
    file(shop, camt(ntry("3.00", "seat", "B-1"), statement="S-1", closing="3.00"))
    other = file(shop, camt(ntry("4.00", "desk", "B-1"), statement="S-2", closing="4.00"))
    assert states(other) == [PaymentState.UNIDENTIFIED]
    assert balance(shop, ledger.cash(HOUSE_ENTITY)) == 700


def test_what_was_flagged_is_booked_when_somebody_says_that_it_is_another(shop: Book) -> None:
    invoice = invoiced(shop)
    row = f"{DAY},4.00,USD,{invoice.number},Acme"
    file(shop, csv(row))
    [flagged] = file(shop, csv(row, f"{DAY},0.01,USD,x,")).payments[:1]
    assert status(shop, invoice).open_micros == 600 * CENT
    booked = shop.desk.call("book_payment", BookPayment(flagged.id), shop.finance)
    assert (booked.id, booked.state, booked.about) == (flagged.id, PaymentState.PARTIAL, "")
    assert status(shop, invoice).open_micros == 200 * CENT
    assert no(shop, "book_payment", BookPayment(flagged.id)).code == "not_a_duplicate"


def test_a_restart_knows_what_was_flagged(shop: Book) -> None:
    row = f"{DAY},4.00,USD,seat,Ann"
    file(shop, csv(row))
    shop.desk.reload()
    assert states(file(shop, csv(row, f"{DAY},0.01,USD,x,")))[0] is PaymentState.DUPLICATE


def test_a_file_that_the_ledger_cannot_hold_is_refused_whole(shop: Book) -> None:
    much = [BankEntry(f"e{n}", START_MS, 10**17, "USD", "x", "") for n in range(47)]
    request = RecordReceipts(HOUSE_ENTITY, "s", "", tuple(much))
    with pytest.raises(Refused, match="bank_file_too_large"):
        shop.desk.call("record_receipts", request, shop.finance)
    assert not shop.desk.broken
    shop.desk.call("record_receipts", replace(request, entries=tuple(much[:40])), shop.finance)
    more = replace(request, statement="t", entries=tuple(much[40:]))
    with pytest.raises(Refused, match=r"with the 4000000000000\.00 that the account holds"):
        shop.desk.call("record_receipts", more, shop.finance)
    assert not shop.desk.broken

"""Bank files are read exactly, and refused where their own controls do not hold."""

import pytest

from comptoir.billing.bank_csv import read_csv
from comptoir.billing.camt import read_camt
from comptoir.units.errors import Invalid

DAY_MS = 1_801_267_200_000  # 2027-01-30
IBAN = "DE89 3704 0044 0532 0130 00"


def entry(amount: str, reference: str, sign: str = "CRDT", more: str = "", status: str = "BOOK"):
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        f"<Sts><Cd>{status}</Cd></Sts><ValDt><Dt>2027-01-30</Dt></ValDt>{more}"
        f"<NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>Acme GmbH</Nm></Pty></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>{reference}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )


def statement(*entries: str, closing: str = "150.00", summary: str = "") -> bytes:
    return (
        '<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        "<BkToCstmrStmt><Stmt><Id>S-7</Id>"
        f"<Acct><Id><IBAN>{IBAN.replace(' ', '')}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        '<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">100.00</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd></Bal>"
        f'<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{closing}</Amt>'
        f"<CdtDbtInd>CRDT</CdtDbtInd></Bal>{summary}{''.join(entries)}"
        "</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def test_a_statement_is_read_with_its_balances() -> None:
    [read] = read_camt("jan.xml", statement(entry("60.00", "ACME-2027-000001"),
                                            entry("10.00", "fee", "DBIT")))  # fmt: skip
    assert (read.account, read.currency) == ("DE89370400440532013000", "EUR")
    assert [(e.micros, e.reference, e.payer, e.day_ms) for e in read.entries] == [
        (60_000_000, "ACME-2027-000001", "Acme GmbH", DAY_MS),
        (-10_000_000, "fee", "Acme GmbH", DAY_MS),
    ]


def test_entries_that_are_not_booked_yet_are_passed_over() -> None:
    [read] = read_camt("jan.xml", statement(entry("50.00", "x"), entry("9.00", "y", status="PDNG")))
    assert [e.micros for e in read.entries] == [50_000_000]


def test_a_closing_balance_that_the_entries_do_not_make_is_refused() -> None:
    with pytest.raises(Invalid, match="bank_file_checksum") as caught:
        read_camt("jan.xml", statement(entry("49.99", "x")))
    assert caught.value.message == (
        "jan.xml: Stmt[1]/Bal[CLBD]: the file says 150.00 EUR, its entries make 149.99 EUR"
    )


@pytest.mark.parametrize(
    ("summary", "place"),
    [
        ("<TtlNtries><NbOfNtries>2</NbOfNtries><Sum>50.00</Sum></TtlNtries>", "NbOfNtries"),
        ("<TtlNtries><NbOfNtries>1</NbOfNtries><Sum>51.00</Sum></TtlNtries>", "TtlNtries/Sum"),
        ("<TtlCdtNtries><Sum>49.00</Sum></TtlCdtNtries>", "TtlCdtNtries/Sum"),
        ("<TtlDbtNtries><Sum>1.00</Sum></TtlDbtNtries>", "TtlDbtNtries/Sum"),
    ],
)
def test_control_totals_are_checked(summary: str, place: str) -> None:
    with pytest.raises(Invalid, match=f"bank_file_checksum.*{place}"):
        read_camt("j", statement(entry("50.00", "x"), summary=f"<TxsSummry>{summary}</TxsSummry>"))


def test_a_batch_is_one_payment_each_and_adds_up() -> None:
    part = '<TxDtls><Amt Ccy="EUR">{0}</Amt><RmtInf><Ustrd>{1}</Ustrd></RmtInf></TxDtls>'
    batch = (
        '<Ntry><Amt Ccy="EUR">50.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>'
        "<BookgDt><DtTm>2027-01-30T09:00:00Z</DtTm></BookgDt><AcctSvcrRef>B1</AcctSvcrRef><NtryDtls>"
        f"{part.format('20.00', 'one')}{part.format('{0}', 'two')}</NtryDtls></Ntry>"
    )
    [read] = read_camt("j", statement(batch.format("30.00")))
    assert [(e.micros, e.reference) for e in read.entries] == [
        (20_000_000, "one"),
        (30_000_000, "two"),
    ]
    assert len({e.id for e in read.entries}) == 2
    with pytest.raises(Invalid, match=r"bank_file_checksum.*Ntry\[1\]/Amt"):
        read_camt("j", statement(batch.format("29.00")))


def test_a_file_read_twice_gives_the_same_ids_and_equals_have_their_own() -> None:
    data = statement(entry("25.00", "same"), entry("25.00", "same"))
    first, again = (read_camt(name, data)[0].entries for name in ("a", "b"))
    assert first == again
    assert first[0].id != first[1].id


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not XML"),
        (b"<Document/>", "no statement"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Document>&b;</Document>', "document type"),
        (statement(entry("5,00", "x")), "'5,00' is not an amount"),
        (statement(entry("50.001", "x")), "50.001 has 3 decimals; EUR has 2"),
        (statement(entry("-50.00", "x")), "has a sign"),
        (statement(entry("50.00", "x", "PLUS")), "neither CRDT nor DBIT"),
        (statement(entry("50.00", "x")).replace(b'Ccy="EUR">50', b'Ccy="XXX">50'), "XXX"),
        (statement(entry("50.00", "x")).replace(b"2027-01-30", b"30.01.2027"), "is not a date"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(data: bytes, what: str) -> None:
    with pytest.raises(Invalid, match="bad_bank_file") as caught:
        read_camt("jan.xml", data)
    assert what in caught.value.message and caught.value.message.startswith("jan.xml: ")


def test_an_account_is_checked_by_its_digits() -> None:
    with pytest.raises(Invalid, match="bad_iban"):
        read_camt("j", statement(entry("50.00", "x")).replace(b"DE89", b"DE88"))


HEADER = "date,amount,currency,reference,payer\n"


def test_a_csv_is_read_and_its_total_is_checked() -> None:
    rows = HEADER + "2027-01-30,60.00,EUR,ACME-2027-000001,Acme\n2027-01-30,-1.50,EUR,fee,\n"
    [read] = read_csv("b.csv", rows + "total,58.50,EUR,2,\n")
    assert [(e.micros, e.payer) for e in read.entries] == [(60_000_000, "Acme"), (-1_500_000, "")]
    with pytest.raises(Invalid, match=r"b.csv:4: amount: the file says 58.00 EUR"):
        read_csv("b.csv", rows + "total,58.00,EUR,2,\n")
    with pytest.raises(Invalid, match=r"b.csv:4: reference: the file says 3 entries"):
        read_csv("b.csv", rows + "total,58.50,EUR,3,\n")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "1: date: there is no column 'date'; there are none"),
        ("date,amount,reference\n", "1: currency: there is no column"),
        (HEADER + "2027-01-30,1.00,EURO,x,\n", "2: currency: 'EURO' is not a currency"),
        (HEADER + "2027-01-30,1.005,EUR,x,\n", "2: amount: 1.005 has 3 decimals"),
        (HEADER + "yesterday,1.00,EUR,x,\n", "2: date: 'yesterday' is not a date"),
        (HEADER + "total,0.00,EUR,0,\n2027-01-30,1.00,EUR,x,\n", "3: date: a row of entries"),
        (
            HEADER + "2027-01-30,1.00,EUR,x,Acme,more\n",
            "2: it has 6 values, and the header names 5",
        ),
        (HEADER + "2027-01-30,1.00,EUR\n", "2: it has 3 values, and the header names 5"),
        (HEADER + "total,0.00,EUR\n", "2: it has 3 values, and the header names 5"),
        ("date,amount,date,currency,reference\n", "1: date: the header names 'date' 2 times"),
        ("date,amount,Amount,currency,reference\n", "1: amount: the header names 'amount' 2 times"),
        (HEADER + "1900-10-01,1.00,EUR,x,\n", "2: date: 1900-10-01 is before 2000-01-01"),
    ],
)
def test_a_csv_that_is_wrong_is_refused_by_line_and_field(text: str, what: str) -> None:
    with pytest.raises(Invalid, match="bad_bank_file") as caught:
        read_csv("b.csv", text)
    assert caught.value.message.startswith(f"b.csv:{what}")


def test_a_row_may_end_in_empty_columns_that_the_header_does_not_name() -> None:
    [read] = read_csv("b.csv", HEADER + "2027-01-30,1.00,EUR,x,Acme,,\n")
    assert [e.payer for e in read.entries] == ["Acme"]


def test_a_banks_own_words_for_columns_are_taken() -> None:
    text = "Valuta;no\n".replace(";no", ",Betrag,Whg,Zweck") + "2027-01-30,2.00,EUR,x\n"
    words = {"date": "Valuta", "amount": "Betrag", "currency": "Whg", "reference": "Zweck"}
    assert read_csv("b.csv", text, words)[0].entries[0].micros == 2_000_000


def test_counts_of_what_came_and_went_are_checked_and_one_id_for_two_amounts_is_two() -> None:
    summary = "<TxsSummry><TtlCdtNtries><NbOfNtries>7</NbOfNtries></TtlCdtNtries></TxsSummry>"
    with pytest.raises(Invalid, match=r"bank_file_checksum.*TtlCdtNtries/NbOfNtries"):
        read_camt("j", statement(entry("50.00", "x"), summary=summary))
    given = "<AcctSvcrRef>A</AcctSvcrRef>"
    two = statement(entry("20.00", "x", more=given), entry("30.00", "y", more=given))
    assert [e.id for e in read_camt("j", two)[0].entries] == ["A", "A#2"]


def test_an_amount_that_no_bank_moves_is_refused() -> None:
    with pytest.raises(Invalid, match=r"b.csv:2: amount: 900000000000.00 is more than any bank"):
        read_csv("b.csv", HEADER + "2027-01-30,900000000000.00,EUR,x,\n")


def test_a_file_with_semicolons_and_decimal_commas_is_read() -> None:
    text = (
        "Valuta;Betrag;Währung;Verwendungszweck\n"
        '30.01.2027;1.234,56;EUR;"ACME-2027-000001; thanks"\n'
        "30/01/2027;-1 000,5;EUR;fee\n"
        "total;234,06;EUR;2\n"
    )
    words = {"date": "Valuta", "amount": "Betrag", "currency": "Währung"}
    [read] = read_csv("b.csv", text, {**words, "reference": "Verwendungszweck"})
    assert [(e.micros, e.day_ms, e.reference) for e in read.entries] == [
        (1_234_560_000, DAY_MS, "ACME-2027-000001; thanks"),
        (-1_000_500_000, DAY_MS, "fee"),
    ]
    with pytest.raises(Invalid, match=r"b.csv:4: amount: the file says 234.07 EUR"):
        read_csv("b.csv", text.replace("234,06", "234,07"),
                 {**words, "reference": "Verwendungszweck"})  # fmt: skip
    with pytest.raises(Invalid, match=r"there is no column 'date'; there are valuta, betrag"):
        read_csv("b.csv", text)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("2027-01-30;1.234;EUR;x", "2: amount: 1.234 has 3 decimals"),
        ("2027-01-30;1,23,4;EUR;x", "2: amount: '1,23,4' is not an amount"),
        ("2027-01-30;12.34,50;EUR;x", "2: amount: '12.34,50' is not an amount"),
        ("31.02.2027;1,00;EUR;x", "2: date: '2027-02-31' is not a date"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(row: str, what: str) -> None:
    with pytest.raises(Invalid, match="bad_bank_file") as caught:
        read_csv("b.csv", f"date;amount;currency;reference\n{row}\n")
    assert caught.value.message.startswith(f"b.csv:{what}")
    with pytest.raises(Invalid, match="is not a date"):  # the month or the day first?
        read_csv("b.csv", "date,amount,currency,reference\n03/04/2027,1.00,EUR,x\n")


def test_a_csv_says_whose_account_it_is_of_and_what_is_taken_back() -> None:
    head = "date,amount,currency,reference,account,reversal,end_to_end,id\n"
    row = "2027-01-30,{0},EUR,x,{1},{2},E1,{3}\n"
    text = head + row.format("1.00", IBAN, "", "B1") + row.format("-1.00", "other", "yes", "B2")
    mine, other = read_csv("b.csv", text)
    assert (mine.account, other.account) == ("DE89370400440532013000", "other")
    assert [(e.reversal, e.end_to_end, e.bank_reference) for e in mine.entries + other.entries] == [
        (False, "E1", "B1"),
        (True, "E1", "B2"),
    ]
    [plain] = read_csv("b.csv", HEADER + "2027-01-30,-1.00,EUR,x,\n")
    assert plain.entries[0].reversal is None
    with pytest.raises(Invalid, match="bad_iban"):
        read_csv("b.csv", text.replace("DE89", "DE88"))
    with pytest.raises(Invalid, match=r"b.csv:3: reversal: 'maybe' is neither yes nor no"):
        read_csv("b.csv", text.replace("yes", "maybe"))


def test_a_return_is_told_by_its_return_information() -> None:
    came = entry("60.00", "x").replace(
        "<TxDtls>", "<TxDtls><Refs><EndToEndId>E1</EndToEndId></Refs>"
    )
    went = came.replace("CRDT", "DBIT").replace(
        "<RmtInf>", "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf><RmtInf>"
    )
    [read] = read_camt("j", statement(came, went, closing="100.00"))
    assert [(e.micros // 10**6, e.reversal, e.end_to_end) for e in read.entries] == [
        (60, False, "E1"),
        (-60, True, "E1"),
    ]

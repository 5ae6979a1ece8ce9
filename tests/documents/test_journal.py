"""The exported ledger: another program finds that it balances, and that nothing is missing."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.api.exports import journal_of
from comptoir.documents.journal import TYPES, account_name, commodity_name, journal_text
from comptoir.ledger import entries as ledger
from comptoir.ledger.entries import Account, Entry, Unit
from comptoir.simulation.run import simulate_schedule
from comptoir.simulation.template import book_place
from comptoir.store.views.journal import journal
from comptoir.store.views.reading import Views
from comptoir.units.recurrence import DAY_MS

NOW_MS = 1_793_491_200_000
POSTING = re.compile(r"^  (\S+)  (-?\d+\.\d{6}) (\S+)$", re.MULTILINE)
SEEDS = (23, 6, 41)


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    """What `bean-check` says of a file: GPL, so it runs as a program of its own."""
    run = [sys.executable, "-c", "from beancount.scripts.check import main; main()", "--no-cache"]
    return subprocess.run([*run, str(path)], capture_output=True, text=True, timeout=120)


@pytest.fixture(params=SEEDS)
def views(request: pytest.FixtureRequest) -> Views:
    """A book of customers, contracts, closes, payments and failures, as the simulator leaves it."""
    assert not simulate_schedule(request.param).problems
    return Views(book_place().engine)


def sums(text: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for account, amount, commodity in POSTING.findall(text):
        found[account, commodity] += int(amount.replace(".", ""))
    return {key: total for key, total in found.items() if total}


@pytest.mark.parametrize("daily", [False, True])
def test_bean_check_accepts_the_book_of_a_simulated_time(
    views: Views, daily: bool, tmp_path: Path
) -> None:
    text = "".join(journal_of(views, NOW_MS, daily))
    file = tmp_path / "ledger.beancount"
    file.write_text(text)
    said = checked(file)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    assert len(POSTING.findall(text)) > 20
    file.write_text(POSTING.sub(r"  \1  7.000000 \3", text, count=1))
    assert checked(file).returncode != 0


def test_every_account_ends_with_what_the_book_says_it_holds(views: Views) -> None:
    with views.reading() as connection:
        kept = connection.exec_driver_sql("SELECT account, unit, amount FROM balance").all()
    expected = {
        (account_name(account), commodity_name(unit)): amount * (10**6 if ":" in unit else 1)
        for account, unit, amount in kept
        if amount
    }
    for daily in (False, True):
        assert sums("".join(journal_of(views, NOW_MS, daily))) == expected


def test_an_export_again_is_the_same_file_and_days_are_fewer_than_entries(views: Views) -> None:
    first, again = ("".join(journal_of(views, NOW_MS)) for _ in range(2))
    assert first == again
    with journal(views, daily=True) as by_day, journal(views, daily=False) as each:
        assert len(list(by_day.entries)) < each.count == len(list(each.entries))


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(TYPES)), st.text(min_size=1, max_size=30)), unique=True
    )
)
def test_two_accounts_never_have_one_name_and_every_name_is_beancount_s(
    named: list[tuple[str, str]],
) -> None:
    accounts = [Account(f"{kind}:{of}") for kind, of in named]
    names = [account_name(account) for account in accounts]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Z][A-Za-z]+(:[A-Z0-9][A-Za-z0-9-]*)+", name)


@given(st.sets(st.from_regex(r"[a-z][a-z0-9._-]{0,40}", fullmatch=True)))
def test_two_kinds_never_have_one_commodity(kinds: set[str]) -> None:
    names = [commodity_name(ledger.accelerator_ms(kind)) for kind in kinds]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]", name)


def test_every_account_of_the_ledger_has_its_kind() -> None:
    module = vars(ledger)
    makers = [
        module[name]
        for name in module
        if getattr(module[name], "__module__", "") == ledger.__name__
    ]
    made = {
        str(maker("x")).partition(":")[0]
        for maker in makers
        if getattr(maker, "__annotations__", {}).get("return") is Account
    }
    fixed = {value for name, value in module.items() if name.isupper() and isinstance(value, str)}
    assert (made | fixed) == set(TYPES)


def test_words_that_would_break_the_file_are_escaped(tmp_path: Path) -> None:
    words = 'a "quoted" \\ word\n2026-01-01 open Assets:Cash ; 株式会社'
    legs = ledger.transfer(
        ledger.cash("le_1"), Account(f"supplier_payable:{words}"), Unit("USD"), 7
    )
    entry = Entry(1, words, "payment", words, DAY_MS, DAY_MS, legs)
    text = journal_text([leg.account for leg in legs], [entry], DAY_MS, ["made by a test"])
    file = tmp_path / "words.beancount"
    file.write_text("".join(text))
    assert checked(file).returncode == 0, checked(file).stderr

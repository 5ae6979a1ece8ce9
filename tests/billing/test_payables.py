"""What is owed to suppliers adds up, and what is due first is paid first."""

from hypothesis import given
from hypothesis import strategies as st

from comptoir.billing.payables import Moved, open_payables
from comptoir.units.ids import ContractId
from comptoir.units.time import parse_instant

ONE, TWO = ContractId("ct_1"), ContractId("ct_2")
DAYS = {ONE: 30, TWO: 10}
USD = 1_000_000


def at(day: str) -> int:
    return parse_instant(f"{day}T00:00:00Z")


def test_use_of_a_month_is_one_item_and_an_instalment_is_its_own() -> None:
    moves = [
        Moved(at("2026-10-01"), ONE, 600 * USD, ahead=True),
        Moved(at("2026-10-02"), ONE, 120 * USD),
        Moved(at("2026-10-03"), ONE, 120 * USD),
        Moved(at("2026-11-01"), ONE, 50 * USD),
    ]
    assert [(p.micros // USD, p.ahead, p.due_at_ms) for p in open_payables(moves, DAYS)] == [
        (600, True, at("2026-10-31")),
        (240, False, at("2026-11-02")),
        (50, False, at("2026-12-01")),
    ]


def test_a_payment_goes_to_what_is_due_first() -> None:
    moves = [
        Moved(at("2026-10-01"), ONE, 600 * USD),
        Moved(at("2026-10-05"), TWO, 100 * USD),
        Moved(at("2026-10-06"), ONE, -150 * USD),
    ]
    # TWO is due on the 15th and ONE on the 31st: 100 of the 150 are TWO's, 50 ONE's
    [left] = open_payables(moves, DAYS)
    assert (left.contract_id, left.micros) == (ONE, 550 * USD)


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from((ONE, TWO)), st.integers(-500, 500)),
        max_size=30,
    )
)
def test_what_is_open_adds_up_to_the_ledger(rows: list[tuple[int, ContractId, int]]) -> None:
    moves = [Moved(day * 86_400_000, contract, micros) for day, contract, micros in rows]
    left = sum(payable.micros for payable in open_payables(moves, DAYS))
    assert left == max(sum(move.micros for move in moves), 0)

"""HiGHS: the linear program first, then a search among whole numbers beside its answer.

The linear program's answer bounds every plan from above. The search leaves the most promising
places open, and what goes where up to one above what the linear program says then; in a small
program all of it is searched too. All of them stop on iterations and nodes with a fixed seed, never
on time: the same program has the same answer. HiGHS comes with the extra `comptoir[plan]` (MIT;
3 MB, and numpy, which is there).
Source: https://highs.dev, and the measurements in DESIGN.md's words on solvers.
"""

import math
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from comptoir.placement.rebalance.program import Program, Solution
from comptoir.units.errors import invariant

SMALL = 3_000
"""Columns up to which the whole program is searched if the restricted one leaves a gap."""
FOR_SIMPLEX = 20_000
"""Columns up to which the simplex method is the faster one."""
GOOD_ENOUGH = 0.0005
LARGE_GAP = 0.003
MOST_ITERATIONS = 2_000_000
MOST_NODES = 2_000
MOST_NODES_SMALL = 10_000
MORE_OPEN = 1.5
"""How many places are left open at first, of those that the linear program has chosen in all."""
NARROWED = 2
SEED = 1
_WHOLE = 1e-6


def _highspy() -> Any:
    return import_module("highspy")


def can_solve() -> bool:
    """Whether the extra is installed."""
    return find_spec("highspy") is not None


def solve(program: Program) -> Solution:
    """The best whole numbers that are found, and the bound.

    Raises:
        ImportError: the extra `comptoir[plan]` is not installed.
    """
    if not program.cost:
        return Solution((), program.constant, "nothing to decide")
    lower, upper = np.array(program.lower), np.array(program.upper)
    relaxed = _run(program, lower, upper)
    bound = relaxed.objective
    invariant(relaxed.values is not None, f"the linear program ended as {relaxed.status}")
    found = _search(program, lower, upper, relaxed.values)
    how = f"linear program of {len(program.cost):,} columns, then whole numbers beside its answer"
    if _gap(bound, found) > GOOD_ENOUGH and len(program.cost) <= SMALL:
        entire = _run(program, lower, upper, MOST_NODES_SMALL)
        bound = min(bound, entire.bound)
        found = max(found, entire, key=lambda ran: ran.objective)
        how = f"integer program of {len(program.cost):,} columns"
    if found.values is None:
        return Solution(None, bound + program.constant, how)
    whole = np.rint(found.values).astype(np.int64)
    off = float(np.max(np.abs(found.values - whole)[program.whole], initial=0.0))
    invariant(off < 1e-3, f"a whole number of the answer is off by {off}")
    return Solution(whole.tolist(), bound + program.constant, how)


def _search(program: Program, lower: Any, upper: Any, relaxed: Any) -> "_Ran":
    """Whole numbers beside the linear program's answer.

    It chooses a little of every place, which no whole number does. So twice fewer places are left
    open, the most promising and then those that it chooses among these, and the others are where
    things go; what it answers then is nearly whole, and is searched up to one above.
    """
    lower, upper = lower.copy(), upper.copy()
    held = [at for at in program.kept if relaxed[at] > _WHOLE]
    lower[held] = upper[held]
    order = np.array(program.choices, dtype=np.int64)
    answer, more = relaxed, MORE_OPEN
    for _ in range(NARROWED):
        open_now = math.ceil(more * float(answer[order].sum()) - _WHOLE) + 1
        upper[order[open_now:]] = 0.0
        ran = _run(program, lower, upper)
        if ran.values is None:
            return ran
        answer, more = ran.values, 1.0
        order = order[np.argsort(-np.round(answer[order], 3), kind="stable")]
    places = np.zeros(len(program.cost), dtype=np.bool_)
    places[program.choices] = True
    if len(program.cost) > SMALL:  # what is chosen whole already stays so
        sure = order[answer[order] > 1 - _WHOLE]
        lower[sure] = upper[sure]
    ran = _run(program, lower, upper, MOST_NODES, places)  # what flows is not whole yet
    if ran.values is None:
        return ran
    lower[order] = upper[order] = np.rint(ran.values[order])
    near = np.ceil(ran.values - _WHOLE)
    near = np.maximum(np.minimum(upper, np.where(near > 0, near + 1, 0)), lower)
    found = _run(program, lower, np.where(program.whole, near, upper), MOST_NODES)
    if found.values is None:  # what is chosen flows in no whole numbers: some of it may stay
        lower[order] = 0.0
        found = _run(program, lower, upper, MOST_NODES)
    return found


class _Ran:
    """What one run of the solver left."""

    def __init__(self, highs: Any, whole: bool) -> None:
        info = highs.getInfo()
        self.status = str(highs.getModelStatus())
        there = info.primal_solution_status == 2  # kSolutionStatusFeasible
        self.objective = float(info.objective_function_value) if there else -np.inf
        self.bound = float(info.mip_dual_bound) if whole else self.objective
        self.values = np.array(highs.getSolution().col_value) if there else None


def _gap(bound: float, found: _Ran) -> float:
    if found.values is None:
        return 1.0
    return (bound - found.objective) / max(abs(bound), 1e-9)


def _run(program: Program, lower: Any, upper: Any, nodes: int = 0, whole: Any = None) -> _Ran:
    """Solve between two bounds: the linear program, or with so many nodes in whole numbers.

    `whole`: which columns are whole then; None: all that have to be.
    """
    highs = _highspy().Highs()
    for option, value in _options(len(program.cost), nodes).items():
        highs.setOptionValue(option, value)
    wanted = program.whole if whole is None else whole
    highs.passModel(_model(program, lower, upper, wanted if nodes else ()))
    highs.run()
    return _Ran(highs, nodes > 0)


def _options(columns: int, nodes: int) -> dict[str, Any]:
    options: dict[str, Any] = {
        "output_flag": False,
        "threads": 1,
        "random_seed": SEED,
        "simplex_iteration_limit": MOST_ITERATIONS,
        "ipm_iteration_limit": MOST_ITERATIONS,
        "mip_rel_gap": GOOD_ENOUGH / 2 if columns <= SMALL else LARGE_GAP,
    }
    if not nodes:
        return {**options, "solver": "simplex" if columns <= FOR_SIMPLEX else "ipm"}
    return {**options, "mip_max_nodes": nodes}


def _model(program: Program, lower: Any, upper: Any, whole: Any) -> Any:
    highspy = _highspy()
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(program.cost), len(program.low)
    if len(whole):
        kinds = highspy.HighsVarType
        model.integrality_ = [kinds.kInteger if w else kinds.kContinuous for w in whole]
    model.col_cost_, model.col_lower_, model.col_upper_ = np.array(program.cost), lower, upper
    model.row_lower_, model.row_upper_ = np.array(program.low), np.array(program.high)
    model.sense_ = highspy.ObjSense.kMaximize
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.num_col_, matrix.num_row_ = model.num_col_, model.num_row_
    matrix.start_ = np.array(program.starts, dtype=np.int32)
    matrix.index_ = np.array(program.columns, dtype=np.int32)
    matrix.value_ = np.array(program.values)
    return model

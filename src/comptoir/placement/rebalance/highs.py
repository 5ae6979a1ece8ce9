"""HiGHS: the linear program first, then a search among whole numbers beside its answer.

The linear program's answer bounds every plan from above. The search is restricted to the whole
numbers around it (floor to one above ceiling); in a small program what it leaves out is searched
too. Both stop on iterations and nodes with a fixed seed, never on time: the same program has the
same answer. HiGHS comes with the extra `comptoir[plan]` (MIT; 3 MB, and numpy, which is there).
Source: https://highs.dev, and the measurements in DESIGN.md's words on solvers.
"""

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
MOST_ITERATIONS = 2_000_000
MOST_NODES = 2_000
MOST_NODES_SMALL = 20_000
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
    relaxed = _run(program, None, whole=False, nodes=0)
    bound, at = relaxed.objective, relaxed.values
    invariant(at is not None, f"the linear program ended as {relaxed.status}")
    found = _run(program, at, whole=True, nodes=MOST_NODES)
    if found.values is None:  # nothing whole between floor and ceiling: let less be done
        found = _run(program, at, whole=True, nodes=MOST_NODES, floor=False)
    how = f"linear program of {len(program.cost):,} columns, then whole numbers beside its answer"
    if _gap(bound, found) > GOOD_ENOUGH and len(program.cost) <= SMALL:
        entire = _run(program, None, whole=True, nodes=MOST_NODES_SMALL)
        bound = min(bound, entire.bound)
        if entire.values is not None and entire.objective > found.objective:
            found = entire
        how = f"integer program of {len(program.cost):,} columns"
    if found.values is None:
        return Solution(None, bound + program.constant, how)
    whole = np.rint(found.values).astype(np.int64)
    off = float(np.max(np.abs(found.values - whole), initial=0.0))
    invariant(off < 1e-3, f"a whole number of the answer is off by {off}")
    return Solution(whole.tolist(), bound + program.constant, how)


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


def _run(program: Program, around: Any, whole: bool, nodes: int, floor: bool = True) -> _Ran:
    """Solve, with the columns held beside `around` if that is given."""
    highs = _highspy().Highs()
    for option, value in _options(len(program.cost), whole, nodes).items():
        highs.setOptionValue(option, value)
    highs.passModel(_model(program, around, whole, floor))
    highs.run()
    return _Ran(highs, whole)


def _options(columns: int, whole: bool, nodes: int) -> dict[str, Any]:
    options: dict[str, Any] = {
        "output_flag": False,
        "threads": 1,
        "random_seed": SEED,
        "simplex_iteration_limit": MOST_ITERATIONS,
        "ipm_iteration_limit": MOST_ITERATIONS,
        "mip_rel_gap": GOOD_ENOUGH / 2,
    }
    if not whole:
        return {**options, "solver": "simplex" if columns <= FOR_SIMPLEX else "ipm"}
    return {**options, "mip_max_nodes": nodes}


def _model(program: Program, around: Any, whole: bool, floor: bool) -> Any:
    highspy = _highspy()
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(program.cost), len(program.low)
    lower, upper = np.array(program.lower), np.array(program.upper)
    if around is not None:
        if floor:
            lower = np.maximum(lower, np.floor(around + _WHOLE))
        upper = np.maximum(np.minimum(upper, np.ceil(around - _WHOLE) + 1), lower)
    if whole:
        model.integrality_ = [highspy.HighsVarType.kInteger] * model.num_col_
        lower = np.ceil(lower - _WHOLE)
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

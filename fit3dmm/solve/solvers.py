"""One door to the solvers: which one minimises a problem is a value like any other setting."""

from fit3dmm.solve.first_order import LBFGS, Adam, solve_adam, solve_lbfgs
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt, solve_levenberg_marquardt
from fit3dmm.solve.problem import Problem
from fit3dmm.solve.solution import Solution

Solver = LevenbergMarquardt | LBFGS | Adam
"""The settings of a solver, which say also which one it is."""


def solve(
    problem: Problem, solver: Solver | None = None, begun: Solution | None = None
) -> Solution:
    """Minimise a problem. A failure is a reason in the solution and not an exception.

    Args:
        solver: `LevenbergMarquardt()` if left out.
        begun: what the first steps of this solver have made of it, where it can go on from there;
            the others begin anew.
    """
    match solver:
        case None:
            return solve_levenberg_marquardt(problem, LevenbergMarquardt(), begun)
        case LevenbergMarquardt():
            return solve_levenberg_marquardt(problem, solver, begun)
        case LBFGS():
            return solve_lbfgs(problem, solver)
        case Adam():
            return solve_adam(problem, solver)

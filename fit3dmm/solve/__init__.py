"""Robust least squares within bounds: problems, solvers, solutions. Knows tensors, not faces."""

from fit3dmm.solve.first_order import LBFGS as LBFGS
from fit3dmm.solve.first_order import Adam as Adam
from fit3dmm.solve.first_order import solve_adam as solve_adam
from fit3dmm.solve.first_order import solve_lbfgs as solve_lbfgs
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt as LevenbergMarquardt
from fit3dmm.solve.levenberg_marquardt import (
    solve_levenberg_marquardt as solve_levenberg_marquardt,
)
from fit3dmm.solve.problem import Evaluation as Evaluation
from fit3dmm.solve.problem import Problem as Problem
from fit3dmm.solve.problem import Reason as Reason
from fit3dmm.solve.problem import Residuals as Residuals
from fit3dmm.solve.problem import Solution as Solution
from fit3dmm.solve.problem import Step as Step
from fit3dmm.solve.problem import Term as Term
from fit3dmm.solve.problem import Values as Values
from fit3dmm.solve.problem import plain as plain
from fit3dmm.solve.problem import renamed as renamed

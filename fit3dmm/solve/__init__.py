"""Robust least squares within bounds: problems, solvers, solutions. Knows tensors, not faces."""

from fit3dmm.solve.block_arrow import BlockArrow as BlockArrow
from fit3dmm.solve.block_chain import BlockChain as BlockChain
from fit3dmm.solve.first_order import LBFGS as LBFGS
from fit3dmm.solve.first_order import Adam as Adam
from fit3dmm.solve.join import join as join
from fit3dmm.solve.join import member as member
from fit3dmm.solve.join import scaled as scaled
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt as LevenbergMarquardt
from fit3dmm.solve.problem import Evaluation as Evaluation
from fit3dmm.solve.problem import Problem as Problem
from fit3dmm.solve.problem import Residuals as Residuals
from fit3dmm.solve.problem import Term as Term
from fit3dmm.solve.problem import Values as Values
from fit3dmm.solve.problem import sum_of_squares as sum_of_squares
from fit3dmm.solve.solution import Reason as Reason
from fit3dmm.solve.solution import Solution as Solution
from fit3dmm.solve.solution import Step as Step
from fit3dmm.solve.solvers import Solver as Solver
from fit3dmm.solve.solvers import solve as solve

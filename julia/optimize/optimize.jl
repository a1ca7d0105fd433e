# Minimisation to the last digit. A direction (Newton, Gauss-Newton, BFGS) is apart from the step rule (trust region, damping,
# dogleg, line search).
#
#     solvers.jl        methods by name, with options, and what they need of an objective
#     options.jl        checked keywords
#     curve.jl          loss and gradient norm along the run, thinned as it grows
#     result.jl         what comes back
#     run.jl            the state of a run, its stopping rules and the protocol of a method
#     scaling.jl        how steps are measured
#     spectral_model.jl the quadratic model in the eigenbasis of the Hessian
#     trust_region.jl   exact trust-region steps and the radius rule
#     valley.jl         relaxation of a trial point to the floor of a curved valley
#     newton.jl         Newton's method: spectral model + trust region + relaxation
#     gauss_newton_model.jl, linear_rate.jl   the model of a sum of squares, and how it shows what it leaves out
#     least_squares.jl  Gauss-Newton model + step rule + geodesic acceleration
#     handover.jl       from least squares to Newton
#     damping.jl, levenberg_marquardt.jl      the damped step rules
#     dogleg.jl         the dogleg
#     steihaug.jl, lanczos.jl, newton_cg.jl   Newton's method from products alone
#     line_search.jl    strong and approximate Wolfe line search
#     quasi_newton.jl   a learned direction + line search
#     bfgs.jl           the dense BFGS direction
#     lbfgs.jl          the limited-memory BFGS direction
#     minimize.jl       the one driver loop, and the choice of the method

include("solvers.jl")
include("options.jl")
include("curve.jl")
include("result.jl")
include("run.jl")
include("scaling.jl")
include("spectral_model.jl")
include("trust_region.jl")
include("valley.jl")
include("newton.jl")
include("gauss_newton_model.jl")
include("linear_rate.jl")
include("least_squares.jl")
include("handover.jl")
include("damping.jl")
include("levenberg_marquardt.jl")
include("dogleg.jl")
include("steihaug.jl")
include("lanczos.jl")
include("newton_cg.jl")
include("line_search.jl")
include("quasi_newton.jl")
include("bfgs.jl")
include("lbfgs.jl")
include("minimize.jl")

export optimize, OptimResult, LevenbergMarquardt, GaussNewton

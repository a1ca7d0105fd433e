# Gradient flow: dx/dt = -tauinv .* grad L(x), followed to a known accuracy.
#
#     problem.jl      the right-hand side and its counters
#     stepper.jl      the protocol that every integrator implements, and the state they share
#     explicit_stages.jl  what explicit Runge-Kutta methods share
#     dp5.jl          explicit Runge-Kutta, order 5
#     dop853.jl       explicit Runge-Kutta, order 8, its constants in dop853_coefficients.jl
#     rodas5p.jl      L-stable Rosenbrock, order 5, exact Hessian
#     spectral_radius.jl, chebyshev_stages.jl, hermite.jl     what stabilized explicit methods share
#     rkc2.jl         stabilized explicit, order 2
#     rkc3.jl         stabilized explicit, order 3 from past points
#     esdirk*.jl      L-stable diagonally implicit, order 5: tableau, stages, predictor, Newton's iteration, with
#     stage_solver_direct.jl   Hessian and factorisation kept over many steps, or
#     stage_solver_krylov.jl   conjugate gradients with products of the Hessian (and spectral_preconditioner.jl)
#     controller.jl   the one step-size controller
#     switching.jl    the choice of the method on the way
#     sampler.jl      the trajectory, from dense output
#     growth.jl       parameters that run away to infinity
#     result.jl       what comes back
#     options.jl      checked keywords
#     integrate.jl    the one driver loop
#     trajectory_distance.jl  how far one trajectory is from another

include("problem.jl")
include("stepper.jl")
include("explicit_stages.jl")
include("dp5.jl")
include("dop853_coefficients.jl")
include("dop853.jl")
include("rodas5p.jl")
include("spectral_radius.jl")
include("chebyshev_stages.jl")
include("hermite.jl")
include("rkc2.jl")
include("esdirk_tableau.jl")
include("stage_solver.jl")
include("stage_solver_direct.jl")
include("spectral_preconditioner.jl")
include("stage_solver_krylov.jl")
include("esdirk.jl")
include("esdirk_predictor.jl")
include("esdirk_newton.jl")
include("controller.jl")
include("rkc3.jl")
include("switching.jl")
include("sampler.jl")
include("growth.jl")
include("result.jl")
include("options.jl")
include("integrate.jl")
include("trajectory_distance.jl")

export integrate, FlowResult, Trajectory, trajectory_distance

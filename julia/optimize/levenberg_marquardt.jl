# Levenberg-Marquardt methods: the Gauss-Newton model with damping.

"""
    LevenbergMarquardt(; damping = :nielsen, geodesic = true, scaling = :auto)

The Levenberg-Marquardt method, as a `solver` of `optimize` and `train`.

- `damping`: `:nielsen` (the damping follows the gain ratio), or `:radius` (the damping is that of a trust region)
- `geodesic`: bend each step by half its acceleration, which costs about three gradients a step
- `scaling`: how steps are measured: `:none` (all parameters alike), `:limited` (those that act a million times less than the
  strongest count less), `:more` (by the largest norms that the columns of the Jacobian have had), or `:auto`: none for networks, whose
  parameters are of one kind, and limited for other residuals

Throws an `ArgumentError` for other values.
"""
struct LevenbergMarquardt <: AbstractSolver
    damping::Symbol
    geodesic::Bool
    scaling::Symbol

    function LevenbergMarquardt(; damping=:nielsen, geodesic=true, scaling=:auto)
        d = Symbol(damping)
        require(d in (:nielsen, :radius), "expected damping to be :nielsen or :radius, got :$d")
        require(geodesic isa Bool, "expected geodesic to be true or false, got $geodesic")
        return new(d, geodesic, checked_scaling(scaling))
    end
end

SOLVERS[:levenberg_marquardt] = LevenbergMarquardt
solver_name(::LevenbergMarquardt) = :levenberg_marquardt
requirements(::LevenbergMarquardt) = (:residuals,)

function make_method(solver::LevenbergMarquardt, o::AbstractObjective)
    rule = solver.damping === :nielsen ? NielsenDamping() : RadiusDamping(nparams(o))
    scaling = chosen_scaling(solver.scaling, o)
    method = GaussNewtonMethod(:levenberg_marquardt, gauss_newton_model(o), rule; geodesic=solver.geodesic, scaling=scaling)
    return with_newton(method, o)
end

gauss_newton_model(o::AbstractObjective) =
    keeps_jacobian(o) ? FactoredModel(nresiduals(o), nparams(o)) : NormalModel(nparams(o))

# Newton's method takes over near the end where it can.
with_newton(m::AbstractMethod, o::AbstractObjective) =
    has_hessian(o) ? Relay(name(m), m, Newton(nparams(o), chosen_scaling(:auto, o))) : m

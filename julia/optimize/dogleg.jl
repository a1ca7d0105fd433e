# Powell's dogleg: from the start to the minimiser along the gradient, and on to the Gauss-Newton step.
#
# M. J. D. Powell, "A hybrid method for nonlinear equations", in: P. Rabinowitz (ed.), Numerical Methods for Nonlinear Algebraic
# Equations (1970) 87-114; J. Nocedal, S. J. Wright, Numerical Optimization (2006), 4.1.

"""
    Dogleg(P)

The step rule that goes along the dogleg to the boundary of a trust region |Ds| <= radius: one factorization a model,
however often the radius changes.
"""
mutable struct Dogleg <: AbstractStepRule
    region::TrustRegion
    newton::Vector{Float64}         # the Gauss-Newton step
    cauchy::Vector{Float64}         # the minimiser of the model along the scaled gradient
    current::Bool                   # both belong to the model
end

Dogleg(P::Int) = Dogleg(TrustRegion(NaN), zeros(P), zeros(P), false)

function start!(rule::Dogleg, model::GaussNewtonModel)
    rule.region.radius = NaN
    return nothing
end

new_model!(rule::Dogleg, model::GaussNewtonModel) = (rule.current = false; nothing)

function propose!(s::Vector{Float64}, rule::Dogleg, model::GaussNewtonModel, run::OptimRun)
    rule.current || two_legs!(rule, model) || return false
    radius = rule.region.radius
    full, first = scaled_norm(model, rule.newton), scaled_norm(model, rule.cauchy)
    if full <= radius
        copyto!(s, rule.newton)
    elseif first >= radius
        @. s = (radius / first) * rule.cauchy
    else
        @. s = rule.newton - rule.cauchy
        s .= rule.cauchy .+ boundary_part(model, rule.cauchy, s, radius) .* s
    end
    return true
end

function two_legs!(rule::Dogleg, model::GaussNewtonModel)
    if isnan(rule.region.radius)
        isnan(factorize_safely!(model, FIRST_DAMPING * largest_ratio(model))) && return false
        rule.region.radius = scaled_norm(model, newton_step!(rule.newton, model))
    end
    isnan(factorize_safely!(model, 0.0)) && return false
    newton_step!(rule.newton, model)
    @. rule.cauchy = -model.g / abs2(model.D)
    bent = curvature(model, rule.cauchy)
    rule.cauchy .*= bent > 0 ? -dot(model.g, rule.cauchy) / bent : rule.region.radius / scaled_norm(model, rule.cauchy)
    rule.current = true
    return all(isfinite, rule.newton)
end

# The part t of d for which |D(a + t d)| = radius, where |Da| < radius <= |D(a + d)|.
function boundary_part(model::GaussNewtonModel, a::Vector{Float64}, d::Vector{Float64}, radius::Float64)
    aa, ad, dd = 0.0, 0.0, 0.0
    for j in eachindex(a)
        w = abs2(model.D[j])
        aa += w * abs2(a[j])
        ad += w * a[j] * d[j]
        dd += w * abs2(d[j])
    end
    return boundary_root(aa - abs2(radius), ad, dd)
end

# The positive root t of dd t^2 + 2 ad t + c for c <= 0 < dd, without cancellation.
function boundary_root(c::Float64, ad::Float64, dd::Float64)
    root = sqrt(max(abs2(ad) - dd * c, 0.0))
    return ad > 0 ? -c / (ad + root) : (root - ad) / dd
end

update!(rule::Dogleg, model::GaussNewtonModel, s::Vector{Float64}, ratio::Float64) =
    update!(rule.region, ratio, scaled_norm(model, s))

"""
    GaussNewton(; scaling = :auto)

The Gauss-Newton method with Powell's dogleg in a trust region, as a `solver` of `optimize` and `train`. `scaling`: as for
`LevenbergMarquardt`.
"""
struct GaussNewton <: AbstractSolver
    scaling::Symbol

    GaussNewton(; scaling=:auto) = new(checked_scaling(scaling))
end

SOLVERS[:gauss_newton] = GaussNewton
solver_name(::GaussNewton) = :gauss_newton
requirements(::GaussNewton) = (:residuals,)

function make_method(solver::GaussNewton, o::AbstractObjective)
    scaling = chosen_scaling(solver.scaling, o)
    return with_newton(GaussNewtonMethod(:gauss_newton, gauss_newton_model(o), Dogleg(nparams(o)); scaling=scaling), o)
end

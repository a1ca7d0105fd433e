# Newton's method in a trust region, with the exact subproblem solved in the eigenbasis of the Hessian.

"""
    Newton(P, scaling = :none)

Newton's method for `P` parameters, whose steps are measured as `scaling` says: one Hessian and one eigendecomposition an
accepted step, one gradient a trial.
"""
mutable struct Newton <: AbstractMethod
    model::SpectralModel
    region::TrustRegion
    s::Vector{Float64}
    valley::Valley
    model_current::Bool
    try_absolute::Bool
    last_length::Float64
    scaling::Symbol
    rejections::Int                 # in a row
end

Newton(P::Int, scaling::Symbol=:none; matrix::Bool=true) =
    Newton(SpectralModel(P, matrix), TrustRegion(1.0), zeros(P), Valley(P), false, false, 0.0, scaling, 0)

SOLVERS[:newton] = PlainSolver{:newton}
requirements(::PlainSolver{:newton}) = (:hessian,)
make_method(::PlainSolver{:newton}, o::AbstractObjective) = Newton(nparams(o), chosen_scaling(:auto, o))

name(::Newton) = :newton
iteration_cost(m::Newton) = m.model_current ? 1 : 2
stepsize(m::Newton) = m.last_length

function prepare!(m::Newton, run::OptimRun)
    m.region.radius = max(1.0, 0.1 * norm(run.x))
    m.model_current = false
    m.try_absolute = false
    m.rejections = 0
    return nothing
end

function refresh_model!(m::Newton, run::OptimRun)
    m.model_current && return true
    evaluate_hessian!(m.model.H, run)
    decompose!(m.model, run.g, run.loss, m.scaling) || return false
    run.factorizations += 1
    m.model_current = true
    m.try_absolute = false
    return true
end

function iterate!(m::Newton, run::OptimRun)
    refresh_model!(m, run) && m.region.radius < TR_HORIZON || return :diverged
    absolute = m.try_absolute
    length = absolute ? absolute_step!(m.model) : trust_region_step!(m.model, m.region.radius)
    m.last_length = length
    length > 0 || return :stalled
    ratio, lossnew = try_step!(m, run)
    # The absolute step is a second opinion on the same model; it does not shrink the ball again.
    absolute && !(ratio >= TR_POOR) || update!(m.region, ratio, length)
    m.try_absolute = false
    if ratio >= TR_ACCEPT
        m.model_current = false
        m.rejections = 0
        return move_on!(run, lossnew)
    end
    m.rejections += 1
    m.rejections >= MISLED_TRIALS && unscale!(m, run) && return :rejected
    lossnew == -Inf && return :diverged
    m.try_absolute = !absolute && indefinite(m.model) && absolute_step!(m.model) <= length
    run.nonfinite_trial = isnan(ratio)
    collapsed = m.region.radius <= eps() * norm(run.x)
    return collapsed && !m.try_absolute ? rounding_reason(run) : :rejected
end

# Evaluates the trial point of model.shat and brings it to the floor of the valley: the ratio of actual to predicted
# reduction, and the loss there.
function try_step!(m::Newton, run::OptimRun)
    predicted = predicted_reduction(m.model)
    from_eigenbasis!(m.s, m.model, m.model.shat)
    @. run.xnew = run.x + m.s
    lossnew = evaluate_trial!(run)
    noise = loss_noise(run, m.model.diagonal)
    ratio = reduction_ratio(run, lossnew, m.s, predicted, noise)
    return relax!(m.valley, run, m.model, m.s, predicted, noise, ratio, lossnew)
end

# All parameters are measured alike from now on. False when they were before.
function unscale!(m::Newton, run::OptimRun)
    all(isone, m.model.D) && return false
    m.scaling = :none
    m.rejections = 0
    m.model_current = m.try_absolute = false
    m.region.radius = max(1.0, 0.1 * norm(run.x))
    return true
end

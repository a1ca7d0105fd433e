# Methods for sums of squares: the Gauss-Newton model, a step rule, and acceleration along the step.

"""
    AbstractStepRule

A rule that says how far a step of a Gauss-Newton model goes. A subtype implements

    start!(rule, model)                     at the first model
    new_model!(rule, model)                 at every model
    propose!(s, rule, model, run)::Bool     write the step; false when there is none
    update!(rule, model, s, ratio)          after a step s with this ratio of actual to predicted reduction (NaN: not finite)
"""
abstract type AbstractStepRule end

"""
    GaussNewtonMethod(algorithm, model, rule; geodesic = false, scaling = :none)

Steps of a `GaussNewtonModel`, as long as `rule` says; with `geodesic` each is bent by half its acceleration. One Gauss-Newton
matrix (or Jacobian) an accepted step, one gradient a trial.
"""
mutable struct GaussNewtonMethod{M<:GaussNewtonModel,R<:AbstractStepRule} <: AbstractMethod
    algorithm::Symbol
    model::M
    rule::R
    geodesic::Bool
    scaling::Symbol
    s::Vector{Float64}
    bend::Vector{Float64}
    started::Bool
    model_current::Bool
    rejections::Int                 # in a row
    last_length::Float64
    rate::LinearRate
end

function GaussNewtonMethod(algorithm::Symbol, model::GaussNewtonModel, rule::AbstractStepRule;
                           geodesic::Bool=false, scaling::Symbol=:none)
    P = length(model.D)
    return GaussNewtonMethod(algorithm, model, rule, geodesic, scaling, zeros(P), zeros(P), false, false, 0, 0.0, LinearRate(P))
end

name(m::GaussNewtonMethod) = m.algorithm
iteration_cost(m::GaussNewtonMethod) = (m.model_current ? 1 : 2) + m.geodesic
stepsize(m::GaussNewtonMethod) = m.last_length

function prepare!(m::GaussNewtonMethod, run::OptimRun)
    m.started = m.model_current = false
    m.rejections = 0
    reset!(m.rate)
    return nothing
end

function refresh_model!(m::GaussNewtonMethod, run::OptimRun)
    m.model_current && return true
    refresh!(m.model, run) || return false
    m.started || fill!(m.model.D, 0.0)
    scale!(m.model.D, m.model.diagonal, m.scaling)
    m.started || start!(m.rule, m.model)
    new_model!(m.rule, m.model)
    m.started = m.model_current = true
    return true
end

function iterate!(m::GaussNewtonMethod, run::OptimRun)
    refresh_model!(m, run) || return :diverged
    propose!(m.s, m.rule, m.model, run) || return rounding_reason(run)
    m.last_length = norm(m.s)
    m.last_length > 0 || return :stalled
    m.last_length < TR_HORIZON || return :diverged
    predicted = predicted_reduction(m.model, m.s)
    bend!(m, run)
    @. run.xnew = run.x + m.s + m.bend
    lossnew = evaluate_trial!(run)
    m.bend .+= m.s
    ratio = reduction_ratio(run, lossnew, m.bend, predicted, loss_noise(run, m.model.diagonal))
    update!(m.rule, m.model, m.s, ratio)
    run.nonfinite_trial = isnan(ratio)
    if ratio >= TR_ACCEPT
        m.model_current = false
        m.rejections = 0
        observe!(m.rate, m.model, m.s, run, lossnew)
        return move_on!(run, lossnew)
    end
    lossnew == -Inf && return :diverged
    m.rejections += 1
    m.rejections >= MISLED_TRIALS && unscale!(m) && return :rejected
    return m.last_length <= eps() * norm(run.x) ? rounding_reason(run) : :rejected
end

# Longest acceleration, relative to the step, that is still a correction of it: the bound of Transtrum and Sethna.
const LONGEST_BEND = 0.75

# Half the acceleration of the geodesic that the step begins, or zero.
#
# M. K. Transtrum, B. B. Machta, J. P. Sethna, "Geometry of nonlinear least squares with applications to sloppy models and
# optimization", Phys. Rev. E 83 (2011) 036701, section VIII.
function bend!(m::GaussNewtonMethod, run::OptimRun)
    fill!(m.bend, 0.0)
    m.geodesic || return nothing
    evaluate_acceleration!(m.bend, run, m.s)
    all(isfinite, m.bend) || return fill!(m.bend, 0.0)
    copyto!(run.gnew, m.bend)
    solve!(m.bend, m.model, run.gnew)
    scaled_norm(m.model, m.bend) <= LONGEST_BEND * scaled_norm(m.model, m.s) || return fill!(m.bend, 0.0)
    m.bend .*= 0.5
    return nothing
end

# All parameters are measured alike from now on. False when they were before.
function unscale!(m::GaussNewtonMethod)
    all(isone, m.model.D) && return false
    fill!(m.model.D, 1.0)
    m.scaling = :none
    m.rejections = 0
    start!(m.rule, m.model)
    new_model!(m.rule, m.model)
    return true
end

# Relaxation of a trial point to the floor of a curved valley.
#
# Loss landscapes of networks have valleys that are 10^12 times flatter along the floor than across it, and the floor is
# curved. A straight step leaves it by the square of its length; the climb eats the gain, the trust region shrinks, and
# Newton's method creeps. The remedy costs gradients alone: at the end of the step (H + mu I) s = -g the model expects the
# gradient -mu s. What differs from it, e, is taken back by -(H + mu I)^{-1} e with the decomposition at hand, but only
# along eigenvectors whose curvature is large against the change of the Hessian over the step, |e| / |s|: these point
# across the valley. Such simplified Newton iterations minimise L(y) + mu/2 |y - x|^2 over the directions across, as an
# implicit Euler step of the gradient flow would (mu is its inverse step size). A point close to the floor matters twice:
# curvatures along the floor are buried under third derivatives times the distance from it.

const RELAXATIONS = 6
const RELAX_STIFFNESS = 0.1         # a direction is stiff if |e| < this * (lambda + mu) * |s|
const RELAX_RATIO = 0.9             # a ratio above it, and
const RELAX_RESIDUAL = 0.5          # a residual below this part of |mu s|, leave nothing to gain
const RELAX_FALL = 0.5              # go on while the gradient norm falls by this factor

"""
    Valley(P)

Work space of `relax!`.
"""
mutable struct Valley
    e::Vector{Float64}              # deviation from the expected gradient, in the eigenbasis
    correction::Vector{Float64}
    x::Vector{Float64}              # the best trial point so far and its gradient, while another is tried
    g::Vector{Float64}
end

Valley(P::Int) = Valley(zeros(P), zeros(P), zeros(P), zeros(P))

# e = Q'gnew - (-mu shat) in v.e; returns its norm.
function deviation!(v::Valley, model::SpectralModel, gnew::Vector{Float64})
    resize!(v.e, length(model.lambda))      # a model may know a subspace alone
    to_eigenbasis!(v.e, model, gnew)
    @. v.e += model.shift * model.shat
    return norm(v.e)
end

# Turns v.e into the step across the valley, in v.correction. False when no direction is stiff enough.
function correction!(v::Valley, model::SpectralModel, residual::Float64, length::Float64)
    any_stiff = false
    @inbounds for i in eachindex(v.e)
        curvature = model.lambda[i] + model.shift
        stiff = curvature > 0 && residual <= RELAX_STIFFNESS * curvature * length
        v.e[i] = stiff ? -v.e[i] / curvature : 0.0
        any_stiff |= stiff
    end
    from_eigenbasis!(v.correction, model, v.e)
    return any_stiff
end

function keep_trial!(v::Valley, run::OptimRun)
    v.x, run.xnew = run.xnew, v.x
    v.g, run.gnew = run.gnew, v.g
    return nothing
end

"""
    relax!(v, run, model, s, predicted, noise, ratio, lossnew) -> ratio, lossnew

Improve the trial point run.xnew = run.x + s by relaxation across the valley, as long as it pays: at most six gradients.
`s`, run.xnew and run.gnew are updated with the point; `ratio` (actual over predicted reduction) and its loss are returned.
"""
function relax!(v::Valley, run::OptimRun, model::SpectralModel, s::Vector{Float64}, predicted::Float64, noise::Float64,
                ratio::Float64, lossnew::Float64)
    isnan(ratio) && return ratio, lossnew
    length, slope = norm(model.shat), norm(run.gnew)
    for _ in 1:RELAXATIONS
        evaluations(run) < run.options.maxevaluations || break
        residual = deviation!(v, model, run.gnew)
        ratio > RELAX_RATIO && residual <= RELAX_RESIDUAL * model.shift * length && break
        correction!(v, model, residual, length) || break
        keep_trial!(v, run)
        @. run.xnew = v.x + v.correction
        loss = evaluate_trial!(run)
        newslope = norm(run.gnew)
        if !(loss < lossnew || (loss <= lossnew + noise && newslope < slope))
            keep_trial!(v, run)
            break
        end
        worthwhile = newslope < RELAX_FALL * slope || lossnew - loss > (1 - RELAX_RATIO) * predicted
        lossnew, slope = loss, newslope
        @. s = run.xnew - run.x
        ratio = reduction_ratio(run, lossnew, s, predicted, noise)
        worthwhile || break
    end
    return ratio, lossnew
end

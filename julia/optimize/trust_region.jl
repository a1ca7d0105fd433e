# The step rule of trust-region methods: which trial is taken, and how far to trust the model next time.
#
# A. R. Conn, N. I. M. Gould, Ph. L. Toint, Trust-Region Methods (2000), 6.1 and 17.4 (rounding).

const TR_ACCEPT = 0.05          # fraction of the predicted reduction that a step must bring
const TR_POOR = 0.25
const TR_GOOD = 0.75
const TR_SHRINK = 0.25
const TR_GROW = 3.0
const TR_HORIZON = 1e150        # beyond it the squares of lengths are not finite

"""
    TrustRegion(radius)

The ball in which a model is trusted.
"""
mutable struct TrustRegion
    radius::Float64
end

"""
    update!(region, ratio, length) -> region

Adapt the radius after a step of `length` whose actual reduction was `ratio` times the predicted one (NaN: not finite).
"""
function update!(region::TrustRegion, ratio::Float64, length::Float64)
    if !(ratio >= TR_POOR)
        region.radius = TR_SHRINK * min(length, region.radius)
    elseif ratio > TR_GOOD
        region.radius = max(region.radius, TR_GROW * length)
    end
    return region
end

"""
    loss_noise(run, curvature) -> Float64

Estimate of the rounding error of a loss: that of its sum, and the change that the rounding of the parameters makes to
first (gradient) and second order. `curvature`: the diagonal of the Hessian, or its largest eigenvalue, or 0 when neither is known.
"""
function loss_noise(run::OptimRun, curvature)
    slope, bend = 0.0, 0.0
    @inbounds for i in eachindex(run.x)
        slope += abs(run.g[i] * run.x[i])
        bend += max(entry(curvature, i), 0.0) * abs2(eps() * run.x[i])
    end
    return LOSS_ROUNDING * (abs(run.loss) + slope) + bend + loss_resolution(run.objective)
end

entry(number::Float64, i::Int) = number
entry(numbers::Vector{Float64}, i::Int) = @inbounds numbers[i]


"""
    reduction_ratio(run, lossnew, s, predicted, noise) -> Float64

Actual over predicted reduction of the trial step `s` from run.x to run.xnew. Where the reduction is below the rounding
of the loss it is taken from the gradients at both ends, -(g + gnew)'s/2, which has no cancellation. The loss must then not
rise visibly: by more than the estimate of its noise only where the gradient norm falls, and never by more than the noise of a loss
whose terms cancel to three digits. NaN when the trial is not finite.
"""
function reduction_ratio(run::OptimRun, lossnew::Float64, s::Vector{Float64}, predicted::Float64, noise::Float64)
    isfinite(lossnew) && all(isfinite, run.gnew) || return NaN
    predicted > HIDDEN_BY_ROUNDING * noise && return (run.loss - lossnew) / predicted
    rise = lossnew - run.loss
    rise <= noise || rise <= HIDDEN_BY_ROUNDING * noise && norm(run.gnew) < norm(run.g) || return -1.0
    predicted > 0 || return -1.0
    return -0.5 * (dot(run.g, s) + dot(run.gnew, s)) / predicted
end

# The step rules of Levenberg-Marquardt methods: how much damping, and how it follows the gain ratio.

new_model!(::AbstractStepRule, model::GaussNewtonModel) = nothing

const SMALLEST_DAMPING = 1e-30      # of the largest curvature: what rounding makes singular is damped more
const FIRST_DAMPING = 1e-3

# A factorization that fails for rounding is tried again with this much more damping.
const DAMPING_RESCUE = 100.0
const RESCUES = 20

# Factorizes at mu, or at more where rounding makes that singular: the mu used, or NaN.
function factorize_safely!(model::GaussNewtonModel, mu::Float64)
    for _ in 1:RESCUES
        factorize!(model, mu) && return mu
        mu = max(DAMPING_RESCUE * mu, eps() * largest_ratio(model))
        isfinite(mu) || return NaN
    end
    return NaN
end

"""
    NielsenDamping()

mu follows the gain ratio smoothly: times max(1/3, 1 - (2 ratio - 1)^3) after a step that is taken, times 2, 4, 8, ... after
each that is not.

H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05, Technical University of Denmark.
"""
mutable struct NielsenDamping <: AbstractStepRule
    mu::Float64
    growth::Float64
end

NielsenDamping() = NielsenDamping(NaN, 2.0)

function start!(rule::NielsenDamping, model::GaussNewtonModel)
    rule.mu, rule.growth = FIRST_DAMPING * largest_ratio(model), 2.0
    return nothing
end

function propose!(s::Vector{Float64}, rule::NielsenDamping, model::GaussNewtonModel, run::OptimRun)
    rule.mu = factorize_safely!(model, rule.mu)
    isnan(rule.mu) && return false
    newton_step!(s, model)
    return true
end

function update!(rule::NielsenDamping, model::GaussNewtonModel, s::Vector{Float64}, ratio::Float64)
    if ratio >= TR_ACCEPT
        rule.mu = max(rule.mu * max(1 / 3, 1 - (2 * min(ratio, 2.0) - 1)^3), SMALLEST_DAMPING * largest_ratio(model))
        rule.growth = 2.0
    else
        rule.mu *= rule.growth
        rule.growth *= 2
    end
    return nothing
end

"""
    RadiusDamping()

mu is such that |Ds| is the radius of a trust region, which follows the gain ratio: the damping of More (1978), found by his
safeguarded Newton iteration to 10%.
"""
mutable struct RadiusDamping <: AbstractStepRule
    region::TrustRegion
    mu::Float64
    work::Vector{Float64}
end

RadiusDamping(P::Int) = RadiusDamping(TrustRegion(NaN), 0.0, zeros(P))

function start!(rule::RadiusDamping, model::GaussNewtonModel)
    rule.region.radius, rule.mu = NaN, 0.0
    return nothing
end

const RADIUS_TOLERANCE = 0.1
const RADIUS_TRIALS = 20

# More (1978), section 5, with G = 2J'J.
function propose!(s::Vector{Float64}, rule::RadiusDamping, model::GaussNewtonModel, run::OptimRun)
    undamped = factorize!(model, 0.0)
    undamped && newton_step!(s, model)
    isnan(rule.region.radius) && return first_step!(s, rule, model)
    radius = rule.region.radius
    excess = undamped ? scaled_norm(model, s) - radius : Inf
    if excess <= RADIUS_TOLERANCE * radius
        rule.mu = 0.0
        return true
    end
    lower = undamped ? newton_correction!(rule, model, s, excess, radius) : 0.0
    upper = scaled_gradient_norm(model) / radius
    mu = lower < rule.mu < upper ? rule.mu : max(0.001 * upper, sqrt(lower * upper))
    for _ in 1:RADIUS_TRIALS
        if factorize!(model, mu)
            newton_step!(s, model)
            excess = scaled_norm(model, s) - radius
            abs(excess) <= RADIUS_TOLERANCE * radius && break
            correction = newton_correction!(rule, model, s, excess, radius)
            excess < 0 && (upper = min(upper, mu))
            excess > 0 && (lower = max(lower, mu + correction))
            mu = max(lower, mu + correction)
        else
            lower = max(lower, mu, eps() * largest_ratio(model))
            mu = max(10 * lower, sqrt(lower * upper))
        end
    end
    rule.mu = mu
    return isfinite(mu) && all(isfinite, s)
end

# The first radius: the whole Gauss-Newton step when there is one that is not too long, or 100 times the scaled start, as
# in More (1978), limited by a damping of FIRST_DAMPING.
function first_step!(s::Vector{Float64}, rule::RadiusDamping, model::GaussNewtonModel)
    mu = factorize_safely!(model, FIRST_DAMPING * largest_ratio(model))
    isnan(mu) && return false
    newton_step!(s, model)
    rule.region.radius, rule.mu = scaled_norm(model, s), mu
    return true
end

# The Newton step for |D s(mu)| = radius in mu, on 1/|Ds| - 1/radius.
function newton_correction!(rule::RadiusDamping, model::GaussNewtonModel, s::Vector{Float64}, excess::Float64, radius::Float64)
    length = excess + radius
    length > 0 || return 0.0
    @. rule.work = abs2(model.D) * s / length
    BLAS.trsv!('U', 'T', 'N', model.U, rule.work)
    return (excess / radius) / sum(abs2, rule.work)
end

scaled_gradient_norm(model::GaussNewtonModel) = sqrt(mapreduce(j -> abs2(model.g[j] / model.D[j]), +, eachindex(model.D)))

update!(rule::RadiusDamping, model::GaussNewtonModel, s::Vector{Float64}, ratio::Float64) =
    update!(rule.region, ratio, scaled_norm(model, s))

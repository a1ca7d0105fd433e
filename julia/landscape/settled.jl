# A gradient norm below the tolerance is no proof of having arrived: on the way to infinity it falls below any tolerance.

# Larger problems are not looked at: their Hessians take longer than the runs of methods that make none.
const LARGEST_CHECKED = 512
# Curvatures above this part of the norm of the Hessian, with a Newton step below this part of the parameters: the minimum is here.
const FIRM_CURVATURE = 1e-8
const FIRM_STEP = 1e-6

"""
    runs_away(o::AbstractObjective, x; tauinv = nothing, min_gnorm = 0.0, growth = Float64[]) -> Bool

Whether a point `x` (length P) whose gradient met the tolerance `min_gnorm` lies on a way to infinity, where a run may end but does
not converge. A strict minimum costs one Hessian, the rest less than [`classify`](@ref). False where it cannot be told: without a
Hessian, and for more than $LARGEST_CHECKED parameters that are not frozen.
"""
function runs_away(o::AbstractObjective, x::Vector{Float64}; tauinv = nothing, min_gnorm::Real = 0.0,
                   growth::AbstractVector = Float64[])
    free = free_indices(tauinv, length(x))
    has_hessian(o) && 0 < length(free) <= LARGEST_CHECKED || return false
    part = length(free) == length(x) ? o : RestrictedObjective(o, x, free)
    firm_minimum(part, x[free]) && return false
    p = picture(part, x[free]; min_gnorm = min_gnorm)
    p === nothing && return false
    p.critical && (!isempty(falling(p)) || isempty(flat(p))) && return false
    ways = [d[free] for d in runaway_directions(o, x)]
    return runaway(part, p, isempty(growth) ? growth : growth[free], ways; followed = 1) !== nothing
end

function firm_minimum(o::AbstractObjective, x::Vector{Float64})
    g, H = zeros(length(x)), zeros(length(x), length(x))
    value_gradient_hessian!(g, H, o, x)
    all(isfinite, g) && all(isfinite, H) || return false
    least = FIRM_CURVATURE * norm(H)
    issuccess(cholesky(Symmetric(H - least * I); check = false)) || return false
    return norm(cholesky!(Symmetric(H)) \ g) <= FIRM_STEP * (1 + norm(x))
end

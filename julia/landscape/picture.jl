# The gradient and the spectrum of the Hessian at a point, each with the level below which it cannot be told from zero.
#
# The eigenvalues at a point differ from those at the critical point next to it, and the gradient's rounding leaves open where
# that is: along an eigenvector of curvature lambda within dg/lambda. On a manifold of minima the directions along it have
# curvatures that vanish in proportion to the distance from the manifold, so that they look positive or negative at random
# where another direction is nearly flat. The level of an eigenvalue is therefore the rounding of the Hessian plus the change
# over the step to where the critical point may lie.

"""
    Picture

- `x`, `loss`, `g`, `H` (P x P), `lambda` (ascending), `Q` (eigenvectors in columns): the quadratic model at a point
- `rounding`: sizes of the rounding errors there
- `critical`: the gradient is zero to rounding or to the tolerance
- `levels`: an eigenvalue with |lambda[i]| <= levels[i] cannot be told from zero
"""
struct Picture
    x::Vector{Float64}
    loss::Float64
    g::Vector{Float64}
    H::Matrix{Float64}
    lambda::Vector{Float64}
    Q::Matrix{Float64}
    rounding::Rounding
    critical::Bool
    levels::Vector{Float64}
end

gnorm(p::Picture) = infinity_norm(p.g)
gnorm_rounding(p::Picture) = maximum(p.rounding.gradient)
falling(p::Picture) = findall(p.lambda .< .-p.levels)
flat(p::Picture) = findall(abs.(p.lambda) .<= p.levels)
rising(p::Picture) = findall(p.lambda .> p.levels)

"""
    picture(o::AbstractObjective, x; min_gnorm = 0.0) -> Picture or nothing

Gradient, Hessian and levels at `x`; `nothing` where they are not finite. Where the gradient norm is neither at most `min_gnorm`
nor rounding, there is no critical point next to `x` to take into account.
"""
function picture(o::AbstractObjective, x::Vector{Float64}; min_gnorm::Real = 0.0)
    P = length(x)
    g, H = zeros(P), zeros(P, P)
    loss = value_gradient!(g, o, x)
    hessian!(H, o, x)
    isfinite(loss) && all(isfinite, g) && all(isfinite, H) || return nothing
    lambda, Q = eigen(Symmetric(H))
    r = rounding(o, x, loss, g, H, lambda)
    critical = infinity_norm(g) <= max(min_gnorm, maximum(r.gradient))
    levels = critical ? eigenvalue_levels(o, x, g, H, lambda, Q, r) : fill(r.hessian, P)
    return Picture(x, loss, g, H, lambda, Q, r, critical, levels)
end

# A step shorter than this, relative to the parameters, changes no curvature that could matter.
const SHORT_STEP = 1e-9
# The signs of the steps along different eigenvectors are not known: their effects may add up.
const LEVEL_SAFETY = 2.0
# Eigenvalues below this, relative to the largest, are looked at as one block.
const SOFT = 1e-4

function eigenvalue_levels(o, x, g, H, lambda, Q, r::Rounding)
    slopes = possible_slopes(Q, g, r)
    levels = fill(r.hessian, length(x))
    step = zeros(length(x))
    for k in eachindex(lambda)
        abs(lambda[k]) > r.hessian || continue
        length_k = slopes[k] / abs(lambda[k])
        change = length_k <= SHORT_STEP * (1 + norm(x)) ? 0.0 : own_change(o, x, lambda[k], view(Q, :, k), length_k)
        if change <= abs(lambda[k]) / 2
            step .-= (copysign(length_k, dot(view(Q, :, k), g)) * sign(lambda[k])) .* view(Q, :, k)
        else
            levels[k] += max(change, 2 * abs(lambda[k]))
        end
    end
    return levels .+ LEVEL_SAFETY .* soft_changes(o, x .+ step, H, lambda, Q)
end

# The slope along each eigenvector, or what the rounding of the gradient makes of it where that is more.
possible_slopes(Q, g, r::Rounding) = max.(abs.(Q' * g), sqrt.(abs2.(Q') * abs2.(r.gradient)))

# By how much the curvature along v changes when the point moves along it, one way or the other.
function own_change(o, x, curvature, v, length)
    product, change = zero(x), 0.0
    for side in (length, -length)
        hvp!(product, o, x .+ side .* v, Vector(v))
        change = max(change, abs(dot(v, product) - curvature))
    end
    return isnan(change) ? Inf : change
end

# The change of the Hessian from x to the point y, between the soft directions: one number for each of them, zero for the
# others, whose eigenvalues are far from zero.
function soft_changes(o, y, H, lambda, Q)
    changes = zeros(length(lambda))
    soft = findall(abs.(lambda) .<= SOFT * maximum(abs, lambda))
    isempty(soft) && return changes
    moved = hessian!(similar(H), o, y)
    all(isfinite, moved) || return changes .+ Inf
    block = Q[:, soft]' * ((moved .- H) * Q[:, soft])
    for (j, k) in enumerate(soft)
        changes[k] = norm(view(block, :, j))
    end
    return changes
end

# Parameters that run away while the loss still falls.
#
# Two ways to infinity occur. A neuron becomes a step, or the margin of a separable classification grows: the parameters go
# straight outwards and the loss falls exponentially. Or two neurons become one another while their outgoing weights grow with
# opposite signs: together they are the derivative of a neuron, the path is curved (weights grow as differences shrink), and the
# loss falls like a power. So a straight line is tried first; then the parameter that dominates a direction is made larger
# step by step, and the others follow to their minimum. In both cases the loss must fall, and the gradient norm with
# it, over three decades.

const DECADES = 3
const STEPS_A_DECADE = 4
# The gradient norm must fall by so much over all decades, where it is not at the rounding level already.
const GRADIENT_FALL = 1e-2
# A step on which the loss falls by more than so many times what it fell before has led into another region.
const LARGEST_JUMP = 10.0
# At most so many iterations bring the other parameters to their minimum.
const FOLLOW_ITERATIONS = 30
# How far the others may be from their minimum at the start, relative to the parameters: further away it is not this point's path.
const NEARBY = 0.1
# And how much longer than the first step of a straight continuation a step along the path may be.
const LARGEST_DETOUR = 4.0

"""
    Runaway

`direction` (unit length): from the point to the path's end; `losses`, `gnorms`: along the path, the point first.
"""
struct Runaway
    direction::Vector{Float64}
    losses::Vector{Float64}
    gnorms::Vector{Float64}
end

"""
    runaway(o, p::Picture, growth, directions; followed = typemax(Int)) -> Runaway or nothing

The way to infinity that starts at the point, if there is one. `growth`: the direction in which a flow drifted, or empty;
`directions`: more that a straight way may take. The softest eigenvectors, the parameters themselves and their part in the
flat directions are always tried. `followed`: along so many of them at most a curved path is followed, which takes long.
"""
function runaway(o::AbstractObjective, p::Picture, growth, directions; followed::Int = typemax(Int))
    perfect(o, p, p.loss) && return nothing
    soft = [p.Q[:, k] for k in sortperm(abs.(p.lambda))[1:min(end, 2)]]
    ground = p.Q[:, flat(p)]
    curved = unit_vectors(vcat([growth], soft, [ground * (ground' * p.x)]))
    for d in vcat(curved, unit_vectors(vcat([p.x], directions, [-p.g])))
        found = straight_path(o, p, outwards(p, d))
        found === nothing || return found
    end
    for d in curved[1:min(end, followed)]
        found = followed_path(o, p, outwards(p, d))
        found === nothing || return found
    end
    return nothing
end

unit_vectors(list) = [d ./ norm(d) for d in list if !isempty(d) && norm(d) > 0]

# Downhill where the slope is more than rounding, outwards otherwise.
function outwards(p::Picture, d::Vector{Float64})
    slope = dot(p.g, d)
    sense = abs(slope) > slope_rounding(p, d) ? -slope : dot(p.x, d)
    return sense < 0 ? -d : d
end

slope_rounding(p::Picture, d) = dot(p.rounding.gradient, abs.(d))

# The root mean square of the parameters; 1 where they are all zero.
typical(x) = (size = norm(x) / sqrt(length(x)); size > 0 ? size : 1.0)

growth_factors() = [10.0^(k / STEPS_A_DECADE) for k in 1:DECADES*STEPS_A_DECADE]

function straight_path(o::AbstractObjective, p::Picture, d::Vector{Float64})
    reach = max(abs(dot(p.x, d)), typical(p.x))
    g = zero(d)
    losses, gnorms = [p.loss], [gnorm(p)]
    for f in growth_factors()
        push!(losses, value_gradient!(g, o, p.x .+ (reach * (f - 1)) .* d))
        push!(gnorms, infinity_norm(g))
        losses[end] <= losses[end-1] + path_noise(p, f) || return nothing
    end
    return falls_away(p, losses, gnorms, dot(p.g, d) < -slope_rounding(p, d)) ? Runaway(d, losses, gnorms) : nothing
end

# Squared errors that are zero to rounding cannot fall on: such fits reach to infinity, but the loss is level there. (The
# cross-entropy is never zero at finite parameters, and its slope can still be told when its value is rounding.)
perfect(o::AbstractObjective, p::Picture, loss) = loss - attainable(o) <= NOTICEABLE * p.rounding.value + reachable(p)

# What Newton's step gains in the directions of positive curvature, where the gradient may be off by its rounding: a gradient at
# its rounding level leaves so much of the loss above a minimum right here.
function reachable(p::Picture)
    slopes = possible_slopes(p.Q, p.g, p.rounding)
    return mapreduce(k -> abs2(slopes[k]) / (2 * p.lambda[k]), +, rising(p); init = 0.0)
end

attainable(::AbstractObjective) = -Inf
attainable(::NetObjective{T,MSE}) where {T} = 0.0
attainable(o::RestrictedObjective) = attainable(o.inner)

# Outputs grow with the parameters, and the rounding of the loss with them.
path_noise(p::Picture, factor) = NOTICEABLE * p.rounding.value * factor

function falls_away(p::Picture, losses, gnorms, downhill::Bool)
    all(isfinite, losses) && all(isfinite, gnorms) || return false
    noise = NOTICEABLE * p.rounding.value
    for k in 2:length(losses)-1
        losses[k] - losses[k+1] <= LARGEST_JUMP * (losses[1] - losses[k]) + noise || return false
    end
    downhill || minimum(losses) < losses[1] - noise || return false
    small = NOTICEABLE * gnorm_rounding(p)
    for k in 1:STEPS_A_DECADE:length(gnorms)-STEPS_A_DECADE
        gnorms[k+STEPS_A_DECADE] <= max(gnorms[k], small) || return false
    end
    return gnorms[end] <= max(GRADIENT_FALL * gnorms[1], small)
end

function followed_path(o::AbstractObjective, p::Picture, d::Vector{Float64})
    leader = argmax(abs.(d))
    start = relaxed(o, p, p.x, leader)
    norm(start .- p.x) <= NEARBY * (1 + norm(p.x)) && !perfect(o, p, value(o, start)) || return nothing
    reach = copysign(max(abs(p.x[leader]), typical(p.x)), d[leader])
    factors = growth_factors()
    out = follow(o, p, start, d, leader, p.x[leader] .+ reach .* (factors .- 1), factors)
    length(out.losses) > STEPS_A_DECADE || return nothing
    downhill = out.slope * sign(reach) < -slope_rounding(p, d) / abs(d[leader])
    away = length(out.losses) > length(factors) && falls_away(p, out.losses, out.gnorms, downhill)
    away || came_from_afar(o, p, start, d, leader, out) || return nothing
    way = out.last .- p.x
    return Runaway(way ./ norm(way), out.losses, out.gnorms)
end

# Far out, rounding hides what follows: then two decades that lie behind count with the next one, which must not rise.
function came_from_afar(o::AbstractObjective, p::Picture, start, d, leader::Int, out)
    p.x[leader] * d[leader] > 0 || return false
    back = growth_factors()[1:(DECADES-1)*STEPS_A_DECADE]
    behind = follow(o, p, start, -d, leader, p.x[leader] ./ back, nothing)
    length(behind.losses) > length(back) || return false
    next = 2:STEPS_A_DECADE+1
    return falls_away(p, vcat(reverse(behind.losses), out.losses[next]), reverse(behind.gnorms), false)
end

# The path on which the leading parameter takes the values `targets` and the others are at their minimum: losses and gradient
# norms with the start first, until the loss rises (with `factors`: outwards) or falls (without: back) by more than rounding or
# the path is lost.
function follow(o::AbstractObjective, p::Picture, start, d, leader::Int, targets, factors)
    path, g = [start], zero(d)
    losses, gnorms = [value_gradient!(g, o, start)], [infinity_norm(g)]
    slope = g[leader]
    for (k, target) in enumerate(targets)
        next = relaxed(o, p, continued(path, d, leader, target), leader)
        norm(next .- path[end]) <= LARGEST_DETOUR * abs(target - path[end][leader]) / abs(d[leader]) || break
        push!(path, next)
        loss = value_gradient!(g, o, next)
        rise = factors === nothing ? losses[end] - loss : loss - losses[end]
        rise <= path_noise(p, factors === nothing ? 1.0 : factors[k]) || break
        push!(losses, loss)
        push!(gnorms, infinity_norm(g))
    end
    return (losses = losses, gnorms = gnorms, slope = slope, last = path[end])
end

# The minimum over all parameters but one, to the rounding of the gradient.
function relaxed(o::AbstractObjective, p::Picture, y::Vector{Float64}, leader::Int)
    others = deleteat!(collect(eachindex(y)), leader)
    isempty(others) && return copy(y)
    restricted = RestrictedObjective(o, y, others)
    r = optimize(restricted, y[others]; min_gnorm = gnorm_rounding(p), minloss = -Inf, maxtime = Inf,
                 maxiterations = FOLLOW_ITERATIONS)
    return copy(full_point(restricted, r.x))
end

# Where the path goes on when every parameter changes as a power of the leading one: differences of points at equal ratios of
# the leader are then geometric. The first steps are straight.
function continued(path, d, leader::Int, target::Float64)
    last = path[end]
    step = length(path) == 1 ? copy(d) : last .- path[end-1]
    if length(path) > 2
        before = path[end-1] .- path[end-2]
        for i in eachindex(step)
            ratio = step[i] / before[i]
            step[i] *= 0 < ratio < 4 ? ratio : 0.0
        end
    end
    next = last .+ step .* ((target - last[leader]) / step[leader])
    next[leader] = target
    return next
end

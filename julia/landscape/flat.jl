# The loss along the directions that are flat to second order.
#
# A valley of exact minima (duplicate neurons, dead neurons, scaling symmetries) is level but curved: a straight line leaves
# it, and the loss there rises with the fourth power of the distance. So a point on the line is first brought to the floor,
# by Newton's method in the directions that are not flat. What is left decides: a valley that is level, a floor that rises (a
# minimum of higher order), or a way down.

# Lengths of the steps along a direction, relative to the parameters.
const FLAT_STEPS = (1e-4, 1e-3, 1e-2, 1e-1)
# So many directions of a flat space are looked along; combinations of neighbours show cubic forms that vanish on the axes.
const FLAT_DIRECTIONS = 16
# Newton steps to the floor, at most.
const FLOOR_STEPS = 20
# A change of the loss counts from so many times its rounding error on, and from this part of its change on the straight line:
# what Newton's method leaves of a climb is no climb.
const NOTICEABLE = 8.0
const PART_OF_CLIMB = 1e-6
# A loss that was level ten times closer and now differs by so many times its rounding error has left the neighbourhood of
# the point for another region: no smooth function of low order does that.
const ANOTHER_REGION = 1e6

"""
    loss_along_flat(o, p::Picture) -> (Symbol, direction)

`:level`, `:rises` or `:falls`: what the loss does along the flat directions, the lowest if they differ; with the direction
(length P) along which it falls or rises, empty when it is level.
"""
function loss_along_flat(o::AbstractObjective, p::Picture)
    answer, along = :level, Float64[]
    for v in flat_directions(p), side in (1.0, -1.0)
        found = loss_along(o, p, side .* v)
        found === :falls && return :falls, side .* v
        found === :rises && answer === :level && ((answer, along) = (:rises, side .* v))
    end
    return answer, along
end

function flat_directions(p::Picture)
    basis = [p.Q[:, k] for k in flat(p)]
    directions = basis[1:min(end, FLAT_DIRECTIONS)]
    for i in 1:length(basis)-1
        length(directions) >= FLAT_DIRECTIONS && break
        push!(directions, (basis[i] .+ basis[i+1]) ./ sqrt(2), (basis[i] .- basis[i+1]) ./ sqrt(2))
    end
    return directions
end

# The first step at which the loss on the floor differs decides.
function loss_along(o::AbstractObjective, p::Picture, v::Vector{Float64})
    base, _ = floor_loss(o, p, p.x)
    for (k, t) in enumerate(FLAT_STEPS)
        lowest, line = floor_loss(o, p, p.x .+ (t * max(1.0, norm(p.x))) .* v)
        isfinite(lowest) || return :level
        noise = NOTICEABLE * p.rounding.value
        abs(lowest - base) > max(noise, PART_OF_CLIMB * abs(line - base)) || continue
        k > 1 && abs(lowest - base) > ANOTHER_REGION * noise && return :level
        return lowest < base ? :falls : :rises
    end
    return :level
end

# The loss at the floor of the valley below y, and at y itself.
function floor_loss(o::AbstractObjective, p::Picture, y::Vector{Float64})
    across = p.Q[:, rising(p)]
    g, H = zero(y), zero(p.H)
    lowest = line = value_gradient!(g, o, y)
    for _ in 1:FLOOR_STEPS
        isempty(across) && break
        hessian!(H, o, y)
        isfinite(lowest) && all(isfinite, H) || return NaN, NaN
        curvature, axes = eigen(Symmetric(across' * H * across))
        slope = axes' * (across' * g)
        trial = y .- across * (axes * (slope ./ max.(abs.(curvature), p.rounding.hessian)))
        loss = value_gradient!(g, o, trial)
        loss < lowest || break
        y, gain, lowest = trial, lowest - loss, loss
        gain > p.rounding.value || break
    end
    return lowest, line
end

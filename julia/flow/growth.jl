# Do the parameters run away? A gradient flow cannot blow up in finite time when its loss is bounded from below: it drifts,
# like log t where a saturating loss has its infimum at infinity, like a small power of t elsewhere. Towards a minimum the
# distance covered in a decade of time falls instead: exponentially where the Hessian is definite, by 10^(-1/2) or so a
# decade where it is degenerate. So one decade after the other is compared.

const GROWTH_DECADES = 3
const GROWTH_RATES = (0.7, 3.0)         # of the distance in a decade to that in the decade before: log t has 1, t^(1/4) has 1.8
const GROWTH_ALIGNMENT = 0.9            # cosine of the angle between the directions of two decades

"""
    DecadeMarks(x0)

The parameters at the last times that each were ten times the one before.
"""
mutable struct DecadeMarks
    count::Int
    times::Vector{Float64}
    points::Matrix{Float64}         # one column a mark, in a ring
end

DecadeMarks(P::Int) = DecadeMarks(0, zeros(GROWTH_DECADES + 1), zeros(P, GROWTH_DECADES + 1))

slot(m::DecadeMarks, k::Int) = mod1(k, length(m.times))

"""
    mark!(m, t, x)

Note where the flow is, when a decade has passed since the last mark.
"""
function mark!(m::DecadeMarks, t::Float64, x::Vector{Float64})
    m.count > 0 && t < 10 * m.times[slot(m, m.count)] && return nothing
    m.count += 1
    m.times[slot(m, m.count)] = t
    copyto!(view(m.points, :, slot(m, m.count)), x)
    return nothing
end

"""
    running_away(m) -> Vector

The direction (unit length) in which the parameters drifted over the last decades of time; empty when they did not drift
steadily, outwards and one way.
"""
function running_away(m::DecadeMarks)
    m.count > GROWTH_DECADES || return Float64[]
    marks = [slot(m, k) for k in m.count-GROWTH_DECADES:m.count]
    points, times = m.points[:, marks], m.times[marks]
    issorted([norm(points[:, k]) for k in axes(points, 2)]) || return Float64[]
    drifts = [(points[:, k+1] .- points[:, k]) ./ log10(times[k+1] / times[k]) for k in 1:GROWTH_DECADES]
    for (before, after) in zip(drifts[1:end-1], drifts[2:end])
        steady = GROWTH_RATES[1] * norm(before) <= norm(after) <= GROWTH_RATES[2] * norm(before)
        one_way = dot(before, after) >= GROWTH_ALIGNMENT * norm(before) * norm(after)
        norm(after) > 0 && steady && one_way || return Float64[]
    end
    return drifts[end] ./ norm(drifts[end])
end

# Where parameters were heading that left the finite numbers: what they have moved since the start; where that is nothing
# (the loss overflowed at the first step), `instead`.
function direction(moved::Vector{Float64}, instead::Vector{Float64})
    vector = all(iszero, moved) ? instead : moved
    size = norm(vector)
    return isfinite(size) && size > 0 ? vector ./ size : zero(vector)
end

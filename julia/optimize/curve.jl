# Loss and gradient norm along a run of unknown length, in bounded memory.

const CURVE_CAPACITY = 10^4

"""
    Curve()

Iteration, loss and gradient norm of accepted iterations. When the capacity is reached, every other entry goes and from
then on only every second (fourth, ...) point is kept. The last point pushed is always part of what `finish!` leaves.
"""
mutable struct Curve
    iteration::Vector{Int}
    loss::Vector{Float64}
    gnorm::Vector{Float64}
    count::Int
    seen::Int
    stride::Int
    last::Tuple{Int,Float64,Float64}
end

function Curve()
    return Curve(zeros(Int, CURVE_CAPACITY), zeros(CURVE_CAPACITY), zeros(CURVE_CAPACITY), 0, 0, 1, (0, NaN, NaN))
end

filled(c::Curve) = (iteration = c.count, loss = c.count, gnorm = c.count)

function add!(c::Curve, iteration::Int, loss::Float64, gnorm::Float64)
    c.last = (iteration, loss, gnorm)
    keep = iszero(c.seen % c.stride)
    c.seen += 1
    keep || return c
    # One place stays free for the last point.
    if c.count == CURVE_CAPACITY - 1
        thin!(c)
        iszero((c.seen - 1) % c.stride) || return c
    end
    c.count += 1
    c.iteration[c.count], c.loss[c.count], c.gnorm[c.count] = c.last
    return c
end

function thin!(c::Curve)
    c.stride *= 2
    kept = 0
    for j in 1:2:c.count
        kept += 1
        c.iteration[kept], c.loss[kept], c.gnorm[kept] = c.iteration[j], c.loss[j], c.gnorm[j]
    end
    c.count = kept
    return c
end

function finish!(c::Curve)
    if c.seen > 0 && (c.count == 0 || c.iteration[c.count] != c.last[1])
        c.count += 1
        c.iteration[c.count], c.loss[c.count], c.gnorm[c.count] = c.last
    end
    resize!(c.iteration, c.count)
    resize!(c.loss, c.count)
    resize!(c.gnorm, c.count)
    return c
end

# The trajectory of an iteration: iterates, not interpolations, at numbers that are spaced logarithmically.

"""
    IterateSampler(P, n)

Keeps iterates whose numbers grow by a factor of at least `spread`. It starts barely above 1; whenever more than 2n would be kept, it is
squared, and those that are then too close go.
"""
mutable struct IterateSampler
    iteration::Vector{Int}
    t::Vector{Float64}
    loss::Vector{Float64}           # NaN: not known
    x::Matrix{Float64}
    count::Int
    next::Int                       # the number of the next iterate to keep
    spread::Float64
end

function IterateSampler(P::Int, n::Int)
    capacity = 2 * max(n, 2)
    return IterateSampler(zeros(Int, capacity), zeros(capacity), zeros(capacity), zeros(P, capacity), 0, 1, exp2(LOG_GRID))
end

number_after(s::IterateSampler, k::Int) = max(k + 1, ceil(Int, min(s.spread * k, 2.0^62)))

function keep!(s::IterateSampler, iteration::Int, t::Float64, loss::Float64, x::Vector{Float64})
    while s.count == length(s.t)
        thin!(s)
    end
    iteration >= s.next || return nothing
    s.count += 1
    s.iteration[s.count], s.t[s.count], s.loss[s.count] = iteration, t, loss
    copyto!(s.x, (s.count - 1) * length(x) + 1, x, 1, length(x))
    s.next = number_after(s, iteration)
    return nothing
end

function thin!(s::IterateSampler)
    s.spread *= s.spread
    kept, next, P = 0, 1, size(s.x, 1)
    for j in 1:s.count
        s.iteration[j] >= next || continue
        kept += 1
        s.iteration[kept], s.t[kept], s.loss[kept] = s.iteration[j], s.t[j], s.loss[j]
        kept == j || copyto!(s.x, (kept - 1) * P + 1, s.x, (j - 1) * P + 1, P)
        next = number_after(s, s.iteration[kept])
    end
    s.count, s.next = kept, next
    return nothing
end

"""
    trajectory(sampler, n, objective, x0, loss0, here) -> Trajectory

The samples, with the start before and the present iterate `here` after them, at most `n` in all; losses that are not known are
evaluated.
"""
function trajectory(s::IterateSampler, n::Int, o::AbstractObjective, x0::Vector{Float64}, loss0::Float64, here)
    kept = [j for j in 1:s.count if s.iteration[j] < here.iteration]
    chosen = evenly(kept, max(n - 2, 0))
    T = length(chosen) + (here.iteration > 0 ? 2 : 1)
    t, x, losses = zeros(T), zeros(length(x0), T), fill(loss0, T)
    x[:, 1] = x0
    for (i, j) in enumerate(chosen)
        t[i+1] = s.t[j]
        x[:, i+1] = view(s.x, :, j)
        losses[i+1] = isnan(s.loss[j]) ? value(o, x[:, i+1]) : s.loss[j]
    end
    if T > 1
        t[T], losses[T] = here.t, here.loss
        x[:, T] = here.x
    end
    return Trajectory(t, x, losses)
end

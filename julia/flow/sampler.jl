# The trajectory: at the times asked for, or on a logarithmic grid whose end is not known in advance. All samples come
# from dense output.

"""
    Trajectory(t, x, loss)

Samples of a flow: times `t` (length T, ascending, first 0, last the flow's end), parameters `x` (P x T), `loss` (T).
"""
struct Trajectory
    t::Vector{Float64}
    x::Matrix{Float64}
    loss::Vector{Float64}
end

abstract type AbstractSampler end

"""
    TimesSampler(P, times)

Samples at `times` (ascending, positive).
"""
mutable struct TimesSampler <: AbstractSampler
    t::Vector{Float64}
    x::Matrix{Float64}
    count::Int
end

TimesSampler(P::Int, times::Vector{Float64}) = TimesSampler(times, zeros(P, length(times)), 0)

function record!(sampler::TimesSampler, stepper::AbstractStepper, problem::FlowProblem, state::FlowState, tnew::Float64)
    while sampler.count < length(sampler.t) && sampler.t[sampler.count+1] <= tnew
        sampler.count += 1
        sample!(sampler, sampler.count, stepper, problem, state, sampler.t[sampler.count], tnew)
    end
    return nothing
end

# One sample in column j, at time t of the step from state.t to tnew.
function sample!(sampler::AbstractSampler, j::Int, stepper::AbstractStepper, problem::FlowProblem, state::FlowState,
                 t::Float64, tnew::Float64)
    column = view(sampler.x, :, j)
    if t == tnew
        copyto!(column, state.xnew)
    else
        prepare_interpolation!(stepper, problem, state)
        interpolate!(column, stepper, state, clamp((t - state.t) / (tnew - state.t), 0.0, 1.0))
        restore_frozen!(column, problem, state.x)
    end
    return nothing
end

"""
    LogSampler(P, n)

Samples on the grid t_1 2^(k d), k = 0, 1, 2, ..., where t_1 is the end of the first step. The spacing starts far too
fine; whenever more than 2n samples would be kept, `d` doubles and every other sample goes.
"""
mutable struct LogSampler <: AbstractSampler
    t::Vector{Float64}
    x::Matrix{Float64}
    index::Vector{Int}              # k of every sample, in units of the finest spacing
    count::Int
    stride::Int
    first_time::Float64
end

const LOG_GRID = 2.0^-12            # finest spacing, in octaves

function LogSampler(P::Int, n::Int)
    capacity = 2 * max(n, 2)
    return LogSampler(zeros(capacity), zeros(P, capacity), zeros(Int, capacity), 0, 1, NaN)
end

filled(s::LogSampler) = (t = s.count, x = s.count, index = s.count)

grid_index(s::LogSampler, t::Float64) = floor(Int, log2(t / s.first_time) / LOG_GRID)

function record!(s::LogSampler, stepper::AbstractStepper, problem::FlowProblem, state::FlowState, tnew::Float64)
    if isnan(s.first_time)
        s.first_time = tnew
        append_sample!(s, 0, stepper, problem, state, tnew, tnew)
        return nothing
    end
    last_index = grid_index(s, tnew)
    next = s.count == 0 ? 0 : s.index[s.count] + s.stride
    while s.count + fld(last_index - next, s.stride) + 1 > length(s.t)
        thin!(s)
        next = s.index[s.count] + s.stride
    end
    for k in next:s.stride:last_index
        t = min(s.first_time * exp2(k * LOG_GRID), tnew)
        append_sample!(s, k, stepper, problem, state, t, tnew)
    end
    return nothing
end

function append_sample!(s::LogSampler, k::Int, stepper, problem, state, t::Float64, tnew::Float64)
    s.count += 1
    s.index[s.count] = k
    s.t[s.count] = t
    sample!(s, s.count, stepper, problem, state, t, tnew)
    return nothing
end

function thin!(s::LogSampler)
    s.stride *= 2
    kept = 0
    for j in 1:s.count
        iszero(s.index[j] % s.stride) || continue
        kept += 1
        s.index[kept] = s.index[j]
        s.t[kept] = s.t[j]
        kept == j || copyto!(s.x, (kept - 1) * size(s.x, 1) + 1, s.x, (j - 1) * size(s.x, 1) + 1, size(s.x, 1))
    end
    s.count = kept
    return nothing
end

"""
    trajectory(sampler, n, objective, x0, loss0, state) -> Trajectory

The samples, with the start before and the flow's end after them. The loss is evaluated at every sample; `n` is the
number of samples wanted, ends included (all the times asked for are kept).
"""
function trajectory(sampler::AbstractSampler, n::Int, objective::AbstractObjective, x0::Vector{Float64},
                    loss0::Float64, state::FlowState)
    chosen = choose(sampler, n, state.t)
    P, T = length(x0), length(chosen) + (state.t > 0 ? 2 : 1)
    t, x, losses = zeros(T), zeros(P, T), fill(loss0, T)
    x[:, 1] = x0
    for (i, j) in enumerate(chosen)
        t[i+1] = sampler.t[j]
        x[:, i+1] = view(sampler.x, :, j)
        losses[i+1] = value(objective, x[:, i+1])
    end
    if T > 1
        t[T] = state.t
        x[:, T] = state.x
        losses[T] = state.loss
    end
    return Trajectory(t, x, losses)
end

choose(s::TimesSampler, n::Int, tend::Float64) = [j for j in 1:s.count if 0 < s.t[j] < tend]

# The kept samples are between n and 2n in number: take the n - 2 that are nearest to equal spacing in log t.
function choose(s::LogSampler, n::Int, tend::Float64)
    kept = [j for j in 1:s.count if s.t[j] < tend]
    return evenly(kept, max(n - 2, 0))
end

function evenly(many::Vector{Int}, wanted::Int)
    length(many) <= wanted && return many
    return [many[1+div(2 * (i - 1) * (length(many) - 1) + wanted - 1, 2 * max(wanted - 1, 1))] for i in 1:wanted]
end

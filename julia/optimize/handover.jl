# From a method that is good far from a minimum to one that is good near it.

"""
    Relay(first, second, algorithm)

Runs `first` until it `wants_relief` or stalls, then `second` to the end.
"""
mutable struct Relay{A<:AbstractMethod,B<:AbstractMethod} <: AbstractMethod
    algorithm::Symbol
    first::A
    second::B
    switched_at::Int            # iteration; -1 before
end

Relay(algorithm::Symbol, first::AbstractMethod, second::AbstractMethod) = Relay(algorithm, first, second, -1)

wants_relief(::AbstractMethod) = false
wants_relief(m::GaussNewtonMethod) = is_slow(m.rate)

name(m::Relay) = m.algorithm
relieved(m::Relay) = m.switched_at >= 0
iteration_cost(m::Relay) = relieved(m) ? iteration_cost(m.second) : iteration_cost(m.first)
stepsize(m::Relay) = relieved(m) ? stepsize(m.second) : stepsize(m.first)
prepare!(m::Relay, run::OptimRun) = relieved(m) ? prepare!(m.second, run) : prepare!(m.first, run)

function iterate!(m::Relay, run::OptimRun)
    relieved(m) && return iterate!(m.second, run)
    status = iterate!(m.first, run)
    status === :accepted && wants_relief(m.first) && switch!(m, run)
    return status
end

function switch!(m::Relay, run::OptimRun)
    m.switched_at = run.iterations
    prepare!(m.second, run)
    inherit!(m.second, m.first)
    return nothing
end

"""
    relieve!(method, run) -> Bool

Hand over to the second method of a relay, at the best point, when the first has stalled. `false` when there is none left.
"""
relieve!(::AbstractMethod, run::OptimRun) = false

function relieve!(m::Relay, run::OptimRun)
    relieved(m) && return false
    return_to_best!(run) && switch!(m, run)
    return relieved(m)
end

# What the second method should know about the steps of the first.
inherit!(::AbstractMethod, ::AbstractMethod) = nothing

"""
    handovers(m::AbstractMethod) -> Vector{Tuple{Int,Symbol}}

(iteration, method) of every change of the method, the first one included.
"""
handovers(m::AbstractMethod) = [(0, name(m))]
handovers(m::Relay) = relieved(m) ? [(0, name(m.first)), (m.switched_at, name(m.second))] : [(0, name(m.first))]

# From a method that is good far from a minimum to one that is good near it, and back when that was too early.

# Iterations after which a second method that has not arrived gives back to the first. The stretches that follow double.
const RELAY_STRETCH = 100

"""
    Relay(algorithm, first, second)

Runs `first` until it `wants_relief` or stalls, then `second`. Slow convergence to a minimum and a long bent valley look alike to the
first method; where it was a valley, the second does not arrive soon, and the first goes on.
"""
mutable struct Relay{A<:AbstractMethod,B<:AbstractMethod} <: AbstractMethod
    algorithm::Symbol
    first::A
    second::B
    switches::Vector{Int}       # the iterations of the handovers
    stalled_gnorm::Float64      # best so far when the second last stalled; Inf before
    stalled_loss::Float64
end

Relay(algorithm::Symbol, first::AbstractMethod, second::AbstractMethod) = Relay(algorithm, first, second, Int[], Inf, Inf)

wants_relief(::AbstractMethod) = false
wants_relief(m::GaussNewtonMethod) = is_slow(m.rate)

name(m::Relay) = m.algorithm
relieved(m::Relay) = isodd(length(m.switches))

# Does the present stretch last long enough for a handover? The first need not wait the first time.
function had_its_time(m::Relay, run::OptimRun)
    isempty(m.switches) && return true
    return run.iterations - m.switches[end] >= RELAY_STRETCH * 2^(length(m.switches) - 1)
end
iteration_cost(m::Relay) = relieved(m) ? iteration_cost(m.second) : iteration_cost(m.first)
stepsize(m::Relay) = relieved(m) ? stepsize(m.second) : stepsize(m.first)
prepare!(m::Relay, run::OptimRun) = relieved(m) ? prepare!(m.second, run) : prepare!(m.first, run)

function iterate!(m::Relay, run::OptimRun)
    status = relieved(m) ? iterate!(m.second, run) : iterate!(m.first, run)
    done = relieved(m) || wants_relief(m.first)
    status === :accepted && done && had_its_time(m, run) && switch!(m, run)
    return status
end

function switch!(m::Relay, run::OptimRun)
    push!(m.switches, run.iterations)
    return prepare!(m, run)
end

"""
    relieve!(method, run) -> Bool

Hand over to the other method of a relay, at the best point, when one has stalled. `false` when the second has stalled and nothing
was gained since it last did: half of the gradient norm, or a thousandth of the loss.
"""
relieve!(::AbstractMethod, run::OptimRun) = false

function relieve!(m::Relay, run::OptimRun)
    if relieved(m)
        run.best_gnorm <= 0.5 * m.stalled_gnorm || run.best_loss < 0.999 * m.stalled_loss || return false
    end
    return_to_best!(run) || return false
    relieved(m) && ((m.stalled_gnorm, m.stalled_loss) = (run.best_gnorm, run.best_loss))
    switch!(m, run)
    return true
end

"""
    handovers(m::AbstractMethod) -> Vector{Tuple{Int,Symbol}}

(iteration, method) of every change of the method, the first one included.
"""
handovers(m::AbstractMethod) = [(0, name(m))]
handovers(m::Relay) = [(0, name(m.first));
                       [(at, isodd(k) ? name(m.second) : name(m.first)) for (k, at) in enumerate(m.switches)]]

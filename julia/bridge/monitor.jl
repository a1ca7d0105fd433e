# The monitor of a run started by a client: progress frames, cancel requests, the client's callback.

"""
    ClientMonitor(call, order; every=0.1, callback=false)

Tells the client how the run goes, at most once in `every` seconds, and asks it after each step whether to stop when it has a
`callback`. `order` is the permutation to the client's parameter order. Ends a run with `:interrupted` when the client has cancelled
the call and with `:callback` when its callback says so.
"""
mutable struct ClientMonitor <: AbstractMonitor
    call::Call
    order::Vector{Int}
    every::UInt64           # nanoseconds
    callback::Bool
    next_look::UInt64
    next_report::UInt64
    started::UInt64
    rate::RateMeter
end

const LOOK_EVERY = UInt64(5_000_000)    # nanoseconds between two looks for a cancel request

function ClientMonitor(call::Call, order::Vector{Int}; every::Real=0.1, callback::Bool=false)
    now = time_ns()
    return ClientMonitor(call, order, round(UInt64, 1e9 * every), callback, now, now, now, RateMeter())
end

function signal(m::ClientMonitor, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64,
                stepsize::Float64, x::Vector{Float64})
    now = time_ns()
    if now >= m.next_look
        m.next_look = now + LOOK_EVERY
        cancelled(m.call.session, m.call.id) && return :interrupted
    end
    if m.callback
        record = progress_record(m, phase, iteration, t, loss, gnorm, stepsize, now)
        record["params"] = to_python(x, m.order)
        ask!(m.call.session, m.call.id, record) == true || return :continue
        return m.call.id in m.call.session.cancelled ? :interrupted : :callback
    elseif now >= m.next_report
        m.next_report = now + m.every
        tell!(m.call.session, m.call.id, progress_record(m, phase, iteration, t, loss, gnorm, stepsize, now))
    end
    return :continue
end

progress_record(m, phase, iteration, t, loss, gnorm, stepsize, now) =
    Dict{String,Any}("phase" => String(phase), "iteration" => iteration, "t" => t, "loss" => loss, "gnorm" => gnorm,
                     "stepsize" => stepsize, "elapsed" => (now - m.started) / 1e9,
                     "rate" => rate!(m.rate, phase, iteration, now))

# Progress in the REPL: a line now and then, and Ctrl-C that ends a run instead of losing it.

const RATE_WINDOW = UInt64(500_000_000)     # nanoseconds over which a rate is measured, at least

"""
    RateMeter()

Iterations a second over the last half second or more of one phase.
"""
mutable struct RateMeter
    phase::Symbol
    iteration::Int
    since::UInt64
    rate::Float64
end

RateMeter() = RateMeter(:none, 0, UInt64(0), 0.0)

"""
    rate!(m::RateMeter, phase, iteration, now) -> Float64

The rate at `iteration` of `phase`, `now` in nanoseconds; 0 until there is something to measure.
"""
function rate!(m::RateMeter, phase::Symbol, iteration::Int, now::UInt64)
    if m.phase !== phase || iteration < m.iteration
        m.phase, m.iteration, m.since, m.rate = phase, iteration, now, 0.0
    elseif now - m.since >= RATE_WINDOW || (m.rate == 0 && now > m.since && iteration > m.iteration)
        m.rate = (iteration - m.iteration) / (1e-9 * (now - m.since))
        now - m.since >= RATE_WINDOW && ((m.iteration, m.since) = (iteration, now))
    end
    return m.rate
end

"""
    TextMonitor(io = stderr; interval = 5.0, show = true)

Prints phase, iteration, time of the flow, loss, gradient norm, step size and rate at most once in `interval` seconds, and turns an interrupt (Ctrl-C)
into the status `:interrupted`, so that the best point so far is returned. To be used inside `disable_sigint`.
"""
mutable struct TextMonitor{I<:IO} <: AbstractMonitor
    io::I
    interval::Float64
    show::Bool
    last_report::Float64
    last_look::Float64
    rate::RateMeter
end

TextMonitor(io::IO = stderr; interval::Real = 5.0, show::Bool = true) = TextMonitor(io, Float64(interval), show, time(), time(), RateMeter())

const LOOK_INTERVAL = 0.05     # seconds between two looks for Ctrl-C

function signal(m::TextMonitor, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64,
                stepsize::Float64, x::Vector{Float64})
    now = time()
    if now - m.last_look >= LOOK_INTERVAL
        m.last_look = now
        interrupt_pending() && return :interrupted
    end
    if m.show && now - m.last_report >= m.interval
        m.last_report = now
        place = phase === :flow ? "flow   t = $(rounded(t))" : "optim "
        println(m.io, place, "  iteration ", iteration, "  loss ", rounded(loss), "  |grad| ", rounded(gnorm), "  step ",
                rounded(stepsize), "  ", rounded(rate!(m.rate, phase, iteration, time_ns())), " a second")
    end
    return :continue
end

rounded(x::Float64) = round(x; sigdigits = 6)

# An interrupt that came while interrupts were disabled is thrown the moment they are enabled.
function interrupt_pending()
    try
        Base.reenable_sigint(yield)
    catch e
        e isa InterruptException && return true
        rethrow()
    end
    return false
end

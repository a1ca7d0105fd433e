# Progress in the REPL: a line now and then, and Ctrl-C that ends a run instead of losing it.

"""
    TextMonitor(io = stderr; interval = 5.0, show = true)

Prints phase, iteration, time of the flow, loss and gradient norm at most once in `interval` seconds, and turns an interrupt (Ctrl-C)
into the status `:interrupted`, so that the best point so far is returned. To be used inside `disable_sigint`.
"""
mutable struct TextMonitor{I<:IO} <: AbstractMonitor
    io::I
    interval::Float64
    show::Bool
    last_report::Float64
    last_look::Float64
end

TextMonitor(io::IO = stderr; interval::Real = 5.0, show::Bool = true) = TextMonitor(io, Float64(interval), show, time(), time())

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
        println(m.io, place, "  iteration ", iteration, "  loss ", rounded(loss), "  |grad| ", rounded(gnorm))
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

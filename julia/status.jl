# How a run ended, in words, and the one hook through which every long loop reports and can be stopped.

const STATUS_FILE = joinpath(@__DIR__, "statuses.tsv")
Base.include_dependency(STATUS_FILE)

"""
    STATUS_MESSAGES :: Dict{Symbol,String}

Every status a run can end with, and the sentence that explains it and says what to try.
The sentences live in `statuses.tsv`, which the Python package reads too.
"""
const STATUS_MESSAGES = Dict(Symbol(name) => String(sentence) for (name, sentence) in
                             (split(line, '\t') for line in eachline(STATUS_FILE)))

"""
    status_message(status::Symbol) -> String

The sentence that explains `status`. Throws an `ArgumentError` for a name that is not a status.
"""
function status_message(status::Symbol)
    haskey(STATUS_MESSAGES, status) && return STATUS_MESSAGES[status]
    throw(ArgumentError("expected one of the statuses $(sort(collect(keys(STATUS_MESSAGES)))), got :$status"))
end

"""
    AbstractMonitor

What watches a run. A subtype implements
`signal(monitor, phase, iteration, t, loss, gnorm, stepsize, x) -> Symbol`, called once a step, and answers
`:continue`, `:interrupted` or `:callback`; the latter two end the run with that status. It must not keep `x`, which
the loop overwrites.
"""
abstract type AbstractMonitor end

"""
    NoMonitor()

The monitor that watches nothing and never stops a run.
"""
struct NoMonitor <: AbstractMonitor end

signal(::NoMonitor, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64,
       stepsize::Float64, x::Vector{Float64}) = :continue

# Training from several starting points, on as many threads as Julia has.

"""
    train(net, ps::Tuple; num_workers = Threads.nthreads(), verbosity = 1, kwargs...) -> Vector

Train from each of the parameters `ps` (at least one); the results in their order, each what [`train`](@ref) returns for it.

- `num_workers`: runs at the same time, at most as many as Julia has threads (`julia --threads 4`, or `JULIA_NUM_THREADS`). Budgets in seconds
  count for each run; with budgets in iterations the results do not depend on `num_workers`
- `verbosity = 0` says nothing; otherwise a line for every run that has ended
- `kwargs`: those of `train` for one start, but for `checkpoint`, `resume` and `monitor`, which belong to one run

Ctrl-C ends the runs under way with their best points so far; those that have not begun return their starts. Throws, before any run,
what `train` would throw for one of the points.
"""
train(net::Net, ps::Tuple; kwargs...) = train_starts(net, ps; kwargs...)
train(net::NetI, ps::Tuple; kwargs...) = train_starts(net, ps; kwargs...)

function train_starts(net, ps::Tuple; num_workers::Integer = Threads.nthreads(), verbosity::Integer = 1,
                      show_progress::Bool = verbosity > 0, kwargs...)
    isempty(ps) && throw(ArgumentError("expected at least one starting point, got none"))
    num_workers >= 1 || throw(ArgumentError("expected num_workers >= 1, got $num_workers"))
    single = filter(name -> haskey(kwargs, name), [:checkpoint, :resume, :monitor])
    isempty(single) || throw(ArgumentError("expected keywords for several runs, got $(single[1]), which belongs to one"))
    starts = Any[flat_params(net, p) for p in ps]
    results = Vector{Any}(undef, length(starts))
    stop = Threads.Atomic{Bool}(false)
    run(k) = results[k] = train(net, starts[k]; verbosity = 0, show_progress = false, monitor = SharedMonitor(stop), kwargs...)
    report(k) = show_progress && println(stderr, "start ", k, " of ", length(starts), ": ", summary_line(results[k]))
    workers = min(num_workers, Threads.nthreads())
    disable_sigint(() -> in_workers(k -> (run(k); report(k)), () -> interrupt_pending() && (stop[] = true), length(starts), workers))
    return results
end

summary_line(r::AbstractDict) = string(get(r, "status", "done"), haskey(r, "loss") ? ", loss $(rounded(r["loss"]))" : "")
summary_line(r) = string(r.status, ", loss ", rounded(r.loss))

# Call work(1) to work(n), each once, by tasks that take the next number when they are free; meanwhile the calling task calls
# attend() now and then. The first error is thrown when all have ended.
function in_workers(work, attend, n::Int, workers::Int)
    next = Threads.Atomic{Int}(1)
    failures = Vector{Any}(nothing, n)
    function loop()
        while (k = Threads.atomic_add!(next, 1)) <= n
            try
                work(k)
            catch e
                failures[k] = e
                next[] = n + 1
            end
        end
    end
    if workers == 1
        loop()
    else
        tasks = [Threads.@spawn(loop()) for _ in 1:min(workers, n)]
        while !all(istaskdone, tasks)
            sleep(LOOK_INTERVAL)
            attend()
        end
    end
    failed = findfirst(!isnothing, failures)
    failed === nothing || throw(failures[failed])
    return nothing
end

# Ctrl-C reaches the run on the main thread, or, where none is there, the task that called `train`, and ends them all.
struct SharedMonitor <: AbstractMonitor
    stop::Threads.Atomic{Bool}
    look::TextMonitor{Base.DevNull}
end

SharedMonitor(stop::Threads.Atomic{Bool}) = SharedMonitor(stop, TextMonitor(devnull; show = false))

function signal(m::SharedMonitor, phase::Symbol, iteration::Int, t::Float64, loss::Float64, gnorm::Float64, stepsize::Float64,
                x::Vector{Float64})
    m.stop[] && return :interrupted
    Threads.threadid() == 1 || return :continue       # the main thread, where Julia delivers interrupts
    state = signal(m.look, phase, iteration, t, loss, gnorm, stepsize, x)
    state === :interrupted && (m.stop[] = true)
    return state
end

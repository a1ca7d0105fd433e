# The driver of every discrete dynamics: one loop, which knows the protocol of a rule and nothing about it.

"""
    Iterate(x0)

Where a run is: after `iteration` steps, whose learning rates sum up to `t`, at parameters `x`. `loss` and `gnorm` are those of all
samples at iteration number `evaluated`, which in a run with minibatches can be an earlier one. `rate` is the learning rate of the step
from `previous`, or of the next one while it is made; `g` the gradient used last.
"""
mutable struct Iterate
    iteration::Int
    t::Float64
    t_rest::Float64         # what rounding has taken from t
    rate::Float64
    loss::Float64
    gnorm::Float64
    evaluated::Int
    x::Vector{Float64}
    previous::Vector{Float64}
    g::Vector{Float64}
end

Iterate(x0::Vector{Float64}) = Iterate(0, 0.0, 0.0, 0.0, NaN, NaN, -1, copy(x0), copy(x0), zeros(length(x0)))

"""
    DescentOptions

The checked keywords of `descend`; see there.
"""
struct DescentOptions
    maxT::Float64
    maxtime::Float64
    maxiterations::Int
    maxevaluations::Int
    min_gnorm::Float64
    minloss::Float64
    n_samples::Int
    function DescentOptions(maxT, maxtime, maxiterations, maxevaluations, min_gnorm, minloss, n_samples)
        require(maxT >= 0, "expected maxT >= 0, got $maxT")
        require(maxtime >= 0, "expected maxtime >= 0 seconds, got $maxtime")
        require(maxiterations >= 0, "expected maxiterations >= 0, got $maxiterations")
        require(maxevaluations >= 0, "expected maxevaluations >= 0, got $maxevaluations")
        require(min_gnorm >= 0, "expected min_gnorm >= 0, got $min_gnorm")
        require(!isnan(minloss), "expected a number for minloss, got NaN")
        require(n_samples >= 0, "expected n_samples >= 0, got $n_samples")
        return new(maxT, maxtime, maxiterations, maxevaluations, min_gnorm, minloss, n_samples)
    end
end

"""
    Pace(start)

When to look at the clock: at each iteration where they take long, else at every `stride`-th one, since many take less than the look.
"""
mutable struct Pace
    start::Float64
    last_look::Float64
    next_look::Int          # an iteration
    stride::Int
end

Pace(start::Float64) = Pace(start, start, 0, 1)

const PACE_INTERVAL = 1e-3      # seconds between two looks that are worth it
const LONGEST_STRIDE = 64

function out_of_time!(pace::Pace, iteration::Int, maxtime::Float64)
    maxtime == Inf && return false
    iteration >= pace.next_look || return false
    now = time()
    pace.stride = now - pace.last_look < PACE_INTERVAL ? min(2 * pace.stride, LONGEST_STRIDE) : 1
    pace.last_look = now
    pace.next_look = iteration + pace.stride
    return now - pace.start >= maxtime
end

# All that the loop carries along; concrete types for speed. What changes in it is restorable: `at`, `memory`, `sampler`, the
# epochs of `batches`, the counters of `problem`, and the best point.
mutable struct DescentRun{O<:AbstractObjective,R<:AbstractRule,S,B,M<:AbstractMonitor}
    problem::FlowProblem{O}
    rule::R
    memory::S
    batches::B              # nothing: all samples in each step
    at::Iterate
    sampler::IterateSampler
    options::DescentOptions
    monitor::M
    checkpointer::Union{Nothing,Checkpointer}
    pace::Pace
    x0::Vector{Float64}
    loss0::Float64
    best_x::Vector{Float64}
    best_loss::Float64
end

transient(::DescentRun) = (:rule, :options, :monitor, :checkpointer, :pace)
transient(::Batches) = (:samples, :full, :last)

start_time(run::DescentRun) = run.pace.start
set_start_time!(run::DescentRun, start::Float64) = (run.pace.start = start)
name(run::DescentRun) = name(run.rule)

"""
    descend(o::AbstractObjective, x0, rule; maxT = Inf, maxtime = 180.0, maxiterations = 10^6, maxevaluations = typemax(Int),
            min_gnorm = 0.0, minloss = -Inf, tauinv = nothing, n_samples = 100, batchsize = nothing, batchseed = 0, replacement = false,
            monitor = NoMonitor(), checkpointer = nothing, saved = nothing) -> FlowResult

Iterate `rule` (`GradientDescent`, `HeavyBall`, `Nesterov`, `Adam`, `AdamW`, `RMSprop`) from `x0` (length P).

- `maxT`: stop once the learning rates of the steps sum up to this. The sum is the time `t` of the result: gradient descent
  stays near the gradient flow at the same t; rules with momentum or scaled gradients go at a speed of their own
- `maxtime` (seconds), `maxiterations`, `maxevaluations` (gradients, never exceeded): budgets
- `min_gnorm`, `minloss`: stop when the infinity norm of the gradient or the loss is at most this
- `tauinv`: multiplies the learning rate of each parameter, a number or one a parameter; 0 freezes a parameter to the bit
- `n_samples`: about so many iterates are kept for the trajectory, logarithmically spaced in their number
- `batchsize`: samples a step (of a `NetObjective`); `nothing` or the number of samples: all. Each epoch uses every sample once, in
  an order that depends on `batchseed` and the epoch alone, in batches of which the last may be smaller; with `replacement` each step
  draws its samples, and ceil(N/batchsize) steps are an epoch
- `monitor`: sees every step and can end the run
- `checkpointer`: a `Checkpointer` that writes the state of the run now and then; `saved`: a `SavedPhase` to go on from

With minibatches loss and gradient of all samples are evaluated at the end of each epoch: there the best point is looked for and
`min_gnorm` and `minloss` are tested, and what the monitor sees in each step are the last such loss and gradient norm. Batches
count as gradient evaluations like all samples do. A rise of the loss is no error; a loss that is not finite ends the run as
`:diverged` at the iterate before. Failing to get far is a status; an `ArgumentError` is thrown for arguments that make no sense.
"""
function descend(o::AbstractObjective, x0, rule::AbstractRule; saved = nothing, options...)
    run = DescentRun(o, x0, rule; options...)
    saved === nothing || return go_on!(run, saved)
    status = start!(run)
    status === :continue && return pursue!(run)
    status === :nonfinite_start && close_phase!(run.checkpointer, :flow, run, nothing, status)
    return finish(run, status)
end

function pursue!(run::DescentRun)
    status = proceed!(run)
    close_phase!(run.checkpointer, :flow, run, nothing, status)
    return finish(run, status)
end

# The end of an iteration that neither time nor budgets can change.
const FINAL_DESCENT_ENDS = (:nonfinite_start, :diverged, :schedule_finished)

# A run taken up where it was saved. One that had ended goes on where its budgets now allow it.
function go_on!(run::DescentRun, saved::SavedPhase)
    take_up!(run, nothing, saved)
    saved.status in FINAL_DESCENT_ENDS && return finish(run, saved.status)
    reason = saved.status in UNFINISHED ? :continue : stop_reason!(run)
    reason === :continue || return finish(run, reason)
    saved.went_on = true
    return pursue!(run)
end

function DescentRun(o::AbstractObjective, x0, rule::AbstractRule; maxT = Inf, maxtime = 180.0, maxiterations = 10^6,
                    maxevaluations = typemax(Int), min_gnorm = 0.0, minloss = -Inf, tauinv = nothing, n_samples = 100, batchsize = nothing, batchseed = 0,
                    replacement = false, monitor = NoMonitor(), checkpointer = nothing)
    start = time()
    options = DescentOptions(maxT, maxtime, maxiterations, maxevaluations, min_gnorm, minloss, n_samples)
    x = checked_start(o, x0)
    P = length(x)
    problem = FlowProblem(o, checked_tauinv(tauinv, P), options.maxevaluations)
    return DescentRun(problem, rule, memory(rule, P), batches(o, batchsize, batchseed, replacement), Iterate(x),
                      IterateSampler(P, options.n_samples), options, monitor, checkpointer, Pace(start), x, NaN, copy(x), NaN)
end

function start!(run::DescentRun)
    options, at = run.options, run.at
    finite = evaluate!(run)
    run.loss0 = at.loss
    finite || return :nonfinite_start
    min(options.maxT, options.maxtime, options.maxiterations, options.maxevaluations) == 0 ? :not_run : :continue
end

# The loop, from wherever the run is.
function proceed!(run::DescentRun)
    at = run.at
    while true
        status = stop_reason!(run)
        status === :continue || return status
        if !step!(run, run.batches)
            step_back!(at)
            return :diverged
        end
        at.iteration >= run.sampler.next && keep!(run.sampler, at.iteration, at.t, known_loss(at), at.x)
        checkpoint!(run.checkpointer, :flow, run, nothing)
        answer = signal(run.monitor, :flow, at.iteration, at.t, at.loss, at.gnorm, at.rate, at.x)
        answer === :continue || return answer
    end
end

# Sets the rate of the next step, too.
function stop_reason!(run::DescentRun)
    at, options = run.at, run.options
    if at.evaluated == at.iteration
        at.gnorm <= options.min_gnorm && (options.min_gnorm > 0 || options.maxT == Inf) && return :gradient_tolerance
        at.loss <= options.minloss && return :loss_tolerance
    end
    at.t >= options.maxT && return :maxT
    at.iteration >= options.maxiterations && return :maxiterations
    # A batch's gradient, and at the end of an epoch and of the run that of all samples.
    spare_evaluations(run.problem) < (run.batches === nothing ? 1 : 2) && return :maxevaluations
    next_rate = learning_rate(run.rule, at.iteration)
    next_rate > 0 || return :schedule_finished
    out_of_time!(run.pace, at.iteration, options.maxtime) && return :maxtime
    at.rate = next_rate
    return :continue
end

# One step; false when what it needs or leads to is not finite.
function step!(run::DescentRun, ::Nothing)
    move!(run)
    return evaluate!(run)
end

function step!(run::DescentRun, batches::Batches)
    run.problem.gradient_evaluations += 1
    isfinite(next_gradient!(run.at.g, batches, run.at.x)) || return false
    move!(run)
    return !at_end(batches.epochs) || evaluate!(run)
end

function move!(run::DescentRun)
    at, problem = run.at, run.problem
    at.iteration += 1
    update!(at.previous, run.rule, run.memory, at.x, at.g, at.rate, problem.tauinv, at.iteration)
    restore_frozen!(at.previous, problem, run.x0)
    at.x, at.previous = at.previous, at.x
    advance!(at, at.rate)
    return nothing
end

# Compensated summation, so that a hundred steps of 0.01 make 1. W. Kahan, Comm. ACM 8 (1965) 40.
function advance!(at::Iterate, dt::Float64)
    exact = dt + at.t_rest
    t = at.t + exact
    at.t_rest = exact - (t - at.t)
    at.t = t
    return nothing
end

# Back to the last iterate that is known to be finite.
function step_back!(at::Iterate)
    at.iteration > 0 || return nothing
    at.x, at.previous = at.previous, at.x
    at.iteration -= 1
    advance!(at, -at.rate)
    return nothing
end

# Loss and gradient of all samples; are they finite?
function evaluate!(run::DescentRun)
    at, problem = run.at, run.problem
    problem.gradient_evaluations += 1
    at.loss = value_gradient!(at.g, problem.objective, at.x)
    at.gnorm = moving_norm(problem, at.g)
    at.evaluated = at.iteration
    isfinite(at.loss) && isfinite(at.gnorm) || return false
    if !(at.loss >= run.best_loss)
        run.best_loss = at.loss
        copyto!(run.best_x, at.x)
    end
    return true
end

known_loss(at::Iterate) = at.evaluated == at.iteration ? at.loss : NaN

function finish(run::DescentRun, status::Symbol)
    at, problem = run.at, run.problem
    at.evaluated == at.iteration || evaluate!(run)
    trace = trajectory(run.sampler, run.options.n_samples, problem.objective, run.x0, run.loss0, at)
    return FlowResult(status, at.t, copy(at.x), at.loss, at.gnorm, run.best_x, run.best_loss,
                      status === :diverged ? direction(at.x .- run.x0, at.g) : Float64[], trace, at.iteration, at.iteration, 0,
                      problem.gradient_evaluations, 0, 0, 0, name(run.rule), [(0.0, name(run.rule))], time() - run.pace.start)
end

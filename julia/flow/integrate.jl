# The driver of every flow: one loop, which knows the stepper protocol and nothing about a method.

const STALL_STEPS = 200             # accepted steps without progress after which an endless flow has arrived
const ENERGY_ERROR = 2.0^5          # what a step counts as that makes the loss rise: half of it is tried next
const SMALLEST_DT = 1e-200          # at t = 0, where every step moves time
const DRIFTING_STATUSES = (:maxiterations, :maxevaluations, :maxtime, :stalled)    # of an endless flow that found no end
const BLOW_UP = 1e6                 # growth of the parameters that, with a vanishing step size, means divergence

# All that the loop carries along. `sampler` and `monitor` are concrete types for speed.
mutable struct FlowRun{O<:AbstractObjective,S<:AbstractSampler,M<:AbstractMonitor}
    problem::FlowProblem{O}
    state::FlowState
    options::FlowOptions
    controller::PIController
    switch::Switch
    sampler::S
    monitor::M
    marks::DecadeMarks
    checkpointer::Union{Nothing,Checkpointer}
    x0::Vector{Float64}
    loss0::Float64
    best_x::Vector{Float64}
    best_loss::Float64
    lowest_gnorm::Float64
    steps_without_progress::Int
    nonfinite_rejections::Int       # in a row
    accepted::Int
    rejected::Int
    algorithm::Symbol
    stretch_times::Vector{Float64}      # when each stretch with one method began,
    stretch_methods::String             # and the methods, with commas between: text of any length can be restored
    start::Float64
end

# Everything else is the state of the flow.
transient(::FlowRun) = (:options, :monitor, :checkpointer, :start)

iterations(run::FlowRun) = run.accepted + run.rejected

"""
    integrate(o::AbstractObjective, x0; alg=:auto, maxT=Inf, abstol=1e-6, reltol=1e-6, maxtime=180.0,
              maxiterations=10^6, maxevaluations=typemax(Int), min_gnorm=0.0, minloss=-Inf, tauinv=nothing,
              n_samples=100, saveat=nothing, dt0=nothing, monitor=NoMonitor(), checkpointer=nothing, saved=nothing) -> FlowResult

Follow the gradient flow dx/dt = -tauinv .* grad L(x) from `x0` (length P).

- `alg`: `:DP5` and `:DOP853` (explicit, order 5 and 8), `:RKC2` and `:RKC3` (explicit with as many stages as stability asks for,
  order 2 and 3, O(P) memory), `:Rodas5P` and `:ESDIRK547L2SA2` (L-stable, order 5, exact Hessian), `:NewtonKrylov` (the latter
  without matrices), or `:auto`, which changes the method when another one is cheaper
- `maxT`: final time, reached exactly; `Inf` follows the flow until another condition ends it
- `abstol`, `reltol`: the global error of parameter i is meant to stay below max(abstol, reltol |x_i|)
- `maxtime` (seconds), `maxiterations` (accepted and rejected steps), `maxevaluations` (gradients, Hessians and products of
  the Hessian with a vector, never exceeded): budgets
- `min_gnorm`, `minloss`: stop when the infinity norm of the gradient or the loss is at most this
- `tauinv`: inverse time scales, a number or one a parameter; 0 freezes a parameter to the bit
- `n_samples`: about so many samples of the trajectory, spaced logarithmically in time, the start and the end included
- `saveat`: times at which the trajectory is sampled instead (the start and the end are added)
- `dt0`: first step size; chosen when `nothing`
- `monitor`: sees every step and can end the run
- `checkpointer`: a `Checkpointer` that keeps the flow's state in a file; `saved`: a `SavedPhase` from such a file, to go on from
  there, with other budgets where these are given

Failing to get far is a status, not an exception; an `ArgumentError` is thrown for arguments that make no sense.
"""
function integrate(o::AbstractObjective, x0; alg=:auto, maxT=Inf, abstol=1e-6, reltol=1e-6, maxtime=180.0,
                   maxiterations=10^6, maxevaluations=typemax(Int), min_gnorm=0.0, minloss=-Inf, tauinv=nothing,
                   n_samples=100, saveat=nothing, dt0=nothing, monitor=NoMonitor(), checkpointer=nothing, saved=nothing)
    start = time()
    options = FlowOptions(; alg=alg, maxT=maxT, abstol=abstol, reltol=reltol, maxtime=maxtime,
                          maxiterations=maxiterations, maxevaluations=maxevaluations, min_gnorm=min_gnorm,
                          minloss=minloss, n_samples=n_samples, dt0=dt0)
    x = checked_start(o, x0)
    problem = FlowProblem(o, checked_tauinv(tauinv, length(x)), options.maxevaluations)
    sampler = saveat === nothing ? LogSampler(length(x), options.n_samples) :
              TimesSampler(length(x), checked_times(saveat, options.maxT))
    state = FlowState(x)
    switch = Switch(evaluation_costs(o), length(x))
    algorithm = options.alg === :auto ? first_algorithm(switch, options.tolerance) : options.alg
    run = FlowRun(problem, state, options, PIController(), switch, sampler, monitor,
                  DecadeMarks(length(x)), checkpointer, copy(x), NaN, copy(x), NaN, NaN, 0, 0, 0, 0, algorithm, [0.0],
                  String(algorithm), start)
    return saved === nothing ? follow!(run) : go_on!(run, saved)
end

# Start, and integrate from there.
function follow!(run::FlowRun)
    state, options = run.state, run.options
    state.loss = rhs_value!(state.f, state.g, run.problem, state.x)
    state.gnorm = moving_norm(run.problem, state.g)
    run.loss0 = run.best_loss = state.loss
    run.lowest_gnorm = state.gnorm
    if !(isfinite(state.loss) && isfinite(state.gnorm))
        close_phase!(run.checkpointer, :flow, run, nothing, :nonfinite_start)
        return finish(run, :nonfinite_start)
    elseif options.maxT == 0 || options.maxtime == 0 || options.maxiterations == 0 || options.maxevaluations == 0
        return finish(run, :not_run)
    end
    stepper = make_stepper(run)
    return pursue!(run, stepper, drive!(run, stepper))
end

make_stepper(run::FlowRun) = STEPPERS[run.algorithm](length(run.x0))

# Integrate with one method after the other while they hand over, and report.
function pursue!(run::FlowRun, stepper::AbstractStepper, status::Symbol)
    while status === :handover
        stepper = make_stepper(run)
        status = drive!(run, stepper)
    end
    close_phase!(run.checkpointer, :flow, run, stepper, status)
    return finish(run, status)
end

# The end of a flow that neither time nor budgets can change.
const FINAL_FLOW_ENDS = (:nonfinite_start, :diverged, :step_underflow)

# A flow taken up where it was saved. One that had ended goes on where its budgets now allow it.
function go_on!(run::FlowRun, saved::SavedPhase)
    run.algorithm = Symbol(saved.run["algorithm"])
    stepper = saved.method === nothing ? nothing : make_stepper(run)
    take_up!(run, stepper, saved)
    saved.status in FINAL_FLOW_ENDS && return finish(run, saved.status)
    reason = saved.status in UNFINISHED ? :continue : stop_reason(run, stepper)
    reason === :continue || return finish(run, reason)
    saved.went_on = true
    return pursue!(run, stepper, drive!(run, stepper, resumed=true))
end

function wants_handover!(run::FlowRun, stepper::AbstractStepper)
    run.options.alg === :auto || return false
    now = run.algorithm
    run.algorithm = next_algorithm!(run.switch, stepper, run.problem, run.state, run.options.tolerance, run.accepted)
    run.algorithm === now && return false
    push!(run.stretch_times, run.state.t)
    run.stretch_methods *= ",$(run.algorithm)"
    return true
end

# The loop. Returns a status, or :handover when another method should go on from here.
function drive!(run::FlowRun, stepper::AbstractStepper; resumed::Bool=false)
    state, options = run.state, run.options
    tolerance = tighten(options.tolerance, calibration(stepper))
    resumed || restart!(stepper)
    resumed || reset!(run.controller)
    while true
        status = stop_reason(run, stepper)
        status === :continue || return status
        iterations(run) == 0 && set_first_dt!(run, stepper, tolerance)
        wants_handover!(run, stepper) && return :handover
        limit_dt!(stepper, run.problem, state, tolerance)
        tnew = fit_step!(state, options.maxT)
        step!(run, stepper, tolerance, tnew) || (status = underflow_reason(run))
        status === :continue || return status
        answer = signal(run.monitor, :flow, iterations(run), state.t, state.loss, state.gnorm, state.dt, state.x)
        answer === :continue || return answer
        checkpoint!(run.checkpointer, :flow, run, stepper)
    end
end

function set_first_dt!(run::FlowRun, stepper::AbstractStepper, tolerance::Tolerance)
    problem, state, options = run.problem, run.state, run.options
    state.dt = options.dt0
    isnan(options.dt0) || return nothing
    spare = spare_evaluations(problem) - step_cost(stepper)
    state.dt = first_dt(problem, state, tolerance, error_exponent(stepper), spare)
    return nothing
end

# Shortens (or by at most 1 % stretches) the step so that it ends at maxT exactly; the end of the step.
function fit_step!(state::FlowState, maxT::Float64)
    state.dt = min(state.dt, 1e100)
    state.t + 1.01 * state.dt < maxT && return state.t + state.dt
    state.dt = maxT - state.t
    return maxT
end

# One attempt. False when the step size has become too small to move time.
function step!(run::FlowRun, stepper::AbstractStepper, tolerance::Tolerance, tnew::Float64)
    state, problem, k = run.state, run.problem, error_exponent(stepper)
    state.end_evaluated = false
    err = attempt!(stepper, problem, state, tolerance)
    if err <= 1
        evaluate_end!(state, problem)
        err = admissible(run) ? err : isfinite(state.lossnew) ? ENERGY_ERROR : NaN
    end
    if err <= 1
        accepted!(stepper, state)
        record!(run.sampler, stepper, problem, state, tnew)
        dt = state.dt
        move_on!(state, problem, tnew)
        state.dt = dt_after_acceptance!(run.controller, dt, err, k)
        note_progress!(run)
        return true
    end
    run.rejected += 1
    run.nonfinite_rejections = isfinite(err) ? 0 : run.nonfinite_rejections + 1
    state.dt = dt_after_rejection!(run.controller, state.dt, err, k)
    return state.dt > SMALLEST_DT && state.t + state.dt > state.t
end

# Along the flow the loss falls. A rise is allowed as far as the tolerance explains it: reltol of the loss, and abstol^2,
# which is what an error of abstol costs at a minimum.
function admissible(run::FlowRun)
    state, tol = run.state, run.options.tolerance
    isfinite(state.lossnew) && isfinite(moving_norm(run.problem, state.gnew)) || return false
    return state.lossnew <= state.loss + tol.reltol * abs(state.loss) + tol.abstol^2
end

function note_progress!(run::FlowRun)
    state = run.state
    run.accepted += 1
    mark!(run.marks, state.t, state.x)
    run.nonfinite_rejections = 0
    run.steps_without_progress += 1
    if state.loss < run.best_loss
        run.best_loss = state.loss
        copyto!(run.best_x, state.x)
        run.steps_without_progress = 0
    end
    if state.gnorm < run.lowest_gnorm
        run.lowest_gnorm = state.gnorm
        run.steps_without_progress = 0
    end
    return nothing
end

function stop_reason(run::FlowRun, stepper::AbstractStepper)
    state, options = run.state, run.options
    state.gnorm <= options.min_gnorm && (options.min_gnorm > 0 || options.maxT == Inf) && return :gradient_tolerance
    state.loss <= options.minloss && return :loss_tolerance
    state.t >= options.maxT && return :maxT
    iterations(run) >= options.maxiterations && return :maxiterations
    spare_evaluations(run.problem) < step_cost(stepper) && return :maxevaluations
    time() - run.start >= options.maxtime && return :maxtime
    options.maxT == Inf && run.steps_without_progress >= STALL_STEPS && return :stalled
    return :continue
end

# Why no step is small enough: values that are not finite, or parameters that grow without bound in finite time.
function underflow_reason(run::FlowRun)
    run.nonfinite_rejections > 0 && return :diverged
    grown = maximum(abs, run.state.x) > BLOW_UP * max(1.0, maximum(abs, run.x0))
    return grown ? :diverged : :step_underflow
end

function finish(run::FlowRun, status::Symbol)
    state, problem = run.state, run.problem
    growth = status === :diverged ? direction(run.state.x .- run.x0, run.state.f) : running_away(run.marks)
    isempty(growth) || !(status in DRIFTING_STATUSES) || run.options.maxT < Inf || (status = :diverged)
    trace = trajectory(run.sampler, run.options.n_samples, problem.objective, run.x0, run.loss0, state)
    return FlowResult(status, state.t, copy(state.x), state.loss, state.gnorm, run.best_x, run.best_loss, growth, trace,
                      iterations(run), run.accepted, run.rejected, problem.gradient_evaluations,
                      problem.hessian_evaluations, problem.product_evaluations, problem.factorizations, run.algorithm, handovers(run),
                      time() - run.start)
end

handovers(run::FlowRun) = collect(zip(run.stretch_times, Symbol.(split(run.stretch_methods, ','))))

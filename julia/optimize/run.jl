# The state of an optimization, shared by all methods, and the rules by which it ends.

"""
    AbstractMethod

One optimization method. A subtype `M` has a constructor `M(P::Int)` that allocates all its work space, and methods of

    name(m)::Symbol                 what `OptimResult.algorithm` says
    iteration_cost(m)::Int          evaluations (gradients and Hessians) that one iteration needs at least
    prepare!(m, run)                set up at run.x, where run.loss and run.g are known
    iterate!(m, run)::Symbol        one trial step. Returns :accepted (after `move_on!`), :rejected, or a status that ends
                                    the run
    stepsize(m)::Float64            length of the last step, for the monitor
"""
abstract type AbstractMethod end

prepare!(::AbstractMethod, run) = nothing

# Losses closer than this, relative to their size, are the same number up to the rounding of a sum over samples.
const LOSS_ROUNDING = 16 * eps()

# The estimates of rounding know sums, not what happens inside their terms, which may cancel. Reductions below this multiple of
# them are measured by gradients.
const HIDDEN_BY_ROUNDING = 1e3

# Trial steps without a lower loss or a lower gradient norm after which no further progress is expected.
const STALL_TRIALS = 25

mutable struct OptimRun{O<:AbstractObjective,M<:AbstractMonitor}
    objective::O
    options::OptimOptions
    monitor::M
    checkpointer::Union{Nothing,Checkpointer}
    x::Vector{Float64}
    loss::Float64
    g::Vector{Float64}
    gnorm::Float64
    xnew::Vector{Float64}
    gnew::Vector{Float64}
    best_x::Vector{Float64}
    best_loss::Float64              # of best_x
    best_gnorm::Float64
    lowest_loss::Float64            # strictly lowest seen: what patience counts from
    iterations::Int
    last_improvement::Int           # iteration of the last strictly lower loss
    last_progress::Int              # iteration of the last record of loss (beyond rounding) or gradient norm
    gradient_evaluations::Int
    hessian_evaluations::Int
    product_evaluations::Int
    factorizations::Int
    nonfinite_trial::Bool           # the last rejected trial was not finite
    stalled_gnorm::Float64          # best_gnorm when the method last stalled; Inf before
    curve::Curve
    start::Float64
end

# Everything else is the state of the optimization.
transient(::OptimRun) = (:objective, :options, :monitor, :checkpointer, :start)

function OptimRun(o::AbstractObjective, x0, options::OptimOptions, monitor::AbstractMonitor, start::Float64,
                  checkpointer::Union{Nothing,Checkpointer}=nothing)
    x = checked_start(o, x0)
    return OptimRun(o, options, monitor, checkpointer, x, NaN, zero(x), NaN, copy(x), zero(x), copy(x), NaN, NaN, NaN,
                    0, 0, 0, 0, 0, 0, 0, false, Inf, Curve(), start)
end

infinity_norm(g::Vector{Float64}) = norm(g, Inf)

function evaluate_start!(run::OptimRun)
    run.gradient_evaluations += 1
    run.loss = value_gradient!(run.g, run.objective, run.x)
    run.gnorm = infinity_norm(run.g)
    run.best_loss = run.lowest_loss = run.loss
    run.best_gnorm = run.gnorm
    add!(run.curve, 0, run.loss, run.gnorm)
    return isfinite(run.loss) && isfinite(run.gnorm)
end

# Loss at run.xnew; the gradient there goes to run.gnew.
function evaluate_trial!(run::OptimRun)
    run.gradient_evaluations += 1
    return value_gradient!(run.gnew, run.objective, run.xnew)
end

function evaluate_hessian!(H::Matrix{Float64}, run::OptimRun)
    run.hessian_evaluations += 1
    return hessian!(H, run.objective, run.x)
end

function evaluate_gauss_newton!(G::Matrix{Float64}, run::OptimRun)
    run.hessian_evaluations += 1
    return gauss_newton!(G, run.objective, run.x)
end

function evaluate_jacobian!(J::Matrix{Float64}, r::Vector{Float64}, run::OptimRun)
    run.hessian_evaluations += 1
    weighted_residuals!(r, run.objective, run.x)
    return weighted_jacobian!(J, run.objective, run.x)
end

function evaluate_product!(out::Vector{Float64}, run::OptimRun, v::Vector{Float64})
    run.product_evaluations += 1
    return hvp!(out, run.objective, run.x, v)
end

function evaluate_acceleration!(out::Vector{Float64}, run::OptimRun, v::Vector{Float64})
    run.product_evaluations += 1
    return residual_acceleration!(out, run.objective, run.x, v)
end

# The trial point becomes the current point.
function move_on!(run::OptimRun, lossnew::Float64)
    run.x, run.xnew = run.xnew, run.x
    run.g, run.gnew = run.gnew, run.g
    run.loss = lossnew
    run.gnorm = infinity_norm(run.g)
    if run.loss < run.lowest_loss
        run.lowest_loss = run.loss
        run.last_improvement = run.iterations
    end
    slack = HIDDEN_BY_ROUNDING * LOSS_ROUNDING * abs(run.lowest_loss) + loss_resolution(run.objective)
    if run.loss < run.best_loss - slack || (run.loss <= run.lowest_loss + slack && run.gnorm < run.best_gnorm)
        copyto!(run.best_x, run.x)
        run.best_loss, run.best_gnorm = run.loss, run.gnorm
        run.last_progress = run.iterations
    end
    add!(run.curve, run.iterations, run.loss, run.gnorm)
    return :accepted
end

evaluations(run::OptimRun) = run.gradient_evaluations + run.hessian_evaluations + run.product_evaluations

function stop_reason(run::OptimRun, method::AbstractMethod)
    options = run.options
    run.gnorm <= options.min_gnorm && return :gradient_tolerance
    run.loss <= options.minloss && return run.loss == -Inf ? :diverged : :loss_tolerance
    run.iterations >= options.maxiterations && return :maxiterations
    options.maxevaluations - evaluations(run) < iteration_cost(method) && return :maxevaluations
    time() - run.start >= options.maxtime && return :maxtime
    run.iterations - run.last_progress >= STALL_TRIALS && return rounding_reason(run)
    run.iterations - run.last_improvement >= options.patience && return :patience
    return :continue
end

"""
    second_wind!(method, run) -> Bool

Start a method that has stalled afresh from the best point. In a curved valley whose floor is flat to rounding a method's
memory (radius, inverse Hessian) can be what holds it up. `false` when the gradient norm has not halved since the method
last stalled, or when the budget does not allow it.
"""
function second_wind!(method::AbstractMethod, run::OptimRun)
    run.best_gnorm <= 0.5 * run.stalled_gnorm && return_to_best!(run, iteration_cost(method)) || return false
    run.stalled_gnorm = run.best_gnorm
    prepare!(method, run)
    return true
end

# False, and nothing done, when the budget does not allow for that and `more` evaluations.
function return_to_best!(run::OptimRun, more::Int=1)
    run.options.maxevaluations - evaluations(run) > more + 1 || return false
    copyto!(run.x, run.best_x)
    run.gradient_evaluations += 1
    run.loss = value_gradient!(run.g, run.objective, run.x)
    run.gnorm = infinity_norm(run.g)
    run.last_progress = run.iterations
    return true
end

# No step makes progress: because it is the rounding level, or because what lies ahead is not finite.
rounding_reason(run::OptimRun) = run.nonfinite_trial ? :diverged : :stalled

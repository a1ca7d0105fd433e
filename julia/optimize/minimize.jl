# The driver of every optimization: one loop, which knows the protocol of a method and nothing else about it.

# Above this number of parameters an eigendecomposition costs more than the iterations it saves.
const LARGEST_NEWTON = 1000
# And above this one a dense inverse takes more than 200 MB and most of the time.
const LARGEST_DENSE = 5000

"""
    optimize(o::AbstractObjective, x0; solver=:auto, min_gnorm=1e-15, minloss=2e-32, maxtime=120.0,
             maxiterations=10^5, maxevaluations=typemax(Int), patience=10^6, monitor=NoMonitor(),
             checkpointer=nothing, saved=nothing) -> OptimResult

Minimise `o` from `x0` (length P), to the rounding level if the tolerances ask for it.

- `solver`: `:newton` (trust region with the exact step from an eigendecomposition; negative curvature is used), `:newton_cg`
  (the same from products with the Hessian alone), `:levenberg_marquardt` or [`LevenbergMarquardt`](@ref) with options,
  `:gauss_newton` or [`GaussNewton`](@ref) (dogleg), which both need a sum of squares and hand over to Newton's method where they
  become slow, `:bfgs` (dense inverse, strong-Wolfe line search), `:lbfgs` (its last 20 steps alone), or `:auto`: up to 1000
  parameters Levenberg-Marquardt for a sum of squares, else Newton, then BFGS up to 5000
- `min_gnorm`, `minloss`: stop when the infinity norm of the gradient or the loss is at most this
- `maxtime` (seconds), `maxiterations`, `maxevaluations` (gradients and Hessians, never exceeded): budgets
- `patience`: stop after so many iterations without a lower loss
- `monitor`: sees every iteration and can end the run
- `checkpointer`: a `Checkpointer` that keeps the state in a file; `saved`: a `SavedPhase` from such a file, to go on from there,
  with other budgets where these are given

Failing to converge is a status, not an exception; an `ArgumentError` is thrown for arguments that make no sense.
"""
function optimize(o::AbstractObjective, x0; solver=:auto, min_gnorm=1e-15, minloss=2e-32, maxtime=120.0,
                  maxiterations=10^5, maxevaluations=typemax(Int), patience=10^6, monitor=NoMonitor(),
                  checkpointer=nothing, saved=nothing)
    start = time()
    options = OptimOptions(; solver=solver, min_gnorm=min_gnorm, minloss=minloss, maxtime=maxtime,
                           maxiterations=maxiterations, maxevaluations=maxevaluations, patience=patience)
    run = OptimRun(o, x0, options, monitor, start, checkpointer)
    method = make_method(check_requirements(options.solver, o), o)
    return saved === nothing ? minimize!(run, method) : go_on!(run, method, saved)
end

SOLVERS[:auto] = PlainSolver{:auto}
requirements(::PlainSolver{:auto}) = ()
make_method(::PlainSolver{:auto}, o::AbstractObjective) = make_method(chosen_solver(o), o)

function chosen_solver(o::AbstractObjective)
    P = nparams(o)
    P <= LARGEST_NEWTON && isleastsquares(o) && return LevenbergMarquardt()
    P <= LARGEST_NEWTON && has_hessian(o) && return PlainSolver{:newton}()
    return P <= LARGEST_DENSE ? PlainSolver{:bfgs}() : PlainSolver{:lbfgs}()
end

function minimize!(run::OptimRun, method::AbstractMethod)
    options = run.options
    finite = evaluate_start!(run)
    finite || return close!(run, method, :nonfinite_start)
    budget = min(options.maxtime, options.maxiterations, options.maxevaluations)
    budget == 0 && return finish(run, method, :not_run)
    prepare!(method, run)
    return close!(run, method, loop!(run, method))
end

function close!(run::OptimRun, method::AbstractMethod, status::Symbol)
    close_phase!(run.checkpointer, :optim, run, method, status)
    return finish(run, method, status)
end

# The end of an optimization that neither time nor budgets can change.
const FINAL_OPTIM_ENDS = (:nonfinite_start, :diverged, :stalled)

# An optimization taken up where it was saved. One that had ended goes on where its budgets now allow it.
function go_on!(run::OptimRun, method::AbstractMethod, saved::SavedPhase)
    take_up!(run, method, saved)
    saved.status in FINAL_OPTIM_ENDS && return finish(run, method, saved.status)
    return close!(run, method, loop!(run, method))
end

function loop!(run::OptimRun, method::AbstractMethod)
    while true
        status = stop_reason(run, method)
        status === :stalled && (relieve!(method, run) || second_wind!(method, run)) && continue
        status === :continue || return status
        run.iterations += 1
        status = iterate!(method, run)
        status === :stalled && (relieve!(method, run) || second_wind!(method, run)) && continue
        status === :accepted || status === :rejected || return status
        answer = signal(run.monitor, :optim, run.iterations, 0.0, run.loss, run.gnorm, stepsize(method), run.x)
        answer === :continue || return answer
        checkpoint!(run.checkpointer, :optim, run, method)
    end
end

function finish(run::OptimRun, method::AbstractMethod, status::Symbol)
    curve = finish!(run.curve)
    converged = status === :gradient_tolerance || status === :loss_tolerance
    return OptimResult(status, run.best_x, run.best_loss, run.best_gnorm, run.iterations, run.gradient_evaluations,
                       run.hessian_evaluations, run.product_evaluations, run.factorizations, curve.loss, curve.gnorm, curve.iteration,
                       name(method), handovers(method), time() - run.start, converged)
end

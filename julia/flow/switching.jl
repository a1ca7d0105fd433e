# The choice `alg = :auto`: explicit until the flow is stiff, then stabilized, then implicit, each while it pays.
#
# All costs are in gradients and come from counts and sizes, never from a clock, so that a run comes out the same tomorrow. The
# test of stiffness sees a large Lipschitz constant, which also a kink (relu) has; there the steps of the other methods are no
# longer than the explicit ones, and the explicit method takes over again.

const STIFF_STEPS = 15              # steps limited by stability before the first handover
const STIFF_PATIENCE = 8            # that many times more before the next, each time a handover did not pay
const TRIAL_STEPS = 30              # accepted steps of another method over which their length is judged
const MILD_STEPS = 15               # stabilized steps in a row that an explicit method could have made
const MILD = 2.5                    # dt times the largest eigenvalue up to which it could
const EXPLICIT_LIMIT = 3.0          # the same at the steps of an explicit method that stability limits
const EXPLICIT_COST = 6.0           # gradients of a step of DP5
const HANDOVER_GAIN = 1.5           # how many times cheaper another method must look
const IMPLICIT_STRIDE = 8.0         # stabilized steps that an implicit one replaces at the same tolerance: its order is higher
const REUSE = 0.3                   # new Hessians and factorisations a step of the implicit method

# Above this number of parameters neither the Hessian nor its factorisation is worth its memory and time.
const LARGEST_IMPLICIT = 5000

# Up to so many gradients a step the implicit method needs no trial by the stabilized one: some 1000 parameters.
const CHEAP_IMPLICIT = 150.0

"""
    Switch(costs, P)

What `:auto` remembers: what evaluations of this objective cost, how many stiff steps it takes to hand over, the mean explicit
step while the flow was stiff, the mild steps in a row, and where the present stretch began (time, accepted steps, gradients
spent).
"""
mutable struct Switch
    hessian::Float64
    product::Float64
    factorization::Float64
    solve::Float64
    P::Int
    stiff_steps::Int
    explicit_dt::Float64
    mild_steps::Int
    t::Float64
    accepted::Int
    spent::Float64
end

Switch(costs::EvaluationCosts, P::Int) =
    Switch(costs.hessian, costs.product, costs.factorization, costs.solve, P, STIFF_STEPS, 0.0, 0, 0.0, 0, 0.0)

# What a stretch has cost: every gradient of an implicit method comes with a solution.
function spent(s::Switch, p::FlowProblem, implicit::Bool)
    gradient = implicit ? 1 + s.solve : 1.0
    return gradient * p.gradient_evaluations + s.hessian * p.hessian_evaluations + s.product * p.product_evaluations +
           s.factorization * p.factorizations
end

implicit_cost(s::Switch) = 8 * (1 + s.solve) + REUSE * (s.hessian + s.factorization)
stabilized_cost(z::Float64) = max(3.0, sqrt(1.54 * max(z, 0.0) + 1))
explicit_cost(z::Float64) = EXPLICIT_COST * max(1.0, z / EXPLICIT_LIMIT)

implicit_pays_at_once(s::Switch) = s.P <= LARGEST_IMPLICIT && implicit_cost(s) <= CHEAP_IMPLICIT

function mark!(s::Switch, problem::FlowProblem, t::Float64, accepted::Int, implicit::Bool)
    s.t = t
    s.accepted = accepted
    s.spent = spent(s, problem, implicit)
    return nothing
end

mean_dt(s::Switch, t::Float64, accepted::Int) = (t - s.t) / max(accepted - s.accepted, 1)

"""
    first_algorithm(tolerance) -> Symbol

The explicit method to begin with.
"""
first_algorithm(tol::Tolerance) = max(tol.abstol, tol.reltol) < 1e-7 ? :DOP853 : :DP5

"""
    next_algorithm!(s, stepper, problem, state, tolerance, accepted) -> Symbol

The method for the next step, after `accepted` steps the last of which `stepper` made.
"""
function next_algorithm!(s::Switch, stepper::Union{DP5,DOP853}, problem::FlowProblem, state::FlowState, tol::Tolerance,
                         accepted::Int)
    stiff = stiff_steps(stepper)
    stiff == 0 && mark!(s, problem, state.t, accepted, false)
    stiff >= s.stiff_steps || return name(stepper)
    s.explicit_dt = mean_dt(s, state.t, accepted)
    s.mild_steps = 0
    implicit = implicit_pays_at_once(s)
    mark!(s, problem, state.t, accepted, implicit)
    return implicit ? :ESDIRK547L2SA2 : :RKC3
end

# On to the implicit method when its steps cost less, back when an explicit method would do.
function next_algorithm!(s::Switch, stepper::RKC3, problem::FlowProblem, state::FlowState, tol::Tolerance, accepted::Int)
    rho = stepper.stages.radius.value
    accepted > s.accepted && rho > 0 || return :RKC3
    z = state.dt * rho
    s.mild_steps = z < MILD ? s.mild_steps + 1 : 0
    if s.mild_steps >= MILD_STEPS
        give_up!(s)
        mark!(s, problem, state.t, accepted, false)
        return first_algorithm(tol)
    end
    s.P <= LARGEST_IMPLICIT && IMPLICIT_STRIDE * stabilized_cost(z) > implicit_cost(s) || return :RKC3
    s.explicit_dt = EXPLICIT_LIMIT / rho
    mark!(s, problem, state.t, accepted, true)
    return :ESDIRK547L2SA2
end

# Back to whichever would have made these steps for less.
function next_algorithm!(s::Switch, stepper::AbstractStepper, problem::FlowProblem, state::FlowState, tol::Tolerance,
                         accepted::Int)
    steps = accepted - s.accepted
    steps >= TRIAL_STEPS || return name(stepper)
    z = EXPLICIT_LIMIT * mean_dt(s, state.t, accepted) / s.explicit_dt
    cost = (spent(s, problem, true) - s.spent) / steps
    stabilized = IMPLICIT_STRIDE * stabilized_cost(z / IMPLICIT_STRIDE)
    cheaper = HANDOVER_GAIN * min(explicit_cost(z), stabilized) < cost
    mark!(s, problem, state.t, accepted, true)
    cheaper || return name(stepper)
    give_up!(s)
    mark!(s, problem, state.t, accepted, false)
    return explicit_cost(z) <= stabilized ? first_algorithm(tol) : :RKC3
end

function give_up!(s::Switch)
    s.stiff_steps *= STIFF_PATIENCE
    s.mild_steps = 0
    return nothing
end

# The choice `alg = :auto`: where a step of an implicit method costs little, implicit from the start; otherwise explicit until the
# flow is stiff, then stabilized, then implicit, each while it pays.
#
# All costs are in gradients and come from counts and sizes, never from a clock, so that a run comes out the same tomorrow. The
# test of stiffness sees a large Lipschitz constant, which also a kink (relu) has; there the steps of the other methods are no
# longer than the explicit ones, and the explicit method takes over again.

const STIFF_STEPS = 15              # steps limited by stability before the first handover
const STIFF_PATIENCE = 8            # that many times more before the next, each time a handover did not pay
const TRIAL_STEPS = 10              # accepted steps of an implicit method over which its cost and length are judged
const MILD_STEPS = 15               # stabilized steps in a row that an explicit method could have made
const COSTLY_STEPS = 10             # stabilized steps in a row for which an implicit method looked cheaper
const MILD = 2.5                    # dt times the largest eigenvalue up to which it could
const EXPLICIT_LIMIT = 3.0          # the same at the steps of an explicit method that stability limits
const EXPLICIT_COST = 6.0           # gradients of a step of DP5
const HANDOVER_GAIN = 1.5           # how many times cheaper another method must look,
const IMPLICIT_GAIN = 2.5           # and the other implicit one, which has to begin anew with what it knows of the Hessian
const IMPLICIT_STRIDE = 8.0         # stabilized steps that an implicit one replaces at the same tolerance: its order is higher

# Of a step of the implicit method, measured over flows of networks with 33 to 1291 parameters: gradients, Hessians with their
# factorisations, and the products of the Hessian that the Krylov method needs where few eigenvalues are large.
const DIRECT_GRADIENTS = 10.0
const DIRECT_HESSIANS = 0.4
const KRYLOV_GRADIENTS = 7.5
const KRYLOV_PRODUCTS = 8.0
const MANY_PRODUCTS = 60.0          # with more parameters than LARGEST_DIRECT: the preconditioner does not know enough eigenvalues

# At tolerances for which order 5 is enough, an implicit step is so many times longer than one of DP5 where nothing is stiff,
# typically in a new flow, and at least.
const FIRST_STRIDE = 3.5
const MILD_STRIDE = 2.5

# Above this number of parameters neither the Hessian nor its factorisation is worth its memory and time.
const LARGEST_DIRECT = 5000

# Up to so many gradients a step the implicit method needs no trial by the stabilized one.
const CHEAP_IMPLICIT = 100.0

"""
    Switch(costs, P)

What `:auto` remembers: what evaluations of this objective cost, what a step of the two implicit methods costs (from sizes, and
once they have been tried from counts), how many stiff steps it takes to hand over, the mild and the costly steps in a row, and where the
present stretch began (time, accepted steps, gradients spent).
"""
mutable struct Switch
    hessian::Float64
    product::Float64
    factorization::Float64
    solve::Float64
    direct_step::Float64
    krylov_step::Float64
    stiff_steps::Int
    mild_steps::Int
    costly_steps::Int
    t::Float64
    accepted::Int
    spent::Float64
end

function Switch(c::EvaluationCosts, P::Int)
    many = P > LARGEST_DIRECT
    direct = many ? Inf : DIRECT_GRADIENTS * (1 + c.solve) + DIRECT_HESSIANS * (c.hessian + c.factorization)
    krylov = KRYLOV_GRADIENTS + (many ? MANY_PRODUCTS : KRYLOV_PRODUCTS) * c.product
    return Switch(c.hessian, c.product, c.factorization, c.solve, direct, krylov, STIFF_STEPS, 0, 0, 0.0, 0, 0.0)
end

# What has been spent so far, in the eyes of `algorithm`: every gradient of the direct method comes with a solution.
function spent(s::Switch, p::FlowProblem, algorithm::Symbol)
    gradient = algorithm === :ESDIRK547L2SA2 ? 1 + s.solve : 1.0
    return gradient * p.gradient_evaluations + s.hessian * p.hessian_evaluations + s.product * p.product_evaluations +
           s.factorization * p.factorizations
end

implicit_step(s::Switch) = min(s.direct_step, s.krylov_step)
implicit_method(s::Switch) = s.direct_step <= s.krylov_step ? :ESDIRK547L2SA2 : :NewtonKrylov

# Gradients of a stabilized step of z over the largest eigenvalue, and of the explicit steps in place of an implicit one.
stabilized_step(z::Float64) = max(3.0, sqrt(1.54 * max(z, 0.0) + 1))
explicit_step(z::Float64) = EXPLICIT_COST * max(MILD_STRIDE, z / EXPLICIT_LIMIT)

# A new stretch begins, with `algorithm`.
function mark!(s::Switch, problem::FlowProblem, t::Float64, accepted::Int, algorithm::Symbol)
    s.t = t
    s.accepted = accepted
    s.mild_steps = s.costly_steps = 0
    s.spent = spent(s, problem, algorithm)
    return algorithm
end

explicit_method(tol::Tolerance) = max(tol.abstol, tol.reltol) < 1e-7 ? :DOP853 : :DP5

"""
    first_algorithm(s, tolerance) -> Symbol

The method to begin with.
"""
function first_algorithm(s::Switch, tol::Tolerance)
    explicit = explicit_method(tol)
    return explicit === :DP5 && implicit_step(s) <= FIRST_STRIDE * EXPLICIT_COST ? implicit_method(s) : explicit
end

"""
    next_algorithm!(s, stepper, problem, state, tolerance, accepted) -> Symbol

The method for the next step, after `accepted` steps the last of which `stepper` made.
"""
function next_algorithm!(s::Switch, stepper::Union{DP5,DOP853}, problem::FlowProblem, state::FlowState, tol::Tolerance,
                         accepted::Int)
    stiff = stiff_steps(stepper)
    stiff == 0 && mark!(s, problem, state.t, accepted, name(stepper))
    stiff >= s.stiff_steps || return name(stepper)
    return mark!(s, problem, state.t, accepted, implicit_step(s) <= CHEAP_IMPLICIT ? implicit_method(s) : :RKC3)
end

# On to an implicit method when its steps cost less, back when an explicit method would do.
function next_algorithm!(s::Switch, stepper::RKC3, problem::FlowProblem, state::FlowState, tol::Tolerance, accepted::Int)
    rho = stepper.stages.radius.value
    accepted > s.accepted && rho > 0 || return :RKC3
    z = state.dt * rho
    s.mild_steps = z < MILD ? s.mild_steps + 1 : 0
    if s.mild_steps >= MILD_STEPS
        give_up!(s)
        return mark!(s, problem, state.t, accepted, explicit_method(tol))
    end
    costly = IMPLICIT_STRIDE * stabilized_step(z) > HANDOVER_GAIN * implicit_step(s)
    s.costly_steps = costly ? s.costly_steps + 1 : 0
    s.costly_steps >= COSTLY_STEPS || return :RKC3
    return mark!(s, problem, state.t, accepted, implicit_method(s))
end

# On to whichever would have made these steps for less.
function next_algorithm!(s::Switch, stepper::ESDIRK, problem::FlowProblem, state::FlowState, tol::Tolerance, accepted::Int)
    steps = accepted - s.accepted
    steps >= TRIAL_STEPS || return name(stepper)
    rho = largest_eigenvalue(stepper.solver, problem)
    rho > 0 || return name(stepper)
    cost = (spent(s, problem, name(stepper)) - s.spent) / steps
    z = rho * (state.t - s.t) / steps
    remember_cost!(s, stepper, cost)
    mark!(s, problem, state.t, accepted, name(stepper))
    explicit, stabilized = explicit_step(z), IMPLICIT_STRIDE * stabilized_step(z / IMPLICIT_STRIDE)
    IMPLICIT_GAIN * implicit_step(s) < cost && implicit_step(s) <= min(explicit, stabilized) &&
        return mark!(s, problem, state.t, accepted, implicit_method(s))
    HANDOVER_GAIN * min(explicit, stabilized) < cost || return name(stepper)
    give_up!(s)
    return mark!(s, problem, state.t, accepted, explicit <= stabilized ? explicit_method(tol) : :RKC3)
end

remember_cost!(s::Switch, ::ESDIRK547L2SA2, cost::Float64) = (s.direct_step = cost)
remember_cost!(s::Switch, ::NewtonKrylov, cost::Float64) = (s.krylov_step = cost)

give_up!(s::Switch) = (s.stiff_steps *= STIFF_PATIENCE)

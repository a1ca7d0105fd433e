# The protocol of an integrator. A new integrator is one new file that implements it; the driver loop, the step-size
# controller, the dense output's use and all stopping rules are shared.

"""
    AbstractStepper

One integration method. A subtype `S` has a constructor `S(P::Int)` that allocates all its work space, and methods of

    name(s)::Symbol                            what `FlowResult.algorithm` says
    error_exponent(s)::Int                     k, where the local error estimate is O(dt^k)
    calibration(s)::Float64                    the part of the tolerance that one step's estimate may use up
    step_cost(s)::Int                          evaluations (gradients, Hessians, products) that one attempt needs: exactly so
                                               many at most, or, for a method that looks at `exhausted(problem)` before
                                               every evaluation (and returns Inf then), what a usual attempt costs
    limit_dt!(s, problem, state, tolerance)    shorten state.dt where the method needs it, before every attempt
    restart!(s)                                forget everything about the last point
    attempt!(s, problem, state, tolerance)     try a step of size state.dt from state.x: write state.xnew and return
                                               the scaled error estimate (accepted when <= 1; Inf or NaN when the step
                                               could not be made). May set state.end_evaluated, see FlowState.
    accepted!(s, state)                        the step was taken; called before state.x moves on
    prepare_interpolation!(s, problem, state)  called before `interpolate!`: make the evaluations that dense output needs
                                               beyond those of the step, once a step (`step_cost` includes them)
    interpolate!(y, s, state, theta)           dense output at t + theta dt of the step just accepted (called between
                                               `accepted!` and the next attempt, before state.x moves on)
    stiff_steps(s)::Int                        how many steps have been limited by stability in one stretch
"""
abstract type AbstractStepper end

"""
    STEPPERS :: Dict{Symbol,Any}

The constructor of every method, by the name that `alg` takes. The file of a method adds its own.
"""
const STEPPERS = Dict{Symbol,Any}()

# Most methods hold nothing that must be forgotten, take steps of any size, and implicit ones are never limited by stability.
restart!(::AbstractStepper) = nothing
accepted!(::AbstractStepper, state) = nothing
prepare_interpolation!(::AbstractStepper, problem, state) = nothing
stiff_steps(::AbstractStepper) = 0
limit_dt!(::AbstractStepper, problem, state, tol) = nothing

"""
    FlowState(x0)

Where the flow is, and where the attempted step would lead: time `t`, step size `dt`, parameters `x` with loss,
gradient `g` and velocity `f` there; `xnew` and, once `end_evaluated` is true, `lossnew`, `gnew`, `fnew`.
"""
mutable struct FlowState
    t::Float64
    dt::Float64
    loss::Float64
    gnorm::Float64
    lossnew::Float64
    end_evaluated::Bool
    x::Vector{Float64}
    g::Vector{Float64}
    f::Vector{Float64}
    xnew::Vector{Float64}
    gnew::Vector{Float64}
    fnew::Vector{Float64}
end

function FlowState(x0::AbstractVector)
    work() = zeros(length(x0))
    return FlowState(0.0, 0.0, NaN, NaN, NaN, false, Vector{Float64}(x0), work(), work(), copy(Vector{Float64}(x0)),
                     work(), work())
end

# Loss, gradient and velocity at the end of the attempted step, unless the stepper has already computed them.
function evaluate_end!(state::FlowState, problem::FlowProblem)
    state.end_evaluated && return state.lossnew
    state.lossnew = rhs_value!(state.fnew, state.gnew, problem, state.xnew)
    state.end_evaluated = true
    return state.lossnew
end

# The end of the step becomes the current point; the vectors trade places, nothing is copied.
function move_on!(state::FlowState, problem::FlowProblem, tnew::Float64)
    state.x, state.xnew = state.xnew, state.x
    state.g, state.gnew = state.gnew, state.g
    state.f, state.fnew = state.fnew, state.f
    state.loss = state.lossnew
    state.gnorm = moving_norm(problem, state.g)
    state.t = tnew
    state.end_evaluated = false
    return state
end

"""
    Tolerance(abstol, reltol)

An error `e` of the parameters is measured as max_i |e_i| / max(abstol, reltol max(|x_i|, |xnew_i|)): the maximum norm,
because the accuracy promised is one of every parameter.
"""
struct Tolerance
    abstol::Float64
    reltol::Float64
end

scale(tol::Tolerance, a::Float64, b::Float64) = max(tol.abstol, tol.reltol * max(abs(a), abs(b)))

tighten(tol::Tolerance, factor::Float64) = Tolerance(factor * tol.abstol, factor * tol.reltol)

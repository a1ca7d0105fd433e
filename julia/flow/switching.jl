# The choice `alg = :auto`: explicit until the flow is stiff, implicit while that pays.
#
# Measured on networks of 10 to 600 parameters: before stability limits the step DP5 is 2 to 10 times cheaper even for 10
# parameters, afterwards Rodas5P. The test of stiffness sees a large Lipschitz constant, which also a kink (relu) has; there
# the implicit steps are no longer than the explicit ones, and the explicit method takes over again.

const STIFF_STEPS = 15              # steps limited by stability before the first handover
const STIFF_PATIENCE = 8            # that many times more before the next, each time a handover did not pay
const TRIAL_STEPS = 30              # accepted implicit steps over which their length is judged

# Above this number of parameters Hessian and factorisation cost more than the steps that they would save.
const LARGEST_IMPLICIT = 2000

"""
    Switch()

What `:auto` remembers: how many stiff steps it takes to hand over, the mean explicit step while the flow was stiff, and
the time and the number of accepted steps at which the present stretch began.
"""
mutable struct Switch
    stiff_steps::Int
    explicit_dt::Float64
    t::Float64
    accepted::Int
end

Switch() = Switch(STIFF_STEPS, 0.0, 0.0, 0)

function mark!(s::Switch, t::Float64, accepted::Int)
    s.t = t
    s.accepted = accepted
    return nothing
end

mean_dt(s::Switch, t::Float64, accepted::Int) = (t - s.t) / max(accepted - s.accepted, 1)

# What an implicit step costs in explicit ones: eight gradients, a Hessian and a factorisation against six gradients.
implicit_cost(P::Int) = 3 + P / 100

"""
    next_algorithm!(s, algorithm, stiff, t, accepted, P) -> Symbol

The method for the next step, after `accepted` steps up to time `t` with `algorithm` whose last `stiff` steps were limited
by stability, for `P` parameters.
"""
function next_algorithm!(s::Switch, algorithm::Symbol, stiff::Int, t::Float64, accepted::Int, P::Int)
    if algorithm === :DP5
        stiff == 0 && mark!(s, t, accepted)
        stiff >= s.stiff_steps && P <= LARGEST_IMPLICIT || return :DP5
        s.explicit_dt = mean_dt(s, t, accepted)
        mark!(s, t, accepted)
        return :Rodas5P
    end
    accepted - s.accepted >= TRIAL_STEPS || return :Rodas5P
    pays = mean_dt(s, t, accepted) >= implicit_cost(P) * s.explicit_dt
    mark!(s, t, accepted)
    pays && return :Rodas5P
    s.stiff_steps *= STIFF_PATIENCE
    return :DP5
end

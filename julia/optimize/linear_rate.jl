# How a Gauss-Newton model shows that it leaves something out.

# Slow steps in a row after which a Gauss-Newton model is given up.
const SLOW_STEPS = 5
const SLOW_SLOPE = 0.1
const SLOW_LOSS = 0.98

"""
    LinearRate(P)

Counts slow steps in a row of a Gauss-Newton model: steps that leave more than a tenth of the gradient and 98% of the loss although
the model, damping included, expected to leave at most half of that gradient. What is left then is the second-order term of the
Hessian, sum_i r_i r_i'', which the model leaves out; near a minimum with residuals it makes convergence linear.
"""
mutable struct LinearRate
    count::Int
    expected::Vector{Float64}   # the gradient that the model expected
end

LinearRate(P::Int) = LinearRate(0, zeros(P))

function reset!(rate::LinearRate)
    rate.count = 0
    return nothing
end

# Called while run.loss and run.g are those before the step, lossnew and run.gnew those at its end.
function observe!(rate::LinearRate, model::GaussNewtonModel, s::Vector{Float64}, run::OptimRun, lossnew::Float64)
    left = norm(run.gnew)
    slow = left > SLOW_SLOPE * norm(run.g) && lossnew > SLOW_LOSS * run.loss
    surprising = slow && norm(expected_gradient!(rate.expected, model, s)) <= 0.5 * left
    rate.count = surprising ? rate.count + 1 : 0
    return nothing
end

is_slow(rate::LinearRate) = rate.count >= SLOW_STEPS

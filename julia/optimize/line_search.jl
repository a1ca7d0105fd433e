# Line search for the Wolfe conditions, in their strong form where the loss can be trusted and in the approximate form
# of Hager and Zhang, which needs derivatives alone, where rounding hides its decrease.
#
# W. W. Hager, H. Zhang, "A new conjugate gradient method with guaranteed descent and an efficient line search",
# SIAM J. Optim. 16 (2005) 170-192, section 4; J. Nocedal, S. J. Wright, Numerical Optimization (2006), 3.1.

const WOLFE_DECREASE = 1e-4
const WOLFE_CURVATURE = 0.9
const APPROXIMATE_DECREASE = 0.1
const SEARCH_TRIALS = 40
const SEARCH_EXPANSION = 5.0    # factors 5, 25, 125, ...: a loss without a bound is found out within the trials

"""
    LineSearch()

State of one search along d: the losses and slopes at 0 and at the ends of the bracket [a, b]. `slope_b` is NaN where
the loss at b is too high to be of use.
"""
mutable struct LineSearch
    loss0::Float64
    slope0::Float64
    noise::Float64
    a::Float64
    slope_a::Float64
    b::Float64
    slope_b::Float64
    alpha::Float64
    loss::Float64
end

LineSearch() = LineSearch(NaN, NaN, 0.0, 0.0, NaN, Inf, NaN, 0.0, NaN)

# Is the step alpha with this loss and slope good enough?
function satisfies_wolfe(ls::LineSearch, alpha::Float64, loss::Float64, slope::Float64)
    abs(slope) <= WOLFE_CURVATURE * abs(ls.slope0) || return false
    loss <= ls.loss0 + WOLFE_DECREASE * alpha * ls.slope0 && return true
    return loss <= ls.loss0 + ls.noise && slope <= (2 * APPROXIMATE_DECREASE - 1) * ls.slope0
end

# The next trial in a bracket: the zero of the secant of the slopes, kept off the ends; bisection when the bracket shrinks
# too slowly; and closer to the lower end when the upper one has no useful slope.
function next_trial(ls::LineSearch, bisect::Bool)
    width = ls.b - ls.a
    isnan(ls.slope_b) && return ls.a + 0.25 * width
    bisect && return ls.a + 0.5 * width
    secant = ls.a - ls.slope_a * width / (ls.slope_b - ls.slope_a)
    return clamp(secant, ls.a + 0.05 * width, ls.b - 0.05 * width)
end

"""
    search!(ls, run, d, alpha) -> Bool

Search along the descent direction `d` from run.x, first at the step `alpha`. On success run.xnew and run.gnew hold the
point and its gradient, `ls.alpha` and `ls.loss` step and loss. False when no acceptable step is found; `ls.loss` is then
-Inf when the loss falls without end.
"""
function search!(ls::LineSearch, run::OptimRun, d::Vector{Float64}, alpha::Float64)
    ls.loss0, ls.slope0, ls.noise = run.loss, dot(run.g, d), loss_noise(run, 0.0)
    ls.a, ls.slope_a, ls.b, ls.slope_b = 0.0, ls.slope0, Inf, NaN
    expansion = 1.0
    for _ in 1:SEARCH_TRIALS
        evaluations(run) < run.options.maxevaluations || return false
        loss, slope = trial!(run, d, alpha)
        ls.alpha, ls.loss = alpha, loss
        run.nonfinite_trial = !(isfinite(loss) && isfinite(slope))
        satisfies_wolfe(ls, alpha, loss, slope) && return true
        loss == -Inf && return false
        width = ls.b - ls.a
        narrow!(ls, alpha, loss, slope)
        isinf(ls.b) && (expansion *= SEARCH_EXPANSION)
        ls.b - ls.a <= eps() * ls.b && isfinite(ls.b) && return false
        alpha = isinf(ls.b) ? expansion * alpha : next_trial(ls, ls.b - ls.a > 0.66 * width)
        isfinite(alpha) || break
    end
    # Never bracketed: the loss falls without end along d.
    isinf(ls.b) && (ls.loss = -Inf)
    return false
end

function trial!(run::OptimRun, d::Vector{Float64}, alpha::Float64)
    @. run.xnew = run.x + alpha * d
    loss = evaluate_trial!(run)
    return loss, dot(run.gnew, d)
end

# Keeps: the loss at a is not above the start and falls there; at b it rises, or is too high.
function narrow!(ls::LineSearch, alpha::Float64, loss::Float64, slope::Float64)
    if !isfinite(loss) || !isfinite(slope)
        ls.b, ls.slope_b = alpha, NaN
    elseif slope >= 0
        ls.b, ls.slope_b = alpha, slope
    elseif loss <= ls.loss0 + ls.noise
        ls.a, ls.slope_a = alpha, slope
    else
        ls.b, ls.slope_b = alpha, NaN
    end
    return ls
end

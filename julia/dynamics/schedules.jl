# Learning rates that change: factors of the rule's learning rate, as functions of the number of steps made before.

"""
    AbstractSchedule

How a learning rate changes. A subtype has a method `rate_factor(schedule, k)`: what the rule's learning rate is multiplied by
in the step after `k` steps.
"""
abstract type AbstractSchedule end

"""
    Constant()

The learning rate stays what it is.
"""
struct Constant <: AbstractSchedule end

rate_factor(::Constant, k::Int) = 1.0

"""
    Cosine(steps; final = 0.0)

From 1 to `final` along half a cosine, final + (1 - final) (1 + cos(pi k/steps))/2, then `final`. I. Loshchilov, F. Hutter,
"SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5; PyTorch's `CosineAnnealingLR(T_max = steps)` with
`eta_min` in units of the learning rate. A run whose rate has come to zero ends.
"""
struct Cosine <: AbstractSchedule
    steps::Int
    final::Float64
    function Cosine(steps::Integer; final::Real = 0.0)
        require(steps >= 1, "Cosine: expected steps >= 1, got $steps")
        require(0 <= final <= 1, "Cosine: expected final between 0 and 1, got $final")
        return new(steps, final)
    end
end

rate_factor(s::Cosine, k::Int) = k >= s.steps ? s.final : s.final + (1 - s.final) * (1 + cos(pi * k / s.steps)) / 2

"""
    StepDecay(every; factor = 0.1)

Multiplied by `factor` after each `every` steps: PyTorch's `StepLR(step_size = every, gamma = factor)`.
"""
struct StepDecay <: AbstractSchedule
    every::Int
    factor::Float64
    function StepDecay(every::Integer; factor::Real = 0.1)
        require(every >= 1, "StepDecay: expected every >= 1 steps, got $every")
        require(0 < factor <= 1, "StepDecay: expected a factor above 0 and at most 1, got $factor")
        return new(every, factor)
    end
end

# As floats: powers of an integer exponent are repeated products on some versions of Julia, and lose digits.
rate_factor(s::StepDecay, k::Int) = s.factor^Float64(k ÷ s.every)

"""
    WarmUp(steps; start = 1/3, after = Constant())

From `start` to 1 in equal parts over `steps` steps, then the schedule `after`, whose steps count from there: PyTorch's
`LinearLR(start_factor = start, total_iters = steps)`, followed by another one in a `SequentialLR`.
"""
struct WarmUp{S<:AbstractSchedule} <: AbstractSchedule
    steps::Int
    start::Float64
    after::S
    function WarmUp(steps::Integer; start::Real = 1 / 3, after::AbstractSchedule = Constant())
        require(steps >= 1, "WarmUp: expected steps >= 1, got $steps")
        require(0 < start <= 1, "WarmUp: expected a start above 0 and at most 1, got $start")
        return new{typeof(after)}(steps, start, after)
    end
end

rate_factor(s::WarmUp, k::Int) =
    k < s.steps ? s.start + (1 - s.start) * (k / s.steps) : rate_factor(s.after, k - s.steps)

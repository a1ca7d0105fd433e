# RMSprop: T. Tieleman, G. Hinton, "Lecture 6.5: rmsprop", COURSERA: Neural Networks for Machine Learning, 2012; centered after
# A. Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850 (2013), equations 38 to 45. Constants and
# the place of epsilon are those of torch.optim.RMSprop.

"""
    RMSprop(; learning_rate = 1e-2, alpha = 0.99, epsilon = 1e-8, weight_decay = 0, momentum = 0, centered = false,
            schedule = Constant())

v <- alpha v + (1 - alpha) g^2, x <- x - rate g/(sqrt(v) + epsilon). `centered` subtracts the square of the running mean of g from v
in the root; with `momentum` the quotient is summed up as in [`HeavyBall`](@ref). $RULE_KEYWORDS
"""
struct RMSprop{S<:AbstractSchedule} <: AbstractRule
    learning_rate::Float64
    alpha::Float64
    epsilon::Float64
    weight_decay::Float64
    momentum::Float64
    centered::Bool
    schedule::S
    function RMSprop(; learning_rate::Real = 1e-2, alpha::Real = 0.99, epsilon::Real = 1e-8, weight_decay::Real = 0,
                     momentum::Real = 0, centered::Bool = false, schedule = Constant())
        check_rule("RMSprop", learning_rate, weight_decay, schedule)
        check_fraction("RMSprop", "an alpha", alpha)
        check_fraction("RMSprop", "a momentum", momentum)
        check_epsilon("RMSprop", epsilon)
        return new{typeof(schedule)}(learning_rate, alpha, epsilon, weight_decay, momentum, centered, schedule)
    end
end

RULES[:RMSprop] = RMSprop

"""
    Squares(v, mean, velocity)

Running means of the squared gradient and of the gradient, and the sum of past quotients (length P each).
"""
struct Squares
    v::Vector{Float64}
    mean::Vector{Float64}
    velocity::Vector{Float64}
end

memory(::RMSprop, P::Int) = Squares(zeros(P), zeros(P), zeros(P))

function update!(xnew::Vector{Float64}, rule::RMSprop, memory::Squares, x::Vector{Float64}, g::Vector{Float64}, rate::Float64,
                 tauinv::Vector{Float64}, k::Int)
    v, mean, velocity = memory.v, memory.mean, memory.velocity
    if rule.momentum > 0
        @inbounds @simd ivdep for i in eachindex(x)
            d, spread = advance_squares!(v, mean, rule, x, g, i)
            velocity[i] = muladd(rule.momentum, velocity[i], d / spread)
            xnew[i] = muladd(-rate * tauinv[i], velocity[i], x[i])
        end
    else
        @inbounds @simd ivdep for i in eachindex(x)
            d, spread = advance_squares!(v, mean, rule, x, g, i)
            xnew[i] = x[i] - rate * tauinv[i] * d / spread
        end
    end
    return xnew
end

# The gradient with its weight decay, and what divides it. Not centered means that nothing is subtracted.
@inline function advance_squares!(v, mean, rule::RMSprop, x, g, i::Int)
    @inbounds begin
        d = muladd(rule.weight_decay, x[i], g[i])
        v[i] = muladd((1 - rule.alpha) * d, d, rule.alpha * v[i])
        mean[i] = towards(mean[i], d, 1 - rule.alpha)
        spread = muladd(-Float64(rule.centered) * mean[i], mean[i], v[i])
    end
    return d, root(spread) + rule.epsilon
end

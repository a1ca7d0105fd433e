# Gradient descent, alone and with momentum: v <- momentum v + (1 - dampening) g, then x <- x - rate v, or, after Nesterov,
# x <- x - rate (g + momentum v).
#
# B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Comp. Math. Math. Phys. 4 (1964) 1-17;
# Y. Nesterov, Soviet Math. Doklady 27 (1983) 372-376, in the form of I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the
# importance of initialization and momentum in deep learning", ICML 2013. The first v is the first gradient, as in torch.optim.SGD.

"""
    GradientDescent(; learning_rate, weight_decay = 0, schedule = Constant())

x <- x - rate grad L(x): the explicit Euler method for the gradient flow. $RULE_KEYWORDS
"""
struct GradientDescent{S<:AbstractSchedule} <: AbstractRule
    learning_rate::Float64
    weight_decay::Float64
    schedule::S
    function GradientDescent(; learning_rate::Real, weight_decay::Real = 0, schedule = Constant())
        check_rule("GradientDescent", learning_rate, weight_decay, schedule)
        return new{typeof(schedule)}(learning_rate, weight_decay, schedule)
    end
end

"""
    Descent(; eta = 0.1, weight_decay = 0, schedule = Constant())

[`GradientDescent`](@ref) under the name and with the keyword of other Julia packages.
"""
Descent(; eta::Real = 0.1, learning_rate::Real = eta, options...) = GradientDescent(; learning_rate = learning_rate, options...)

"""
    HeavyBall(; learning_rate, momentum = 0.9, dampening = 0, weight_decay = 0, schedule = Constant())

Polyak's momentum: v <- momentum v + (1 - dampening) grad L(x), x <- x - rate v. $RULE_KEYWORDS
"""
struct HeavyBall{S<:AbstractSchedule} <: AbstractRule
    learning_rate::Float64
    momentum::Float64
    dampening::Float64
    weight_decay::Float64
    schedule::S
    function HeavyBall(; learning_rate::Real, momentum::Real = 0.9, dampening::Real = 0, weight_decay::Real = 0,
                       schedule = Constant())
        check_rule("HeavyBall", learning_rate, weight_decay, schedule)
        check_fraction("HeavyBall", "a momentum", momentum)
        require(0 <= dampening <= 1, "HeavyBall: expected a dampening between 0 and 1, got $dampening")
        return new{typeof(schedule)}(learning_rate, momentum, dampening, weight_decay, schedule)
    end
end

"""
    Nesterov(; learning_rate, momentum = 0.9, weight_decay = 0, schedule = Constant())

Momentum that looks ahead: v <- momentum v + grad L(x), x <- x - rate (grad L(x) + momentum v). $RULE_KEYWORDS
"""
struct Nesterov{S<:AbstractSchedule} <: AbstractRule
    learning_rate::Float64
    momentum::Float64
    weight_decay::Float64
    schedule::S
    function Nesterov(; learning_rate::Real, momentum::Real = 0.9, weight_decay::Real = 0, schedule = Constant())
        check_rule("Nesterov", learning_rate, weight_decay, schedule)
        check_fraction("Nesterov", "a momentum", momentum)
        return new{typeof(schedule)}(learning_rate, momentum, weight_decay, schedule)
    end
end

RULES[:GradientDescent] = GradientDescent
RULES[:Descent] = Descent
RULES[:HeavyBall] = HeavyBall
RULES[:Nesterov] = Nesterov

"""
    NoMemory()

Gradient descent remembers nothing.
"""
struct NoMemory end

"""
    Velocity(v)

The sum of past gradients (length P) that carries a rule with momentum on.
"""
struct Velocity
    v::Vector{Float64}
end

memory(::GradientDescent, P::Int) = NoMemory()
memory(::Union{HeavyBall,Nesterov}, P::Int) = Velocity(zeros(P))

function update!(xnew::Vector{Float64}, rule::GradientDescent, ::NoMemory, x::Vector{Float64}, g::Vector{Float64}, rate::Float64,
                 tauinv::Vector{Float64}, k::Int)
    @inbounds @simd ivdep for i in eachindex(x)
        d = muladd(rule.weight_decay, x[i], g[i])
        xnew[i] = muladd(-rate * tauinv[i], d, x[i])
    end
    return xnew
end

function update!(xnew::Vector{Float64}, rule::HeavyBall, memory::Velocity, x::Vector{Float64}, g::Vector{Float64}, rate::Float64,
                 tauinv::Vector{Float64}, k::Int)
    v, gain = memory.v, k == 1 ? 1.0 : 1 - rule.dampening
    @inbounds @simd ivdep for i in eachindex(x)
        d = muladd(rule.weight_decay, x[i], g[i])
        v[i] = muladd(gain, d, rule.momentum * v[i])
        xnew[i] = muladd(-rate * tauinv[i], v[i], x[i])
    end
    return xnew
end

function update!(xnew::Vector{Float64}, rule::Nesterov, memory::Velocity, x::Vector{Float64}, g::Vector{Float64}, rate::Float64,
                 tauinv::Vector{Float64}, k::Int)
    v = memory.v
    @inbounds @simd ivdep for i in eachindex(x)
        d = muladd(rule.weight_decay, x[i], g[i])
        v[i] = muladd(rule.momentum, v[i], d)
        xnew[i] = muladd(-rate * tauinv[i], muladd(rule.momentum, v[i], d), x[i])
    end
    return xnew
end

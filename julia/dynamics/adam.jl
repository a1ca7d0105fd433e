# Adam and AdamW.
#
# D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; S. J. Reddi, S. Kale, S. Kumar, "On the
# convergence of Adam and beyond", ICLR 2018, algorithm 2 (amsgrad); I. Loshchilov, F. Hutter, "Decoupled weight decay
# regularization", ICLR 2019, algorithm 2 (AdamW).

const ADAM_OPTIONS = """
m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2, and x <- x - rate m'/(sqrt(v') + epsilon) with
m' = m/(1 - beta1^k), v' = v/(1 - beta2^k) in step k. With `amsgrad` the largest v so far takes the place of v.
"""

"""
    Adam(; learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0, amsgrad = false,
         schedule = Constant())

$ADAM_OPTIONS$RULE_KEYWORDS
"""
struct Adam{S<:AbstractSchedule} <: AbstractRule
    learning_rate::Float64
    beta1::Float64
    beta2::Float64
    epsilon::Float64
    weight_decay::Float64
    amsgrad::Bool
    schedule::S
    function Adam(; learning_rate::Real = 1e-3, beta1::Real = 0.9, beta2::Real = 0.999, epsilon::Real = 1e-8,
                  weight_decay::Real = 0, amsgrad::Bool = false, schedule = Constant())
        check_adam("Adam", learning_rate, beta1, beta2, epsilon, weight_decay, schedule)
        return new{typeof(schedule)}(learning_rate, beta1, beta2, epsilon, weight_decay, amsgrad, schedule)
    end
end

"""
    AdamW(; learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.01, amsgrad = false,
          schedule = Constant())

[`Adam`](@ref) with decoupled weight decay: the parameters shrink by the factor 1 - rate weight_decay in each step, and the
gradient is that of the loss alone.
"""
struct AdamW{S<:AbstractSchedule} <: AbstractRule
    learning_rate::Float64
    beta1::Float64
    beta2::Float64
    epsilon::Float64
    weight_decay::Float64
    amsgrad::Bool
    schedule::S
    function AdamW(; learning_rate::Real = 1e-3, beta1::Real = 0.9, beta2::Real = 0.999, epsilon::Real = 1e-8,
                   weight_decay::Real = 0.01, amsgrad::Bool = false, schedule = Constant())
        check_adam("AdamW", learning_rate, beta1, beta2, epsilon, weight_decay, schedule)
        return new{typeof(schedule)}(learning_rate, beta1, beta2, epsilon, weight_decay, amsgrad, schedule)
    end
end

function check_adam(name, learning_rate, beta1, beta2, epsilon, weight_decay, schedule)
    check_rule(name, learning_rate, weight_decay, schedule)
    check_fraction(name, "a beta1", beta1)
    check_fraction(name, "a beta2", beta2)
    check_epsilon(name, epsilon)
end

RULES[:Adam] = Adam
RULES[:AdamW] = AdamW

"""
    Moments(m, v, largest)

Running means of the gradient and of its square (length P), and, with `amsgrad`, the largest of the latter so far (else empty).
"""
struct Moments
    m::Vector{Float64}
    v::Vector{Float64}
    largest::Vector{Float64}
end

memory(rule::Union{Adam,AdamW}, P::Int) = Moments(zeros(P), zeros(P), zeros(rule.amsgrad ? P : 0))

# What the rates of one step are made of.
struct AdamStep
    beta2::Float64
    epsilon::Float64
    forget1::Float64        # 1 - beta1
    forget2::Float64
    size::Float64           # rate/(1 - beta1^k)
    root2::Float64          # sqrt(1 - beta2^k)
    coupled::Float64        # weight decay in the gradient
    shrink::Float64         # rate times decoupled weight decay
end

# As floats: powers of an integer exponent are repeated products on some versions of Julia, and lose digits.
AdamStep(rule, rate::Float64, k::Int, coupled::Float64, decoupled::Float64) =
    AdamStep(rule.beta2, rule.epsilon, 1 - rule.beta1, 1 - rule.beta2, rate / (1 - rule.beta1^Float64(k)),
             sqrt(1 - rule.beta2^Float64(k)), coupled, rate * decoupled)

adam_step(rule::Adam, rate::Float64, k::Int) = AdamStep(rule, rate, k, rule.weight_decay, 0.0)
adam_step(rule::AdamW, rate::Float64, k::Int) = AdamStep(rule, rate, k, 0.0, rule.weight_decay)

function update!(xnew::Vector{Float64}, rule::Union{Adam,AdamW}, memory::Moments, x::Vector{Float64}, g::Vector{Float64},
                 rate::Float64, tauinv::Vector{Float64}, k::Int)
    step = adam_step(rule, rate, k)
    m, v, largest = memory.m, memory.v, memory.largest
    if rule.amsgrad
        @inbounds @simd ivdep for i in eachindex(x)
            advance_moments!(m, v, step, x, g, i)
            largest[i] = ifelse(v[i] <= largest[i], largest[i], v[i])
            xnew[i] = adam_point(step, x[i], m[i], largest[i], tauinv[i])
        end
    else
        @inbounds @simd ivdep for i in eachindex(x)
            advance_moments!(m, v, step, x, g, i)
            xnew[i] = adam_point(step, x[i], m[i], v[i], tauinv[i])
        end
    end
    return xnew
end

@inline function advance_moments!(m, v, step::AdamStep, x, g, i::Int)
    @inbounds begin
        d = muladd(step.coupled, x[i], g[i])
        m[i] = towards(m[i], d, step.forget1)
        v[i] = muladd(step.forget2 * d, d, step.beta2 * v[i])
    end
    return nothing
end

@inline function adam_point(step::AdamStep, x::Float64, m::Float64, v::Float64, tauinv::Float64)
    shrunk = x * (1 - step.shrink * tauinv)
    return shrunk - step.size * tauinv * m / (root(v) / step.root2 + step.epsilon)
end

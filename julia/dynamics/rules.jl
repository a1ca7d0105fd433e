# The protocol of a rule. A new rule is one new file that implements it; the loop, the batches, the schedules and all stopping
# rules are shared.

"""
    AbstractRule

One way to go on from a gradient. A subtype `R` is an immutable struct of options, with `learning_rate` and `schedule` among them,
and has methods of

    memory(rule, P)            what it remembers between steps: a struct of vectors
    update!(xnew, rule, memory, x, g, rate, tauinv, k)
                               write the point after `x` (with gradient `g`) into `xnew` and bring the memory up to date, in step
                               number `k` (from 1 on) with learning rate `rate`, which is multiplied by `tauinv` parameter by
                               parameter

The order of operations is PyTorch's, so that runs agree with its optimizers as long as rounding lets them.
"""
abstract type AbstractRule end

"""
    RULES :: Dict{Symbol,Any}

The constructor of every rule, by the name that `alg` takes. The file of a rule adds its own.
"""
const RULES = Dict{Symbol,Any}()

# A rule with its defaults; gradient descent has no learning rate that would be a good guess.
function named_rule(name::Symbol)
    try
        return RULES[name]()
    catch e
        e isa UndefKeywordError || rethrow()
        throw(ArgumentError("expected a rule with its learning rate, such as $name(learning_rate = 0.1), got alg = :$name"))
    end
end

name(rule::AbstractRule) = nameof(typeof(rule))

# The learning rate of the step after `k` steps.
learning_rate(rule::AbstractRule, k::Int) = rule.learning_rate * rate_factor(rule.schedule, k)

const RULE_KEYWORDS = """
`learning_rate` is changed by `schedule` as the run goes on. `weight_decay` times the parameters is added to the gradient;
the loss that is reported does not include it.
"""

function check_rule(name, learning_rate, weight_decay, schedule)
    require(isfinite(learning_rate) && learning_rate > 0, "$name: expected a positive learning_rate, got $learning_rate")
    require(isfinite(weight_decay) && weight_decay >= 0, "$name: expected weight_decay >= 0, got $weight_decay")
    require(schedule isa AbstractSchedule,
            "$name: expected a schedule such as Cosine(1000), got $(repr(schedule))")
end

check_fraction(name, what, value) = require(0 <= value < 1, "$name: expected $what of at least 0 and below 1, got $value")

check_epsilon(name, value) = require(isfinite(value) && value >= 0, "$name: expected epsilon >= 0, got $value")

# The point on the way from a to b, from the nearer end.
@inline towards(a::Float64, b::Float64, w::Float64) = w < 0.5 ? muladd(w, b - a, a) : muladd(w - 1, b - a, b)

# Without the check for negative numbers, which would keep the loops from being vectorized; negative: NaN.
@inline root(x::Float64) = Base.FastMath.sqrt_fast(x)

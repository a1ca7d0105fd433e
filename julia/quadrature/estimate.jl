# How far a rule is off, told by other rules.

"""
    IntegralEstimate

An integral by a rule: its `value` (a number or an array), an estimate of its `error`, entry by entry, and the `refined` value,
that of the rules by which the error was found.
"""
struct IntegralEstimate{T}
    value::T
    error::T
    refined::T
end

Base.show(io::IO, e::IntegralEstimate{<:Real}) = print(io, e.value, " ± ", round(e.error; sigdigits = 2))

"""
    rule_estimate(evaluate, rule) -> IntegralEstimate

The value `evaluate(rule)` beside those of the rules that check it.
"""
rule_estimate(evaluate, rule::QuadratureRule) = compare_rules(rule, evaluate(rule), [evaluate(check) for check in check_rules(rule)])

"""
    compare_rules(rule, value, checks) -> IntegralEstimate

The error of `value`, found by `rule`, given the values of `check_rules(rule)`. Quadrature: twice the distance from the value
of the finer rule, an upper bound if that one halves the error. Quasi-Monte Carlo: the distance from the mean of the other
scrambles, plus three times the standard error of this mean, which is an upper bound nearly always. Never less than the rounding
error of the value.
"""
compare_rules(rule::QuadratureRule, value, checks) =
    IntegralEstimate(value, max.(2 .* abs.(checks[1] .- value), value_rounding(value)), checks[1])

function compare_rules(rule::ScrambledSobol, value, checks)
    R = length(checks)
    mean = sum(checks) / R
    spread = sqrt.(sum(c -> abs2.(c .- mean), checks) ./ (R * (R - 1)))
    return IntegralEstimate(value, max.(abs.(mean .- value) .+ 3 .* spread, value_rounding(value)), mean)
end

value_rounding(value) = 4 * eps() .* abs.(value)

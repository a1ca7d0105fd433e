# Which rule: by what the user asks for, by the dimension, and where neither decides, by a trial.

# Up to this dimension a product of Gauss-Hermite rules with many nodes an axis is affordable, up to the second one it is worth a
# trial, and so are sparse grids.
const TENSOR_DIMENSIONS = 2
const TRIAL_DIMENSIONS = 6

const RULES_BY_NAME = (:auto, :tensor, :smolyak, :qmc)
const DEFAULT_NODES = 600
const DEFAULT_POINTS = 2^14

"""
    candidate_rules(d; rule = :auto, N = nothing, level = nothing, points = 2^14, seed = 0, prune = true, threshold = nothing)

The rules that fit the wishes of a user in `d` dimensions, the best guess first: one, but for `:auto` in 3 to 6 dimensions.
A product of rules has `N` nodes an axis, a sparse grid the `level`; where they are not given, as many as `points` allow. Nodes
with weights below `threshold` are left out of a product (`prune = false`: none): by default 0 in one dimension, 1e-18 in two, and
1000 times more for each further one.
"""
function candidate_rules(d::Integer; rule = :auto, N = nothing, level = nothing, points::Integer = DEFAULT_POINTS,
                         seed::Integer = 0, prune::Bool = true, threshold = nothing)
    rule isa QuadratureRule && return QuadratureRule[rule]
    name = Symbol(rule)
    name in RULES_BY_NAME || throw(ArgumentError("expected a rule among $(join(RULES_BY_NAME, ", ")), got $rule"))
    name === :auto && (name = N !== nothing ? :tensor : level !== nothing ? :smolyak : :auto)
    limit = prune ? something(threshold, default_threshold(d)) : 0.0
    tensor() = tensor_rule(d, N, points, limit)
    smolyak() = level === nothing ? largest_smolyak(d, points) : SmolyakHermite(level)
    name === :tensor && return QuadratureRule[tensor()]
    name === :smolyak && return QuadratureRule[smolyak()]
    name === :qmc && return QuadratureRule[ScrambledSobol(points; seed = seed)]
    d <= TENSOR_DIMENSIONS && return QuadratureRule[tensor()]
    d <= TRIAL_DIMENSIONS && return QuadratureRule[ScrambledSobol(points; seed = seed), tensor(), smolyak()]
    return QuadratureRule[ScrambledSobol(points; seed = seed)]
end

default_threshold(d::Integer) = d <= 1 ? 0.0 : min(1e-3, 1e-18 * 1e3^(d - 2))

tensor_rule(d, N::Integer, points, threshold) = TensorHermite(N; threshold = threshold)

function tensor_rule(d, ::Nothing, points, threshold)
    d <= TENSOR_DIMENSIONS && return TensorHermite(DEFAULT_NODES; threshold = threshold)
    n = max(1, floor(Int, points^(1 / d)))
    while n < DEFAULT_NODES && length(rule_nodes(TensorHermite(n + 1; threshold = threshold), d)[2]) <= points
        n += 1
    end
    return TensorHermite(n; threshold = threshold)
end

function largest_smolyak(d, points)
    d == 0 && return SmolyakHermite(0)
    level = 0
    while level < DEFAULT_NODES && length(rule_nodes(SmolyakHermite(level + 1), d)[2]) <= points
        level += 1
    end
    return SmolyakHermite(level)
end

# A rule with positive weights is taken unless the sparse grid is clearly better: with negative ones a loss can fall below 0.
const CLEARLY_BETTER = 10

"""
    best_rule(trial, rules) -> QuadratureRule

The rule with the smallest error of the trial integrals, `trial(rule)` an array of numbers.
"""
function best_rule(trial, rules::Vector{QuadratureRule})
    length(rules) == 1 && return rules[1]
    return rules[best_of([maximum(rule_estimate(trial, rule).error) for rule in rules], map(rule_name, rules))]
end

best_of(errors, names) = argmin([names[i] == "smolyak" ? CLEARLY_BETTER * errors[i] : errors[i] for i in eachindex(errors)])

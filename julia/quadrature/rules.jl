# The rules: each stands for nodes and weights with E[f(z)] = sum_n w_n f(z_n) for a standard normal z in d dimensions.

"""
    QuadratureRule

A subtype implements `rule_nodes(rule, d) -> (nodes d x N, weights N)`, with weights that sum to 1, `check_rules(rule)`, the rules
that tell how far it is off, and `rule_name(rule)`.
"""
abstract type QuadratureRule end

# A set of nodes larger than this is a mistake rather than a wish.
const MOST_NODES = 2^26
const MOST_AXIS_NODES = 5000

"""
    TensorHermite(n; threshold = 1e-18) <: QuadratureRule

The product of Gauss-Hermite rules of `n` nodes, without the nodes of a weight below `threshold` (0: all are kept); the others are
scaled up to the sum 1. Unpruned it is exact to the degree 2n - 1 in each variable.
"""
struct TensorHermite <: QuadratureRule
    n::Int
    threshold::Float64
    function TensorHermite(n::Integer; threshold::Real = 1e-18)
        1 <= n <= MOST_AXIS_NODES || throw(ArgumentError("expected 1 to $MOST_AXIS_NODES nodes an axis, got N = $n"))
        0 <= threshold < 1 || throw(ArgumentError("expected a threshold from 0 to 1, got $threshold"))
        return new(n, threshold)
    end
end

rule_name(rule::TensorHermite) = "tensor"
check_rules(rule::TensorHermite) = QuadratureRule[TensorHermite(cld(3 * rule.n, 2) + 1; threshold = rule.threshold / 1000)]

function rule_nodes(rule::TensorHermite, d::Integer)
    rule.threshold > 0 || float(rule.n)^d <= MOST_NODES || throw(ArgumentError(
        "expected at most $MOST_NODES nodes, got $(rule.n) an axis in $d dimensions without pruning"))
    x, w = gauss_hermite(rule.n)
    order = sortperm(w; rev = true, alg = MergeSort)
    grid = TensorGrid(x[order], w[order], rule.threshold, Float64[], Float64[])
    extend!(grid, zeros(d), 1, 1.0)
    return reshape(grid.nodes, Int(d), length(grid.weights)), grid.weights ./ sum(grid.weights)
end

# Nodes of one dimension by falling weight: where a partial product falls below the threshold, so do all that follow.
struct TensorGrid
    x::Vector{Float64}
    w::Vector{Float64}
    threshold::Float64
    nodes::Vector{Float64}
    weights::Vector{Float64}
end

function extend!(grid::TensorGrid, z::Vector{Float64}, dim::Int, weight::Float64)
    if dim > length(z)
        length(grid.weights) < MOST_NODES || throw(ArgumentError(
            "expected at most $MOST_NODES nodes, got more from $(length(grid.x)) an axis in $(length(z)) dimensions"))
        append!(grid.nodes, z)
        push!(grid.weights, weight)
        return
    end
    for i in eachindex(grid.x)
        product = weight * grid.w[i]
        product >= grid.threshold || break
        z[dim] = grid.x[i]
        extend!(grid, z, dim + 1, product)
    end
end

"""
    ScrambledSobol(points; seed = 0) <: QuadratureRule

Quasi-Monte Carlo: `points` points of Sobol's sequence, scrambled with `seed`, and brought to the normal distribution. A
power of 2 is best.
"""
struct ScrambledSobol <: QuadratureRule
    points::Int
    seed::Int
    function ScrambledSobol(points::Integer; seed::Integer = 0)
        1 <= points <= MOST_NODES || throw(ArgumentError("expected 1 to $MOST_NODES points, got $points"))
        return new(points, seed)
    end
end

rule_name(rule::ScrambledSobol) = "qmc"

# Other scrambles, as many as a standard error needs to be known to a third or so.
const CHECK_SCRAMBLES = 8
check_rules(rule::ScrambledSobol) =
    QuadratureRule[ScrambledSobol(rule.points; seed = next!(Shuffler(rule.seed, -r)) % Int) for r in 1:CHECK_SCRAMBLES]

function rule_nodes(rule::ScrambledSobol, d::Integer)
    z = sobol_points(d, rule.points; seed = rule.seed)
    return map(vnormal_quantile, z), fill(1 / rule.points, rule.points)
end

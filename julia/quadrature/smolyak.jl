# Sparse grids: combinations of small products of Gauss-Hermite rules.

"""
    SmolyakHermite(level) <: QuadratureRule

Smolyak's combination of Gauss-Hermite rules with 1, 3, 3, 5, 5, 7, ... nodes, exact for polynomials of total degree
2 `level` + 1. Some weights are negative. Sources: Smolyak, Dokl. Akad. Nauk SSSR 148 (1963) 1042; the combination formula:
Wasilkowski and Wozniakowski, J. Complexity 11 (1995) 1; the slow growth of the rules: Petras, Numer. Math. 93 (2003) 729.
"""
struct SmolyakHermite <: QuadratureRule
    level::Int
    function SmolyakHermite(level::Integer)
        level >= 0 || throw(ArgumentError("expected level >= 0, got $level"))
        return new(level)
    end
end

rule_name(rule::SmolyakHermite) = "smolyak"

# Four levels further: a sparse grid may gain but a third of the error by two, and every second level adds no nodes along an axis.
check_rules(rule::SmolyakHermite) = QuadratureRule[SmolyakHermite(rule.level + 4)]

function rule_nodes(rule::SmolyakHermite, d::Integer)
    d == 0 && return zeros(0, 1), ones(1)
    axis = HermiteAxis(cld(rule.level, 2))
    weights = Dict{UInt128,Float64}()
    for (halves, coefficient) in combination(rule.level, Int(d))
        add_product!(weights, axis, halves, 1, UInt128(0), Float64(coefficient))
    end
    base = length(axis.nodes)
    kept = sort!([key for (key, w) in weights if w != 0])
    nodes = [axis.nodes[(key÷UInt128(base)^(dim-1))%base+1] for dim in 1:d, key in kept]
    return nodes, [weights[key] for key in kept]
end

"""
    HermiteAxis(top)

The Gauss-Hermite rules of 1, 3, ..., 2 top + 1 nodes on one axis. All share the node 0, number 1 of `nodes`; `number[c+1]` tells
where those of the rule of 2c + 1 nodes are, `weights[c+1]` their weights.
"""
struct HermiteAxis
    nodes::Vector{Float64}
    number::Vector{Vector{Int}}
    weights::Vector{Vector{Float64}}
end

function HermiteAxis(top::Int)
    axis = HermiteAxis([0.0], Vector{Int}[], Vector{Float64}[])
    for c in 0:top
        x, w = gauss_hermite(2c + 1)
        push!(axis.weights, w)
        push!(axis.number, [x[i] == 0 ? 1 : (push!(axis.nodes, x[i]); length(axis.nodes)) for i in eachindex(x)])
    end
    return axis
end

# The rules (2c + 1 nodes on each axis, c in `halves`) of the combination with their coefficients, those that cancel left out.
function combination(level::Int, d::Int)
    sums = Dict{Vector{Int},Int}()
    index = zeros(Int, d)
    function visit(dim, left)
        if dim > d
            left < d || return          # `left` is by how much the sum of the index stays below the level
            halves = cld.(index, 2)
            sums[halves] = get(sums, halves, 0) + (iseven(left) ? 1 : -1) * binomial(d - 1, left)
            return
        end
        for i in 0:left
            index[dim] = i
            visit(dim + 1, left - i)
        end
        index[dim] = 0
    end
    visit(1, level)
    return sort!([pair for pair in sums if pair[2] != 0])
end

function add_product!(weights::Dict, axis::HermiteAxis, halves::Vector{Int}, dim::Int, key::UInt128, weight::Float64)
    if dim > length(halves)
        weights[key] = get(weights, key, 0.0) + weight
        length(weights) <= MOST_NODES || throw(ArgumentError("expected at most $MOST_NODES nodes, got more from a sparse grid"))
        return
    end
    number, w = axis.number[halves[dim]+1], axis.weights[halves[dim]+1]
    place = UInt128(length(axis.nodes))^(dim - 1)
    for i in eachindex(w)
        add_product!(weights, axis, halves, dim + 1, key + place * UInt128(number[i] - 1), weight * w[i])
    end
end

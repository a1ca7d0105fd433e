# What is added to the data's loss: a barrier on the parameter norm, and the pull of two neurons towards each other.

"""
    MaxNorm(c)

R(p) = (n - c)^3/3 for n = |p|^2/(2P) > c, else 0.
"""
struct MaxNorm
    c::Float64
end

penalty(m::MaxNorm, x) = (excess = norm_excess(m, x); excess^3 / 3)

# An infinite bound is the usual case and costs nothing.
norm_excess(m::MaxNorm, x) = m.c == Inf ? 0.0 : max(sum(abs2, x) / (2 * length(x)) - m.c, 0.0)

function add_penalty_gradient!(g, m::MaxNorm, x)
    excess = norm_excess(m, x)
    excess == 0 && return
    factor = excess^2 / length(x)
    for i in eachindex(g)
        g[i] = muladd(factor, x[i], g[i])
    end
end

function add_penalty_hessian!(H, m::MaxNorm, x)
    excess = norm_excess(m, x)
    excess == 0 && return
    P = length(x)
    for j in 1:P
        H[j, j] += excess^2 / P
        for i in 1:P
            H[i, j] = muladd(2 * excess / P^2, x[i] * x[j], H[i, j])     # this grouping keeps H symmetric to the bit
        end
    end
end

"""
    Merge(layers, (layer, (i, j), lambda))

M(p) = lambda/2 |row_i - row_j|^2 for rows i and j of [W b] of one layer. `nothing` instead of the tuple: no such term.
"""
struct Merge
    offset::Int
    rows::Int
    columns::Int
    i::Int
    j::Int
    lambda::Float64
end

Merge(layers::Vector{Layer}, ::Nothing) = Merge(0, 0, 0, 0, 0, 0.0)

function Merge(layers::Vector{Layer}, merge)
    length(merge) == 3 && length(merge[2]) == 2 ||
        throw(ArgumentError("expected merge = (layer, (i, j), lambda), got $(repr(merge))"))
    l, (i, j), lambda = merge
    1 <= l <= length(layers) || throw(ArgumentError("merge: expected a layer from 1 to $(length(layers)), got $l"))
    n = layers[l].nout
    1 <= i <= n && 1 <= j <= n && i != j ||
        throw(ArgumentError("merge: expected two different neurons from 1 to $n, got $((i, j))"))
    return Merge(mapreduce(nparams, +, layers[1:l-1]; init = 0), n, columns(layers[l]), i, j, lambda)
end

# Positions in the flat vector of column k of the two rows.
@inline merged_pair(m::Merge, k::Int) = (m.offset + (k - 1) * m.rows + m.i, m.offset + (k - 1) * m.rows + m.j)

function penalty(m::Merge, x)
    s = 0.0
    for k in 1:m.columns
        a, b = merged_pair(m, k)
        s += (x[a] - x[b])^2
    end
    return m.lambda / 2 * s
end

function add_penalty_gradient!(g, m::Merge, x)
    for k in 1:m.columns
        a, b = merged_pair(m, k)
        pull = m.lambda * (x[a] - x[b])
        g[a] += pull
        g[b] -= pull
    end
end

function add_penalty_hessian!(H, m::Merge, x)
    for k in 1:m.columns
        a, b = merged_pair(m, k)
        H[a, a] += m.lambda
        H[b, b] += m.lambda
        H[a, b] -= m.lambda
        H[b, a] -= m.lambda
    end
end

# Products of the penalties' Hessians with column c of v, added to column c of out.

function add_penalty_product!(out, m::MaxNorm, x, v, c::Int)
    excess = norm_excess(m, x)
    excess == 0 && return
    P = length(x)
    overlap = 0.0
    for i in 1:P
        overlap += x[i] * v[i, c]
    end
    for i in 1:P
        out[i, c] += excess^2 / P * v[i, c] + 2 * excess / P^2 * overlap * x[i]
    end
end

function add_penalty_product!(out, m::Merge, x, v, c::Int)
    for k in 1:m.columns
        a, b = merged_pair(m, k)
        pull = m.lambda * (v[a, c] - v[b, c])
        out[a, c] += pull
        out[b, c] -= pull
    end
end

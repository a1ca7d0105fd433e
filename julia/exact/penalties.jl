# The penalties `maxnorm` and `merge` for any kind of number. The positive part of a ball is the ball with its centre cut off at 0.

@inline positive_part(x::DoubleDouble) = x.hi > 0 ? x : zero(x)
@inline positive_part(x::Ball) = Ball(positive_part(x.mid), x.rad)

function exact_norm_excess(m::MaxNorm, x::Vector{T}) where {T}
    s = zero(T)
    for xi in x
        s += xi * xi
    end
    return positive_part(s / (2.0 * length(x)) - m.c)
end

function exact_penalty(m::MaxNorm, x::Vector{T}) where {T}
    m.c == Inf && return zero(T)
    excess = exact_norm_excess(m, x)
    return (excess * excess) * excess / 3.0
end

function add_exact_penalty_gradient!(g::Vector{T}, m::MaxNorm, x::Vector{T}) where {T}
    m.c == Inf && return
    excess = exact_norm_excess(m, x)
    factor = (excess * excess) / Float64(length(x))
    for i in eachindex(g)
        g[i] += factor * x[i]
    end
end

function add_exact_penalty_hessian!(H::Matrix{T}, m::MaxNorm, x::Vector{T}) where {T}
    m.c == Inf && return
    excess, P = exact_norm_excess(m, x), Float64(length(x))
    factor, diagonal = scaled(excess, 2.0) / (P * P), (excess * excess) / P
    for j in eachindex(x)
        for i in 1:j
            H[i, j] += factor * (x[i] * x[j])
        end
        H[j, j] += diagonal
    end
end

function exact_penalty(m::Merge, x::Vector{T}) where {T}
    s = zero(T)
    for k in 1:m.columns
        a, b = merged_pair(m, k)
        d = x[a] - x[b]
        s += d * d
    end
    return scaled(s * m.lambda, 0.5)
end

function add_exact_penalty_gradient!(g::Vector{T}, m::Merge, x::Vector{T}) where {T}
    for k in 1:m.columns
        a, b = merged_pair(m, k)
        pull = (x[a] - x[b]) * m.lambda
        g[a] += pull
        g[b] -= pull
    end
end

function add_exact_penalty_hessian!(H::Matrix{T}, m::Merge, x::Vector{T}) where {T}
    for k in 1:m.columns
        a, b = merged_pair(m, k)
        H[a, a] += m.lambda
        H[b, b] += m.lambda
        H[min(a, b), max(a, b)] -= m.lambda
    end
end

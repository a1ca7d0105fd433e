# The Hessian on infinite data. Blocks of two neurons' rows [w b] are second moments E[h [x; 1][x; 1]'] of h = f_k'' f_l, f_k' f_l', ...,
# by Stein's identity, applied twice.

function exact_hessian!(H::Matrix{T}, o::ExactInfiniteLoss, x::Vector{T}) where {T<:Wide}
    s, t, S = place(o, x), PairTable{T}(o), zeros(T, 5)
    work = SecondMoments{T}(o)
    fill!(H, zero(T))
    has_constant(o) && add_constant_hessian!(H, o, s, S, work)
    for k in 1:o.K
        V = exact_square!(S, t, o.forms[k], s.m[k], s.C[k, k], 4)
        add_block!(H, o, s, work, k, k, output_product(s, k, k), (V[3], V[4], zero(T), V[5], zero(T), zero(T)), k, k)
        for i in axes(s.A, 1)
            H[second_index(o, i, k), second_index(o, i, k)] += scaled(V[1], 2.0)
            add_mixed!(H, o, s, k, second_index(o, i, k), s.A[i, k], V[2], V[3], k, zero(T), k)
        end
        for l in k+1:length(o.forms)
            add_pair_hessian!(H, o, s, work, t, pair_table!(t, o, s, k, l, 4), k, l)
        end
    end
    add_exact_penalty_hessian!(H, o.maxnorm, x)
    add_exact_penalty_hessian!(H, o.merge, x)
    return H
end

function add_pair_hessian!(H::Matrix{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, work, t::PairTable{T}, F::Matrix{T}, k::Int,
                           l::Int) where {T}
    G, both = scaled(output_product(s, k, l), 2.0), l <= o.K
    add_block!(H, o, s, work, k, k, G, (F[3, 1], F[4, 1], F[3, 2], F[5, 1], F[4, 2], F[3, 3]), k, l)
    loosen_block!(H, o, k, k, G, t.slack[3])
    if both
        add_block!(H, o, s, work, k, l, G, (F[2, 2], F[3, 2], F[2, 3], F[4, 2], F[3, 3], F[2, 4]), k, l)
        add_block!(H, o, s, work, l, l, G, (F[1, 3], F[2, 3], F[1, 4], F[3, 3], F[2, 4], F[1, 5]), k, l)
        loosen_block!(H, o, k, l, G, t.slack[4])
        loosen_block!(H, o, l, l, G, t.slack[5])
    end
    for i in axes(s.A, 1)
        own, other = second_index(o, i, k), second_index(o, i, l)
        add_mixed!(H, o, s, k, own, s.A[i, l], F[2, 1], F[3, 1], k, F[2, 2], l)
        both || continue
        add_mixed!(H, o, s, k, other, s.A[i, k], F[2, 1], F[3, 1], k, F[2, 2], l)
        add_mixed!(H, o, s, l, other, s.A[i, k], F[1, 2], F[1, 3], l, F[2, 2], k)
        add_mixed!(H, o, s, l, own, s.A[i, l], F[1, 2], F[1, 3], l, F[2, 2], k)
        H[own, other] += scaled(F[1, 1], 2.0)
    end
end

# Rows [w b] of neuron k against an output parameter: twice `factor` times the first moments.
function add_mixed!(H::Matrix{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, k::Int, column::Int, factor::T, of_mean::T, first::T, i::Int,
                    second::T, j::Int) where {T}
    for r in 1:columns(o.layers[1])
        H[first_index(o, k, r), column] += scaled(factor * moment(o, s, r, of_mean, first, i, second, j), 2.0)
    end
end

"""
    SecondMoments{T}(o)

Scratch memory of a block: [S w_i; 0], [S w_j; 0] and combinations, each of the length of a row [w b], and [mean; 1].
"""
struct SecondMoments{T}
    u::Vector{T}
    v::Vector{T}
    slope::Vector{T}
    of_u::Vector{T}
    of_v::Vector{T}
    ones::Vector{Float64}
end

function SecondMoments{T}(o::ExactInfiniteLoss) where {T}
    block() = zeros(T, columns(o.layers[1]))
    return SecondMoments{T}(block(), block(), block(), block(), block(), vcat(o.mean, o.layers[1].bias ? [1.0] : Float64[]))
end

"""
    add_block!(H, o, s, work, k, l, factor, h, i, j)

Add factor E[h [x; 1][x; 1]'] to the rows of neuron k and the columns of neuron l, given the expectations of h(z_i, z_j) and of its
derivatives: h = (E h, E h_1, E h_2, E h_11, E h_12, E h_22). Those by z_j do not count where i = j.
"""
function add_block!(H::Matrix{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, work::SecondMoments{T}, k::Int, l::Int, factor::T,
                    h::NTuple{6,T}, i::Int, j::Int) where {T}
    h0, h1, h2, h11, h12, h22 = map(hi -> factor * hi, h)
    n, both = length(o.mean), i != j
    for r in 1:n
        u = work.u[r] = s.SW[r, i]
        v = work.v[r] = s.SW[r, j]
        work.slope[r] = both ? h1 * u + h2 * v : h1 * u
        work.of_u[r] = both ? h11 * u + h12 * v : h11 * u
        both && (work.of_v[r] = h12 * u + h22 * v)
    end
    for b in eachindex(work.u), a in (k == l ? (1:b) : eachindex(work.u))
        row, column = minmax(first_index(o, k, a), first_index(o, l, b))
        H[row, column] += second_moment(o, work, h0, a, b, n, both)
    end
end

@inline function second_moment(o::ExactInfiniteLoss, work::SecondMoments{T}, h0::T, a::Int, b::Int, n::Int, both::Bool) where {T}
    entry = zero(T)
    if a <= n && b <= n
        entry += work.u[a] * work.of_u[b]
        both && (entry += work.v[a] * work.of_v[b])
        o.standard ? (a == b && (entry += h0)) : (entry += h0 * T(o.covariance[a, b]))
    end
    x, y = work.ones[a], work.ones[b]
    y == 0 || (entry += work.slope[a] * y)
    x == 0 || (entry += work.slope[b] * x)
    x == 0 || y == 0 || (entry += (h0 * x) * y)
    return entry
end

function add_constant_hessian!(H::Matrix{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, S::Vector{T}, work) where {T}
    bias = o.layers[2].bias
    for k in 1:o.K
        exact_single!(S, o.forms[k], s.m[k], s.C[k, k])
        add_block!(H, o, s, work, k, k, scaled(shift_product(s, k), 2.0), (S[3], S[4], zero(T), S[5], zero(T), zero(T)), k, k)
        for i in eachindex(s.c)
            own, shift = second_index(o, i, k), second_index(o, i, o.K + 1)
            add_mixed!(H, o, s, k, own, s.c[i], S[2], S[3], k, zero(T), k)
            bias || continue
            add_mixed!(H, o, s, k, shift, s.A[i, k], S[2], S[3], k, zero(T), k)
            H[own, shift] += scaled(S[1], 2.0)
        end
    end
    bias || return
    for i in eachindex(s.c)
        shift = second_index(o, i, o.K + 1)
        H[shift, shift] += 2.0
    end
end

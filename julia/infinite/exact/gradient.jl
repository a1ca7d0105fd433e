# Value and gradient on infinite data. With all neurons k of student and teacher (output weights a_k, those of the teacher
# negative) and the difference c of the output biases,
#     L = |c|^2 + sum_k (2 c'a_k E[f_k] + |a_k|^2 E[f_k^2]) + 2 sum_(k < l) a_k'a_l E[f_k f_l].

function exact_value_gradient!(g::Vector{T}, o::ExactInfiniteLoss, x::Vector{T}) where {T<:Wide}
    s, t, S = place(o, x), PairTable{T}(o), zeros(T, 5)
    fill!(g, zero(T))
    total = known(T, o.teacher_energy[1])
    has_constant(o) && (total += add_constant_gradient!(g, o, s, S))
    for k in 1:o.K
        V = exact_square!(S, t, o.forms[k], s.m[k], s.C[k, k], 2)
        G = output_product(s, k, k)
        total += G * V[1]
        add_row!(g, o, s, k, G, V[2], V[3], k, zero(T), k)
        add_outputs!(g, o, s, k, k, V[1])
        for l in k+1:length(o.forms)
            total += add_pair_gradient!(g, o, s, t, pair_table!(t, o, s, k, l, 2), k, l)
        end
    end
    add_exact_penalty_gradient!(g, o.maxnorm, x)
    add_exact_penalty_gradient!(g, o.merge, x)
    return total + exact_penalty(o.maxnorm, x) + exact_penalty(o.merge, x)
end

function add_pair_gradient!(g::Vector{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, t::PairTable{T}, F::Matrix{T}, k::Int, l::Int) where {T}
    G = scaled(output_product(s, k, l), 2.0)
    add_row!(g, o, s, k, G, F[2, 1], F[3, 1], k, F[2, 2], l)
    loosen_row!(g, o, k, G, t.slack[1])
    add_outputs!(g, o, s, k, l, F[1, 1])
    if l <= o.K
        add_row!(g, o, s, l, G, F[1, 2], F[1, 3], l, F[2, 2], k)
        loosen_row!(g, o, l, G, t.slack[2])
        add_outputs!(g, o, s, l, k, F[1, 1])
    end
    return G * F[1, 1]
end

# Into the rows [w b] of neuron k: factor times (of_mean [mean; 1] + first S w_i + second S w_j), the moments of some h(z_i, z_j) with
# the inputs.
function add_row!(g::Vector{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, k::Int, factor::T, of_mean::T, first::T, i::Int, second::T,
                  j::Int) where {T}
    for r in 1:columns(o.layers[1])
        g[first_index(o, k, r)] += factor * moment(o, s, r, of_mean, first, i, second, j)
    end
end

# Entry r of of_mean [mean; 1] + first [S w_i; 0] + second [S w_j; 0].
@inline function moment(o::ExactInfiniteLoss, s::ExactNeurons, r::Int, of_mean, first, i::Int, second, j::Int)
    r > length(o.mean) && return of_mean
    sum = first * s.SW[r, i]
    i == j || (sum += second * s.SW[r, j])
    return o.mean[r] == 0 ? sum : sum + of_mean * o.mean[r]
end

# The derivatives 2 a_l E[f_k f_l] by the output weights of neuron k
function add_outputs!(g::Vector{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, k::Int, l::Int, expectation::T) where {T}
    for i in axes(s.A, 1)
        g[second_index(o, i, k)] += scaled(s.A[i, l] * expectation, 2.0)
    end
end

# The terms of the output biases.
function add_constant_gradient!(g::Vector{T}, o::ExactInfiniteLoss, s::ExactNeurons{T}, S::Vector{T}) where {T}
    total = zero(T)
    for i in eachindex(s.c)
        total += s.c[i] * s.c[i]
        add_shift!(g, o, i, s.c[i])
    end
    for k in 1:length(o.forms)
        product = scaled(shift_product(s, k), 2.0)
        if k <= o.K
            exact_single!(S, o.forms[k], s.m[k], s.C[k, k])
            add_row!(g, o, s, k, product, S[2], S[3], k, zero(T), k)
        end
        expectation = k <= o.K ? S[1] : known(T, o.teacher_singles[k-o.K])
        total += product * expectation
        for i in eachindex(s.c)
            k <= o.K && (g[second_index(o, i, k)] += scaled(s.c[i] * expectation, 2.0))
            add_shift!(g, o, i, s.A[i, k] * expectation)
        end
    end
    return total
end

add_shift!(g, o::ExactInfiniteLoss, i::Int, half) =
    o.layers[2].bias && (g[second_index(o, i, o.K + 1)] += scaled(half, 2.0))

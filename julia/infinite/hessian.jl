# The Hessian: blocks of two neurons' rows [w b] are second moments of pairs, mapped from directions and means.

function value_gradient_hessian!(g::AbstractVector, H::AbstractMatrix, o::InfiniteObjective, x::AbstractVector)
    hessian!(H, o, x)
    return value_gradient!(g, o, x)
end

function hessian!(H::AbstractMatrix, o::InfiniteObjective, x::AbstractVector)
    place_student!(o, x)
    fill!(H, 0)
    reserve_blocks!(o)
    add_output_blocks!(H, o)
    for k in 1:o.K
        own = fill!(o.blocks[1], 0)
        has_constant(o) && add_constant!(H, own, o, k)
        for l in 1:length(o.neurons)
            M, G = pair!(o.moments, o, k, l, 2), weight_product(o, k, l)
            add_second_moments!(own, o, k, 2G, M.h20)
            add_mixed!(H, o, k, l, M)
            l <= o.K || continue
            if l == k
                add_second_moments!(own, o, k, 2G, M.h11)
            elseif l > k
                block = fill!(o.blocks[2], 0)
                add_second_moments!(block, o, k, 2G, M.h11)
                store_block!(H, o, k, l, block)
            end
        end
        store_block!(H, o, k, k, own)
    end
    mirror!(H)
    add_penalty_hessian!(H, o.maxnorm, x)
    add_penalty_hessian!(H, o.merge, x)
    return H
end

# Everything is stored in the upper or the lower triangle, and never in both.
function mirror!(H::AbstractMatrix)
    @inbounds for j in axes(H, 2), i in 1:j-1
        H[i, j] = H[j, i] = H[i, j] + H[j, i]
    end
end

function reserve_blocks!(o::InfiniteObjective)
    isempty(o.blocks) || return
    n, m = size(o.U, 1) + 1, o.inputs.n + 1
    o.blocks = [zeros(n, n), zeros(n, n), zeros(n, m), zeros(m, m), zeros(m, n)]
    o.blocks[5] .= input_map(o.inputs)
    return
end

# [x; 1] = T [y; 1]
input_map(inputs::GaussianInputs) =
    [inputs.root inputs.mean; zeros(1, size(inputs.root, 2)) 1.0]

# E[h [y; 1][y; 1]'] for the h whose moments are v: row and column n + 1 belong to the bias.
function add_second_moments!(block, o::InfiniteObjective, k::Int, factor::Float64, v::Vector{Float64})
    U, across = o.U, o.across
    n = size(U, 1)
    a, b, c, d, e, f = (factor * v[i] for i in 1:6)
    @inbounds for j in 1:n
        u, w = U[j, k], across[j]
        for i in 1:n
            block[i, j] += d * (U[i, k] * u) + e * (U[i, k] * w + across[i] * u) + f * (across[i] * w)
        end
        block[j, j] += a
        bias = b * u + c * w
        block[n+1, j] += bias
        block[j, n+1] += bias
    end
    block[n+1, n+1] += a
    return block
end

function store_block!(H::AbstractMatrix, o::InfiniteObjective, k::Int, l::Int, block)
    hidden = o.layers[1]
    mapped = block
    if !(o.inputs.standard && o.inputs.centred)
        mul!(o.blocks[3], block, transpose(o.blocks[5]))
        mapped = mul!(o.blocks[4], o.blocks[5], o.blocks[3])
    end
    @inbounds for j in 1:columns(hidden), i in 1:columns(hidden)
        row, column = first_index(o, k, i), first_index(o, l, j)
        (k != l || row <= column) && (H[row, column] += mapped[i, j])
    end
end

# Output weights and biases among themselves.
function add_output_blocks!(H::AbstractMatrix, o::InfiniteObjective)
    Dout = o.layers[2].nout
    bias = o.layers[2].bias
    for k in 1:o.K
        for l in k:o.K
            h = 2 * pair!(o.moments, o, k, l, 0).h00
            for i in 1:Dout
                H[second_index(o, i, k), second_index(o, i, l)] = h
            end
        end
        bias || continue
        neuron = o.neurons[k]
        single!(o.single, o.scratch.singles, neuron.profile, neuron.m, deviation(neuron))
        for i in 1:Dout
            H[second_index(o, i, k), second_index(o, i, o.K + 1)] = 2 * o.single[1, 1]
        end
    end
    bias || return
    for i in 1:Dout
        H[second_index(o, i, o.K + 1), second_index(o, i, o.K + 1)] = 2.0
    end
end

# A row of the first layer against output weights, from E[f_k' f_l [x; 1]]: the gradient is linear in each a_l, and in a_k twice.
function add_mixed!(H::AbstractMatrix, o::InfiniteObjective, k::Int, l::Int, M::PairMoments)
    row = mixed_row!(o, k, M.h10)
    @inbounds for i in axes(o.A, 1)
        own, other = second_index(o, i, k), second_index(o, i, l)
        for j in 1:columns(o.layers[1])
            place = first_index(o, k, j)
            H[place, own] += 2 * o.A[i, l] * row[j]
            l <= o.K && (H[place, other] += 2 * o.A[i, k] * row[j])
        end
    end
end

# E[h [x; 1]] into the third column block's memory
function mixed_row!(o::InfiniteObjective, k::Int, v::Vector{Float64})
    T, row = o.blocks[5], o.blocks[4]
    n = size(o.U, 1)
    @inbounds for j in 1:o.inputs.n+1
        total = T[j, n+1] * v[1]
        for i in 1:n
            total = muladd(T[j, i], v[2] * o.U[i, k] + v[3] * o.across[i], total)
        end
        row[j] = total
    end
    return row
end

# Neuron k and the difference of the output biases, as a pair with a constant.
function add_constant!(H::AbstractMatrix, own, o::InfiniteObjective, k::Int)
    e, neuron, M, product = o.single, o.neurons[k], o.moments, 0.0
    single!(e, o.scratch.singles, neuron.profile, neuron.m, deviation(neuron))
    fill!(o.across, 0)
    set3!(M.h10, 1.0, e[2, 1], e[2, 2], 0.0)
    set6!(M.h20, 1.0, e[3, 1], e[3, 2], 0.0, e[3, 3], 0.0, 0.0)
    row = mixed_row!(o, k, M.h10)
    for i in eachindex(o.c)
        product += o.c[i] * o.A[i, k]
        for j in 1:columns(o.layers[1])
            H[first_index(o, k, j), second_index(o, i, k)] += 2 * o.c[i] * row[j]
            o.layers[2].bias && (H[first_index(o, k, j), second_index(o, i, o.K + 1)] += 2 * o.A[i, k] * row[j])
        end
    end
    add_second_moments!(own, o, k, 2 * product, M.h20)
end

function hvp!(out::AbstractVecOrMat, o::InfiniteObjective, x::AbstractVector, v::AbstractVecOrMat)
    P = nparams(o)
    size(o.H, 1) == P || (o.H = zeros(P, P))
    return mul!(out, hessian!(o.H, o, x), v)
end

# Nanoseconds: a pair costs some microseconds, a neuron's coefficients ten; a Hessian makes all pairs in both orders, with more moments.
function evaluation_costs(o::InfiniteObjective)
    P, n = nparams(o), length(o.neurons)
    gradient = 1e4 * o.K + 1e3 * o.K * n + 10.0 * P
    hessian = 3.0 + P^2 * 20.0 / gradient
    return EvaluationCosts(hessian, hessian, factorization_time(P) / gradient, solve_time(P) / gradient)
end

# The Hessian of the exact loss, sample by sample, bounded over a box of parameters.
#
# With delta_m the derivative of a sample's loss with respect to the pre-activations z_m, a shift of z_l[i] changes delta_m[r]
# at the rate B[i, r] and the activation a_{m-1}[s] at the rate F[i, s]; both come from one tangent through the layers and
# back. For parameters [W b]_l[i, j] and [W b]_m[r, s] with l <= m, and a the inputs of a layer with their 1,
#
#     d^2 loss = a_{l-1}[j] (B[i, r] a_{m-1}[s] + delta_m[r] F[i, s])        (the second term for l < m).

"""
    exact_hessian!(H::Matrix{T}, o, x::Vector{T}) -> H

The upper triangle of the Hessian (P x P) of the exact loss at `x`; with T = `Ball`, bounds for all parameters in the box `x`.
"""
function exact_hessian!(H::Matrix{T}, o::ExactLoss, x::Vector{T}) where {T<:Wide}
    parts, P = exact_parts(o), nparams(o)
    sums = [part == 1 ? fill!(H, zero(T)) : zeros(T, P, P) for part in 1:parts]
    in_parts(part -> exact_hessian_part!(sums[part], o, x, part, parts), parts)
    foldl(add_upper_to!, sums)
    for j in 1:P, i in 1:j
        H[i, j] = H[i, j] / o.divisor
    end
    add_exact_penalty_hessian!(H, o.maxnorm, x)
    add_exact_penalty_hessian!(H, o.merge, x)
    return H
end

function add_upper_to!(total::Matrix{T}, more::Matrix{T}) where {T}
    @inbounds for j in axes(total, 2), i in 1:j
        total[i, j] += more[i, j]
    end
    return total
end

function exact_hessian_part!(total::Matrix{T}, o::ExactLoss, x::Vector{T}, part::Int, parts::Int) where {T}
    work, sum = ExactWork{T}(o), zero(total)
    for k in part_tiles(part, parts, cld(nsamples(o), SAMPLES_A_SUM))
        fill!(sum, zero(T))
        for n in sum_samples(o, k)
            add_sample_hessian!(sum, work, o, x, n)
        end
        add_upper_to!(total, sum)
    end
end

function add_sample_hessian!(H::Matrix{T}, work::ExactWork{T}, o::ExactLoss, x::Vector{T}, n::Int) where {T}
    load_sample!(work, o, n)
    exact_forward!(work, o, x)
    exact_loss_adjoint!(o.loss, work, o, n)
    exact_loss_curvature!(o.loss, work, o, n)
    exact_backward!(work, o, x)
    for l in eachindex(o.layers), i in 1:o.layers[l].nout
        tangent!(work, o, x, l, i)
        for m in l:length(o.layers)
            add_block!(H, work, o, l, i, m)
        end
    end
end

"""
    tangent!(work, o, x, l, i)

The rates at which a shift of z_l[i] changes the activations (`adot`) and the adjoints (`deltadot`) of layer l and those above.
"""
function tangent!(work::ExactWork{T}, o::ExactLoss, x::Vector{T}, l::Int, i::Int) where {T}
    tiles, L = work.layers, length(o.layers)
    fill!(tiles[l].zdot, zero(T))
    tiles[l].zdot[i] = one(T)
    for m in l:L
        tile = tiles[m]
        m > l && exact_product!(tile.zdot, x, o.offsets[m], tiles[m-1].adot, o.layers[m].nout, o.layers[m].nin)
        @inbounds for r in eachindex(tile.zdot)
            tile.adot[r] = tile.d1[r] * tile.zdot[r]
        end
    end
    exact_product!(tiles[L].edot, work.q, 0, tiles[L].adot, o.layers[L].nout, o.layers[L].nout)
    for m in L:-1:l
        tile, layer = tiles[m], o.layers[m]
        @inbounds for r in eachindex(tile.zdot)
            tile.deltadot[r] = tile.edot[r] * tile.d1[r] + (tile.e[r] * tile.d2[r]) * tile.zdot[r]
        end
        m > l && exact_transposed_product!(tiles[m-1].edot, x, o.offsets[m], tile.deltadot, layer.nout, layer.nin)
    end
end

# The rows of neuron i of layer l in the columns of layer m, as far as they lie in the upper triangle.
function add_block!(H::Matrix{T}, work::ExactWork{T}, o::ExactLoss, l::Int, i::Int, m::Int) where {T}
    n, k = o.layers[l].nout, o.layers[m].nout
    below, inputs, tile = layer_input(work, l), layer_input(work, m), work.layers[m]
    @inbounds for s in eachindex(inputs), r in 1:k
        column = o.offsets[m] + (s - 1) * k + r
        c = tile.deltadot[r] * inputs[s]
        l < m && s <= o.layers[m].nin && (c += tile.delta[r] * work.layers[m-1].adot[s])
        last = l < m ? length(below) : (r >= i ? s : s - 1)
        for j in 1:last
            row = o.offsets[l] + (j - 1) * n + i
            H[row, column] += c * below[j]
        end
    end
end

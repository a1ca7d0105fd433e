# The second derivatives through the layers, by forward-over-reverse in the pre-activations.
#
# Let phi be the weighted loss of a sample, z_l and a_l = f_l(z_l) pre-activations and activations, delta_m = dphi/dz_m and
# e_m = dphi/da_m. A parameter W_l[i, j] acts through z_l[i] with the factor a_{l-1}[j], so that for l <= m
#
#     d2phi/dW_l[i,j] dW_m[r,s] = a_{l-1}[j] ( B_lm[i,r] a_{m-1}[s] + delta_m[r] F_{l,m-1}[i,s] ),
#
# with F_lm[i,s] = da_m[s]/dz_l[i] and B_lm[i,r] = d delta_m[r]/dz_l[i]. F comes from a forward recursion, B from a backward one:
#
#     Z_lm = F_{l,m-1} W_m',   F_lm = Z_lm .* f'_m,
#     B_lm = E_lm .* f'_m + (e_m .* f''_m) .* Z_lm,   E_{l,m-1} = B_lm W_m,
#
# from E_lL = Q F_lL, where Q is the loss curvature at the output ("folded": B holds the whole second derivative), or from
# E_lL = 0, when the Gauss-Newton part is added as a rank-k update elsewhere. Sums over samples are then plain matrix
# products of tiles of column products; they are accumulated in that shape and put in their place in H once, at the end.

"""
    PairCurvature{T}

Scratch and sums for a pair of layers l < m. Matrices with `height * n_l` rows hold, for each column, n_l tiles below each
other; the `wide` twin of each shares its memory as (height x n_l n).
"""
mutable struct PairCurvature{T}
    z::Matrix{T}             # (height n_l) x n_m
    f::Matrix{T}
    e::Matrix{T}
    b::Matrix{T}
    f_wide::Matrix{T}        # height x (n_l n_m)
    b_wide::Matrix{T}
    inputs::Matrix{T}        # height x (d_l d_m): a_{l-1}[j] a_{m-1}[s]
    chain::Matrix{T}         # height x (d_l n_m), or (n_l n_m) for neighbours
    b_sum::Matrix{T}         # (n_l n_m) x (d_l d_m)
    chain_sum::Matrix{T}     # (n_l n_{m-1}) x (d_l n_m), or (n_l n_m) x d_l for neighbours
end

function PairCurvature{T}(layers::Vector{Layer}, l::Int, m::Int, height::Int) where {T}
    n, k, d, c = layers[l].nout, layers[m].nout, columns(layers[l]), columns(layers[m])
    tall() = zeros(T, height * n, k)
    z, f, e, b = tall(), tall(), tall(), tall()
    neighbours = m == l + 1
    return PairCurvature{T}(z, f, e, b, reshape(f, height, n * k), reshape(b, height, n * k), zeros(T, height, d * c),
                            zeros(T, height, neighbours ? n * k : d * k), zeros(T, n * k, d * c),
                            neighbours ? zeros(T, n * k, d) : zeros(T, n * layers[m].nin, d * k))
end

"""
    OwnCurvature{T}

Scratch and sums of the block of one layer with itself. B_ll is symmetric, and so are the products of inputs: both are
kept as packed triangles. Where B_ll is diagonal only its diagonal is kept.
"""
mutable struct OwnCurvature{T}
    diagonal::Bool
    e::Matrix{T}             # (height n) x n: E_ll
    b::Matrix{T}             # height x n(n+1)/2, or n
    inputs::Matrix{T}        # height x d(d+1)/2
    sum::Matrix{T}
end

function OwnCurvature{T}(layer::Layer, diagonal::Bool, height::Int) where {T}
    n, d = layer.nout, columns(layer)
    rows, pairs = diagonal ? n : n * (n + 1) ÷ 2, d * (d + 1) ÷ 2
    return OwnCurvature{T}(diagonal, zeros(T, diagonal ? 0 : height * n, diagonal ? 0 : n), zeros(T, height, rows),
                           zeros(T, height, pairs), zeros(T, rows, pairs))
end

"""
    Curvature{T}(layers, height, folded)

Everything `add_curvature!` needs. `folded`: with the Gauss-Newton part inside.
"""
struct Curvature{T}
    folded::Bool
    linear_output::Bool                    # f''_L = 0: B_lL vanishes unless folded
    own::Vector{OwnCurvature{T}}
    pairs::Matrix{PairCurvature{T}}        # [l, m], assigned for l < m
    Q::Array{T,3}                          # height x Dout x Dout
end

function Curvature{T}(layers::Vector{Layer}, height::Int, folded::Bool) where {T}
    L, Dout = length(layers), layers[end].nout
    linear = is_identity(layers[end])
    own = [OwnCurvature{T}(layers[l], !folded && (l == L || linear && l == L - 1), height) for l in 1:L]
    pairs = Matrix{PairCurvature{T}}(undef, L, L)
    for m in 2:L, l in 1:m-1
        pairs[l, m] = PairCurvature{T}(layers, l, m, height)
    end
    return Curvature{T}(folded, linear, own, pairs, zeros(T, height, folded ? Dout : 0, folded ? Dout : 0))
end

# Whether B_lL = 0 for all l, L included (then E_{l,L-1} = 0 too).
output_vanishes(c::Curvature) = !c.folded && c.linear_output

own_vanishes(c::Curvature, l::Int) = l == length(c.own) && output_vanishes(c)

function clear_sums!(c::Curvature)
    for m in axes(c.pairs, 2)
        fill!(c.own[m].sum, 0)
        for l in 1:m-1
            fill!(c.pairs[l, m].b_sum, 0)
            fill!(c.pairs[l, m].chain_sum, 0)
        end
    end
end

"""
    add_curvature!(c, ws)

Add the second derivatives of the tile in `ws` (after a forward pass with second derivatives and the backward pass of the
gradient) to the sums in `c`.
"""
function add_curvature!(c::Curvature, ws::Workspace)
    for l in eachindex(ws.tiles)
        propagate_forward!(c, ws, l)
        propagate_backward!(c, ws, l)
        own_vanishes(c, l) || add_own!(c.own[l], ws, l)
        for m in l+1:length(ws.tiles)
            add_pair!(c, ws, l, m)
        end
    end
end

function propagate_forward!(c::Curvature, ws::Workspace, l::Int)
    for m in l+1:length(ws.tiles) - output_vanishes(c)
        pair, tile = c.pairs[l, m], ws.tiles[m]
        if m == l + 1
            scale_weights!(pair.z, ws.tiles[l].d1, tile.Wt)
        else
            multiply_transposed!(pair.z, c.pairs[l, m-1].f, tile.W)
        end
        scale_tiles!(pair.f, pair.z, tile.d1)
    end
end

# Z_{l,l+1}[i, r] = f'_l[i] W_{l+1}[r, i], since F_ll is diagonal.
function scale_weights!(z::Matrix, d1::Matrix, Wt::Matrix)
    height, n = size(d1)
    for r in axes(z, 2), i in 1:n
        w, above = Wt[i, r], (i - 1) * height
        @inbounds @streamed for t in 1:height
            z[above+t, r] = d1[t, i] * w
        end
    end
end

multiply_transposed!(out::Matrix{T}, in::Matrix{T}, W::Matrix{T}) where {T} =
    BLAS.gemm!('N', 'T', one(T), in, W, zero(T), out)

# out[i, r] = in[i, r] * factor[r] for every tile i in column r.
function scale_tiles!(out::Matrix, in::Matrix, factor::Matrix)
    height = size(factor, 1)
    for r in axes(out, 2), above in 0:height:size(out, 1)-height
        @inbounds @streamed for t in 1:height
            out[above+t, r] = in[above+t, r] * factor[t, r]
        end
    end
end

function propagate_backward!(c::Curvature, ws::Workspace, l::Int)
    L = length(ws.tiles)
    if l < L
        c.folded ? start_folded!(c.pairs[l, L].e, c.Q, c.pairs[l, L].f) : fill!(c.pairs[l, L].e, 0)
    elseif c.folded
        start_folded_output!(c.own[L].e, c.Q, ws.tiles[L].d1)
    end
    for m in L:-1:l+1
        pair, tile = c.pairs[l, m], ws.tiles[m]
        below = m == l + 1 ? c.own[l].e : c.pairs[l, m-1].e
        if m == L && output_vanishes(c)
            fill!(below, 0)
        else
            curve_tiles!(pair.b, pair.e, pair.z, tile)
            isempty(below) || multiply!(below, pair.b, tile.W)
        end
    end
    own_vanishes(c, l) || curve_own!(c.own[l], ws.tiles[l])
end

# E_lL[i, k] = sum_j Q[k, j] F_lL[i, j]
function start_folded!(e::Matrix, Q::Array, f::Matrix)
    fill!(e, 0)
    height = size(Q, 1)
    for k in axes(e, 2), j in axes(e, 2), above in 0:height:size(e, 1)-height
        @inbounds @streamed for t in 1:height
            e[above+t, k] = muladd(Q[t, k, j], f[above+t, j], e[above+t, k])
        end
    end
end

# E_LL[i, k] = Q[k, i] f'_L[i], since F_LL is diagonal.
function start_folded_output!(e::Matrix, Q::Array, d1::Matrix)
    height, n = size(d1)
    for k in 1:n, i in 1:n
        above = (i - 1) * height
        @inbounds @streamed for t in 1:height
            e[above+t, k] = Q[t, k, i] * d1[t, i]
        end
    end
end

# B_lm = E_lm .* f'_m + (e_m .* f''_m) .* Z_lm
function curve_tiles!(b::Matrix, e::Matrix, z::Matrix, tile::LayerTile)
    d1, d2, adjoint = tile.d1, tile.d2, tile.e
    height = size(d1, 1)
    for r in axes(b, 2), above in 0:height:size(b, 1)-height
        @inbounds @streamed for t in 1:height
            b[above+t, r] = muladd(e[above+t, r], d1[t, r], adjoint[t, r] * d2[t, r] * z[above+t, r])
        end
    end
end

# B_ll = E_ll .* f'_l + diag(e_l .* f''_l), packed.
function curve_own!(own::OwnCurvature, tile::LayerTile)
    own.diagonal && return hadamard!(own.b, tile.e, tile.d2)
    height, n = size(tile.d1)
    for r in 1:n, i in 1:r
        above, column = (i - 1) * height, packed(i, r)
        @inbounds @streamed for t in 1:height
            own.b[t, column] = own.e[above+t, r] * tile.d1[t, r]
        end
    end
    for i in 1:n
        column = packed(i, i)
        @inbounds @streamed for t in 1:height
            own.b[t, column] = muladd(tile.e[t, i], tile.d2[t, i], own.b[t, column])
        end
    end
    return own.b
end

function add_own!(own::OwnCurvature, ws::Workspace, l::Int)
    symmetric_column_products!(own.inputs, layer_input(ws, l))
    accumulate_product!(own.sum, own.b, own.inputs)
end

function add_pair!(c::Curvature, ws::Workspace, l::Int, m::Int)
    pair, a, delta = c.pairs[l, m], layer_input(ws, l), ws.tiles[m].delta
    if !(m == length(ws.tiles) && output_vanishes(c))
        column_products!(pair.inputs, a, layer_input(ws, m))
        accumulate_product!(pair.b_sum, pair.b_wide, pair.inputs)
    end
    if m == l + 1
        column_products!(pair.chain, ws.tiles[l].d1, delta)
        accumulate_product!(pair.chain_sum, pair.chain, a)
    else
        column_products!(pair.chain, a, delta)
        accumulate_product!(pair.chain_sum, c.pairs[l, m-1].f_wide, pair.chain)
    end
end

"""
    store_curvature!(H, c, ws)

Add the sums in `c` to the upper triangle of `H`, each entry in its place in the order of the flat parameter vector.
"""
function store_curvature!(H::Matrix, c::Curvature, ws::Workspace)
    for m in eachindex(ws.tiles)
        own_vanishes(c, m) || store_own!(H, c.own[m], ws.tiles[m])
        for l in 1:m-1
            store_pair!(H, c, l, m, ws)
        end
    end
end

function store_own!(H::Matrix, own::OwnCurvature, tile::LayerTile)
    n, d = size(tile.dW)
    offset, sum = tile.offset, own.sum
    for s in 1:d, r in 1:n
        column = offset + (s - 1) * n + r
        for j in 1:s, i in (own.diagonal ? (r:r) : (1:n))
            row = offset + (j - 1) * n + i
            row <= column || continue
            @inbounds H[row, column] += sum[own.diagonal ? i : packed(i, r), packed(j, s)]
        end
    end
end

function store_pair!(H::Matrix, c::Curvature, l::Int, m::Int, ws::Workspace)
    pair, lower, upper = c.pairs[l, m], ws.tiles[l], ws.tiles[m]
    m == length(ws.tiles) && output_vanishes(c) || store_b_sum!(H, pair, lower, upper)
    m == l + 1 ? store_neighbour_chain!(H, pair, lower, upper) : store_chain!(H, pair, lower, upper)
end

function store_b_sum!(H::Matrix, pair::PairCurvature, lower::LayerTile, upper::LayerTile)
    n, d = size(lower.dW)
    k, c = size(upper.dW)
    for s in 1:c, r in 1:k, j in 1:d
        row, column = lower.offset + (j - 1) * n, upper.offset + (s - 1) * k + r
        @inbounds @streamed for i in 1:n
            H[row+i, column] += pair.b_sum[i+(r-1)*n, j+(s-1)*d]
        end
    end
end

function store_neighbour_chain!(H::Matrix, pair::PairCurvature, lower::LayerTile, upper::LayerTile)
    n, d = size(lower.dW)
    k = size(upper.dW, 1)
    for i in 1:n, r in 1:k, j in 1:d
        @inbounds H[lower.offset+(j-1)*n+i, upper.offset+(i-1)*k+r] += pair.chain_sum[i+(r-1)*n, j]
    end
end

function store_chain!(H::Matrix, pair::PairCurvature, lower::LayerTile, upper::LayerTile)
    n, d = size(lower.dW)
    k = size(upper.dW, 1)
    for s in 1:upper.layer.nin, r in 1:k, j in 1:d
        row, column = lower.offset + (j - 1) * n, upper.offset + (s - 1) * k + r
        @inbounds @streamed for i in 1:n
            H[row+i, column] += pair.chain_sum[i+(s-1)*n, j+(r-1)*d]
        end
    end
end

# The scratch memory of one evaluation: for every layer its parameters in two layouts, and one tile of samples.

const TILE = 128                # samples a tile: sums are long, and the arrays of a narrow layer stay in the second-level cache
const WIDE_TILE = 512           # for networks of so many parameters that BLAS does the work: it wants long tiles
const WIDE_FROM = 20_000        # parameters
const SECOND_ORDER_TILE = 64    # a Hessian keeps products of columns: shorter tiles hold them in cache
const VECTOR_LENGTH = 8         # Float64 numbers in the widest vector register; tiles are a multiple of it
const UNPADDED = 32             # up to so many samples the copies that fill up a vector would cost more than they save

# The tiles of n samples are of the same height, as nearly as whole vectors allow.
function tile_height(n::Int, longest::Int)
    n <= UNPADDED && return n
    tiles = cld(n, longest)
    return VECTOR_LENGTH * cld(cld(n, tiles), VECTOR_LENGTH)
end

"""
    LayerTile{T}

One layer and one tile of samples (rows). `a` has a last column of ones when the next layer has a bias. `e` is the
derivative of the weighted loss with respect to `a`, `delta` that with respect to `z`. Mutable, so that it is passed by
reference through dynamic dispatch.
"""
mutable struct LayerTile{T}
    layer::Layer
    identity::Bool
    offset::Int             # parameters before this layer's in the flat vector
    Wt::Matrix{T}           # columns x nout: [W b] transposed, for the forward pass
    W::Matrix{T}            # nout x nin: without bias, for the backward pass; empty in the first layer, where none arrives
    dW::Matrix{T}           # nout x columns: gradient of [W b]
    z::Matrix{T}            # tile x nout: pre-activations
    a::Matrix{T}            # tile x nout [+ 1]: activations
    d1::Matrix{T}           # tile x nout: f'(z)
    d2::Matrix{T}           # tile x nout: f''(z)
    e::Matrix{T}            # tile x nout
    delta::Matrix{T}        # tile x nout
end

function LayerTile{T}(layer::Layer, offset::Int, next_has_bias::Bool, height::Int) where {T}
    n, d = layer.nout, columns(layer)
    block() = zeros(T, height, n)
    return LayerTile{T}(layer, is_identity(layer), offset, zeros(T, d, n), zeros(T, offset == 0 ? 0 : n, layer.nin), zeros(T, n, d),
                        block(), ones(T, height, n + next_has_bias), ones(T, height, n), block(), block(), block())
end

"""
    Workspace{T}(layers, samples, longest_tile)

A `LayerTile` a layer, and the tile of data: inputs, targets, coefficients, and the class probabilities of a cross-entropy.
"""
struct Workspace{T}
    tiles::Vector{LayerTile{T}}
    input::Matrix{T}        # tile x Din [+ 1]
    target::Matrix{T}       # tile x Dout
    coefficient::Vector{T}  # tile
    softmax::Matrix{T}      # tile x Dout
    column::Matrix{T}       # tile x 3: scratch of the cross-entropy
end

function Workspace{T}(layers::Vector{Layer}, samples::Samples{T}, longest_tile::Int) where {T}
    offsets = cumsum(vcat(0, map(nparams, layers)))
    height = tile_height(samples.n, longest_tile)
    tiles = [LayerTile{T}(layers[l], offsets[l], l < length(layers) && layers[l+1].bias, height) for l in eachindex(layers)]
    outputs = size(samples.target, 2)
    return Workspace{T}(tiles, zeros(T, height, columns(layers[1])), zeros(T, height, outputs), zeros(T, height),
                        zeros(T, height, outputs), zeros(T, height, 3))
end

tile_height(ws::Workspace) = length(ws.coefficient)
tile_count(ws::Workspace, samples::Samples) = cld(samples.n, tile_height(ws))
output_tile(ws::Workspace) = ws.tiles[end]

first_order_tile(layers::Vector{Layer}) = nparams(layers) < WIDE_FROM ? TILE : WIDE_TILE

# What layer l takes in: the activations of the layer below, with its column of ones.
layer_input(ws::Workspace, l::Int) = l == 1 ? ws.input : ws.tiles[l-1].a

function load_params!(ws::Workspace, x::AbstractVector)
    for tile in ws.tiles
        n, d = size(tile.dW)
        nin = tile.layer.nin
        load_matrix!(tile.Wt, tile.W, x, tile.offset, n, d, nin)
    end
end

# W may have no rows: then only Wt is filled.
function load_matrix!(Wt::Matrix, W::Matrix, x::AbstractVecOrMat, offset::Int, n::Int, d::Int, nin::Int)
    @inbounds for j in 1:d
        @streamed for i in 1:n
            Wt[j, i] = x[offset+(j-1)*n+i]
        end
    end
    isempty(W) && return
    @inbounds @streamed for i in 1:n*nin
        W[i] = x[offset+i]
    end
end

"""
    load_tile!(ws, samples, k)

Copy tile `k` of the data into `ws`. Copies of the last sample with coefficient 0 fill the last tile, so that no kernel meets
a made-up input.
"""
function load_tile!(ws::Workspace, samples::Samples, k::Int)
    height = tile_height(ws)
    first = (k - 1) * height
    count = min(height, samples.n - first)
    load_columns!(ws.input, samples.input, first, count)
    load_columns!(ws.target, samples.target, first, count)
    copyto!(ws.coefficient, 1, samples.coefficient, first + 1, count)
    @inbounds for t in count+1:height
        ws.coefficient[t] = 0
    end
end

function load_columns!(tile::Matrix, rows::Matrix, first::Int, count::Int)
    for j in axes(tile, 2)
        @inbounds @simd ivdep for t in 1:count
            tile[t, j] = rows[first+t, j]
        end
        @inbounds for t in count+1:size(tile, 1)
            tile[t, j] = rows[first+count, j]
        end
    end
end

function clear_gradient!(ws::Workspace)
    for tile in ws.tiles
        fill!(tile.dW, 0)
    end
end

# The layers' sums into the flat vector, or added to what is there.
function store_gradient!(g::AbstractVector, ws::Workspace)
    for tile in ws.tiles
        copyto!(g, tile.offset + 1, tile.dW, 1, length(tile.dW))
    end
end

function add_gradient!(g::AbstractVector, ws::Workspace)
    for tile in ws.tiles
        @inbounds @simd ivdep for i in eachindex(tile.dW)
            g[tile.offset+i] += tile.dW[i]
        end
    end
end

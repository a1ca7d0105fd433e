# The scratch memory of one evaluation: for every layer its parameters in two layouts and one tile of samples.

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
    W::Matrix{T}            # nout x nin: without bias, for the backward pass
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
    return LayerTile{T}(layer, is_identity(layer), offset, zeros(T, d, n), zeros(T, n, layer.nin), zeros(T, n, d),
                        block(), ones(T, height, n + next_has_bias), ones(T, height, n), block(), block(), block())
end

"""
    Workspace{T}(layers, height)

A `LayerTile` a layer and the input tile, for tiles of `height` samples.
"""
struct Workspace{T}
    tiles::Vector{LayerTile{T}}
    input::Matrix{T}        # tile x Din [+ 1]
end

function Workspace{T}(layers::Vector{Layer}, height::Int) where {T}
    offsets = cumsum(vcat(0, map(nparams, layers)))
    tiles = [LayerTile{T}(layers[l], offsets[l], l < length(layers) && layers[l+1].bias, height) for l in eachindex(layers)]
    return Workspace{T}(tiles, zeros(T, height, columns(layers[1])))
end

# What layer l takes in: the activations of the layer below, with its column of ones.
layer_input(ws::Workspace, l::Int) = l == 1 ? ws.input : ws.tiles[l-1].a

function load_params!(ws::Workspace, x::AbstractVector)
    for tile in ws.tiles
        n, d = size(tile.dW)
        nin = tile.layer.nin
        @inbounds for j in 1:d, i in 1:n
            w = x[tile.offset+(j-1)*n+i]
            tile.Wt[j, i] = w
            j <= nin && (tile.W[i, j] = w)
        end
    end
end

function load_input!(ws::Workspace, samples::Samples, k::Int)
    copyto!(ws.input, 1, samples.input, (k - 1) * length(ws.input) + 1, length(ws.input))
end

function clear_gradient!(ws::Workspace)
    for tile in ws.tiles
        fill!(tile.dW, 0)
    end
end

function store_gradient!(g::AbstractVector, ws::Workspace)
    for tile in ws.tiles
        copyto!(g, tile.offset + 1, tile.dW, 1, length(tile.dW))
    end
end

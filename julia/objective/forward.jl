# The forward pass on a tile, with as many derivatives of the activations as the caller needs.

# The kernels below are reached by one dynamic dispatch on the activation `f` a run of neurons: networks with other
# widths or depths compile nothing anew, and the arguments are all on the heap, so that nothing is allocated.

function activate!(f::F, run::ActivationRun, tile::LayerTile) where {F}
    z, a, height = tile.z, tile.a, size(tile.z, 1)
    @inbounds @vectorized for i in (run.first-1)*height+1:run.last*height
        a[i] = activation_value(f, z[i])
    end
    return nothing
end

function activate_d1!(f::F, run::ActivationRun, tile::LayerTile) where {F}
    z, a, d1, height = tile.z, tile.a, tile.d1, size(tile.z, 1)
    @inbounds @vectorized for i in (run.first-1)*height+1:run.last*height
        v, v1 = value_and_slope(f, z[i])
        a[i] = v
        d1[i] = v1
    end
    return nothing
end

function activate_d2!(f::F, run::ActivationRun, tile::LayerTile) where {F}
    z, a, d1, d2, height = tile.z, tile.a, tile.d1, tile.d2, size(tile.z, 1)
    @inbounds @vectorized for i in (run.first-1)*height+1:run.last*height
        v, v1, v2 = derivatives(f, z[i])
        a[i] = v
        d1[i] = v1
        d2[i] = v2
    end
    return nothing
end

"""
    forward!(ws, kernel!)

Fill pre-activations and activations of every layer for the input tile in `ws`; `kernel!` is `activate!`,
`activate_d1!` or `activate_d2!` (value, and first, and second derivative).
"""
function forward!(ws::Workspace, kernel!::K) where {K}
    for l in eachindex(ws.tiles)
        tile = ws.tiles[l]
        multiply!(tile.z, layer_input(ws, l), tile.Wt)
        if tile.identity
            copyto!(tile.a, 1, tile.z, 1, length(tile.z))
        else
            for run in tile.layer.runs
                kernel!(run.f, run, tile)
            end
        end
    end
end

"""
    backward!(ws)

From `e` of the last layer to `delta` of every layer and `e` of the lower ones.
"""
function backward!(ws::Workspace)
    for l in length(ws.tiles):-1:1
        tile = ws.tiles[l]
        tile.identity ? copyto!(tile.delta, tile.e) : hadamard!(tile.delta, tile.e, tile.d1)
        l > 1 && multiply!(ws.tiles[l-1].e, tile.delta, tile.W)
    end
end

"""
    network_output(net, x) -> Matrix (Dout x N)
    network_output(layers, x, input) -> Matrix (Dout x N)

The outputs of the network with flat parameters `x` for its own inputs, or for other inputs (Din x N).
"""
network_output(net, x::Vector{Float64}) = network_output(net.layers, x, net.samples)

function network_output(layers::Vector{Layer}, x::Vector{Float64}, input::AbstractMatrix)
    size(input, 1) == layers[1].nin ||
        throw(DimensionMismatch("expected $(layers[1].nin) rows of input, got $(size(input, 1))"))
    size(input, 2) == 0 && return zeros(layers[end].nout, 0)
    return network_output(layers, x, Samples{Float64}(input, zeros(0, size(input, 2)), nothing, layers[1].bias))
end

function network_output(layers::Vector{Layer}, x::Vector{Float64}, samples::Samples{T}) where {T}
    ws = Workspace{T}(layers, samples, first_order_tile(layers))
    load_params!(ws, x)
    output = Matrix{T}(undef, layers[end].nout, samples.n)
    for k in 1:tile_count(ws, samples)
        load_tile!(ws, samples, k)
        forward!(ws, activate!)
        first = (k - 1) * tile_height(ws)
        for t in 1:min(tile_height(ws), samples.n - first), o in axes(output, 1)
            output[o, first+t] = output_tile(ws).a[t, o]
        end
    end
    return output
end

# The scratch memory of products with directions.

"""
    Tangent{T}(layers)

One direction, in the two layouts of `LayerTile`, and the sums of its product. Nothing is passed below the first layer: its `V`
and `chain` are empty.
"""
struct Tangent{T}
    Vt::Vector{Matrix{T}}       # columns x nout
    V::Vector{Matrix{T}}        # nout x nin
    sums::Vector{Matrix{T}}     # nout x columns
    chain::Vector{Matrix{T}}    # nout x nin: the part without the bias column
end

function Tangent{T}(layers::Vector{Layer}) where {T}
    backward() = [zeros(T, i == 1 ? 0 : l.nout, l.nin) for (i, l) in enumerate(layers)]
    return Tangent{T}([zeros(T, columns(l), l.nout) for l in layers], backward(),
                      [zeros(T, l.nout, columns(l)) for l in layers], backward())
end

"""
    TangentTile{T}

The derivatives of one layer's tile along a direction, tile x nout each.
"""
mutable struct TangentTile{T}
    z::Matrix{T}
    a::Matrix{T}
    e::Matrix{T}
    delta::Matrix{T}
end

"""
    Products{T}

For each thread a tile of tangents and as many directions as the largest block so far.
"""
struct Products{T}
    tiles::Vector{Vector{TangentTile{T}}}
    tangents::Vector{Vector{Tangent{T}}}
end

function Products{T}(parts::Vector{Workspace{T}}) where {T}
    tile(t) = TangentTile{T}(zero(t.z), zero(t.z), zero(t.z), zero(t.z))
    return Products{T}([[tile(t) for t in ws.tiles] for ws in parts], [Tangent{T}[] for _ in parts])
end

# The Gauss-Newton matrix as rank-k updates: rows of the network's Jacobian, weighted by a root of the loss curvature, are
# collected in a block and added by one BLAS syrk when the block is full.

const JACOBIAN_TILES = 4    # tiles a block: enough rows for syrk to run at speed, few enough to stay in cache

"""
    JacobianBlock{T}(P, height)

Rows waiting for a rank-k update: `rows` (JACOBIAN_TILES * height x P), `used` of which are filled.
"""
mutable struct JacobianBlock{T}
    rows::Matrix{T}
    used::Int
end

JacobianBlock{T}(P::Int, height::Int, tiles::Int) where {T} = JacobianBlock{T}(zeros(T, min(JACOBIAN_TILES, tiles) * height, P), 0)

"""
    add_rows!(H, block, ws)

Append the derivatives of one scalar per sample with respect to all parameters, delta_l[i] a_{l-1}[j], from the `delta` in `ws`;
flush to the upper triangle of `H` when the block is full.
"""
function add_rows!(H::Matrix, block::JacobianBlock, ws::Workspace)
    for l in eachindex(ws.tiles)
        tile, a = ws.tiles[l], layer_input(ws, l)
        n, d = size(tile.dW)
        for j in 1:d, i in 1:n
            store_rows!(block.rows, block.used, tile.offset + (j - 1) * n + i, tile.delta, i, a, j)
        end
    end
    block.used += size(ws.input, 1)
    block.used == size(block.rows, 1) && flush!(H, block)
end

@inline function store_rows!(rows, used, column, delta, i, a, j)
    @inbounds @simd ivdep for t in axes(delta, 1)
        rows[used+t, column] = delta[t, i] * a[t, j]
    end
end

function flush!(H::Matrix{T}, block::JacobianBlock{T}) where {T}
    block.used == 0 && return
    rows = block.rows
    if block.used < size(rows, 1)
        for p in axes(rows, 2), t in block.used+1:size(rows, 1)
            @inbounds rows[t, p] = 0
        end
    end
    BLAS.syrk!('U', 'T', one(T), rows, one(T), H)
    block.used = 0
end

# The Gauss-Newton matrix as rank-k updates: rows of the network's Jacobian, weighted by a root of the loss curvature, are
# collected in a block and added by one BLAS syrk when the block is full.

const BLOCK_BYTES = 2^18    # of a block of rows: it is written and read again, and should stay in cache
const BLOCK_ROWS = 64:256   # fewer and syrk is slow, more and nothing is gained

"""
    JacobianBlock{T}(P, height, pieces)

Rows waiting for a rank-k update: `rows` (capacity + padding x P), `used` of the `capacity` are filled, in at most so
many pieces of `height` rows.
The padding, rows of zeros, keeps the columns from lying a power of two apart, which would map them to the same
cache lines.
"""
mutable struct JacobianBlock{T}
    rows::Matrix{T}
    capacity::Int
    used::Int
end

function JacobianBlock{T}(P::Int, height::Int, pieces::Int) where {T}
    wanted = clamp(BLOCK_BYTES ÷ (sizeof(T) * max(P, 1)), BLOCK_ROWS[1], BLOCK_ROWS[end])
    capacity = height * min(pieces, max(1, wanted ÷ height))
    return JacobianBlock{T}(zeros(T, capacity + VECTOR_LENGTH, P), capacity, 0)
end

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
    block.used += tile_height(ws)
    block.used == block.capacity && flush!(H, block)
end

@inline function store_rows!(rows, used, column, delta, i, a, j)
    @inbounds @streamed for t in axes(delta, 1)
        rows[used+t, column] = delta[t, i] * a[t, j]
    end
end

function flush!(H::Matrix{T}, block::JacobianBlock{T}) where {T}
    block.used == 0 && return
    rows = block.rows
    for p in axes(rows, 2), t in block.used+1:block.capacity
        @inbounds rows[t, p] = 0
    end
    BLAS.syrk!('U', 'T', one(T), rows, one(T), H)
    block.used = 0
end

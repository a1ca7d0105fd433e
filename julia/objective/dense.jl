# Products of tall tiles with the small matrices of a layer: own loops for narrow layers, BLAS for wide ones.

# From this many multiplications a sample on BLAS is used. Measured with OpenBLAS on square layers of width 6 to 40: the
# loops win up to a width of 20 to 28 (by a tenth), and from there on nothing is lost by the call.
const BLAS_FROM = 800

"""
    multiply!(out, in, M) -> out
    add_product!(out, in, M) -> out

out = in * M, or out += in * M, for tall `in` (tile x d) and small `M` (d x n).
"""
function multiply!(out::Matrix{T}, in::Matrix{T}, M::Matrix{T}) where {T}
    length(M) >= BLAS_FROM && return BLAS.gemm!('N', 'N', one(T), in, M, zero(T), out)
    for k in axes(M, 2)
        add_remaining_columns!(out, in, M, first_columns!(out, in, M, k), k)
    end
    return out
end

function add_product!(out::Matrix{T}, in::Matrix{T}, M::Matrix{T}) where {T}
    length(M) >= BLAS_FROM && return BLAS.gemm!('N', 'N', one(T), in, M, one(T), out)
    for k in axes(M, 2)
        add_remaining_columns!(out, in, M, 1, k)
    end
    return out
end

"""
    add_transposed_product!(out, in, W) -> out

out += in * W' for tall `in` (tile x d) and small `W` (n x d).
"""
function add_transposed_product!(out::Matrix{T}, in::Matrix{T}, W::Matrix{T}) where {T}
    length(W) >= BLAS_FROM && return BLAS.gemm!('N', 'T', one(T), in, W, one(T), out)
    for k in axes(W, 1), j in axes(W, 2)
        @inbounds add_columns!(out, in, j, k, (W[k, j],))
    end
    return out
end

@inline function add_remaining_columns!(out, in, M, j, k)
    d = size(M, 1)
    while j + 3 <= d
        add_columns!(out, in, j, k, column_entries(M, j, k, Val(4)))
        j += 4
    end
    while j <= d
        add_columns!(out, in, j, k, column_entries(M, j, k, Val(1)))
        j += 1
    end
end

# Up to four columns a pass over the tile: out is loaded and stored once for them.
@inline function first_columns!(out, in, M, k)
    d = size(M, 1)
    if d == 1
        set_columns!(out, in, k, column_entries(M, 1, k, Val(1)))
    elseif d == 2
        set_columns!(out, in, k, column_entries(M, 1, k, Val(2)))
    elseif d == 3
        set_columns!(out, in, k, column_entries(M, 1, k, Val(3)))
    else
        set_columns!(out, in, k, column_entries(M, 1, k, Val(4)))
    end
    return min(d, 4) + 1
end

@inline column_entries(M, j, k, ::Val{C}) where {C} = ntuple(c -> @inbounds(M[j+c-1, k]), Val(C))

@inline function set_columns!(out, in, k, m::NTuple{C}) where {C}
    @inbounds @streamed for t in axes(out, 1)
        out[t, k] = combination(in, t, 1, m)
    end
end

@inline function add_columns!(out, in, j, k, m::NTuple{C}) where {C}
    @inbounds @streamed for t in axes(out, 1)
        out[t, k] += combination(in, t, j, m)
    end
end

# sum_c in[t, j + c - 1] m[c]
@inline combination(in, t, j, m::NTuple{1}) = @inbounds in[t, j] * m[1]
@inline combination(in, t, j, m::NTuple) = @inbounds muladd(in[t, j], m[1], combination(in, t, j + 1, Base.tail(m)))

"""
    accumulate_product!(C, A, B) -> C

C += A' * B for tall `A` (tile x n) and `B` (tile x d): sums over the samples of a tile.
"""
function accumulate_product!(C::Matrix{T}, A::Matrix{T}, B::Matrix{T}) where {T}
    if length(C) >= BLAS_FROM
        return BLAS.gemm!('T', 'N', one(T), A, B, one(T), C)
    end
    n, d = size(C)
    for i in 1:n
        j = 1
        while j + 2 <= d
            add_three_sums!(C, A, B, i, j)
            j += 3
        end
        while j <= d
            add_sum!(C, A, B, i, j)
            j += 1
        end
    end
    return C
end

@inline function add_sum!(C::Matrix{T}, A, B, i, j) where {T}
    s = zero(T)
    @inbounds @vectorized for t in axes(A, 1)
        s = muladd(A[t, i], B[t, j], s)
    end
    @inbounds C[i, j] += s
end

# Three sums share the loads of A, and their additions do not wait for each other.
@inline function add_three_sums!(C::Matrix{T}, A, B, i, j) where {T}
    s1, s2, s3 = zero(T), zero(T), zero(T)
    @inbounds @vectorized for t in axes(A, 1)
        a = A[t, i]
        s1 = muladd(a, B[t, j], s1)
        s2 = muladd(a, B[t, j+1], s2)
        s3 = muladd(a, B[t, j+2], s3)
    end
    @inbounds C[i, j] += s1
    @inbounds C[i, j+1] += s2
    @inbounds C[i, j+2] += s3
end

"""
    hadamard!(out, a, b) -> out

out = a .* b over the entries of `out`; `a` and `b` may have further columns.
"""
function hadamard!(out::Matrix, a::Matrix, b::Matrix)
    @inbounds @streamed for i in eachindex(out)
        out[i] = a[i] * b[i]
    end
    return out
end

"""
    column_products!(out, A, B) -> out

out[:, i + (j - 1) nA] = A[:, i] .* B[:, j]: the row-wise Kronecker (Khatri-Rao) product of two tiles.
"""
function column_products!(out::Matrix, A::Matrix, B::Matrix)
    nA = size(A, 2)
    for j in axes(B, 2), i in 1:nA
        column_product!(out, i + (j - 1) * nA, A, i, B, j)
    end
    return out
end

"""
    symmetric_column_products!(out, A) -> out

The products A[:, i] .* A[:, j] for i <= j, at column `packed(i, j)`.
"""
function symmetric_column_products!(out::Matrix, A::Matrix)
    for j in axes(A, 2), i in 1:j
        column_product!(out, packed(i, j), A, i, A, j)
    end
    return out
end

# Column of the pair i <= j in a packed upper triangle.
@inline packed(i::Int, j::Int) = i <= j ? i + (j * (j - 1)) ÷ 2 : j + (i * (i - 1)) ÷ 2

@inline function column_product!(out, k, A, i, B, j)
    @inbounds @streamed for t in axes(out, 1)
        out[t, k] = A[t, i] * B[t, j]
    end
end

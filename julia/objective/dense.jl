# Products of tall tiles with the small matrices of a layer: own loops for narrow layers, BLAS for wide ones.

# Below this many multiplications a sample the loops here beat the call of a BLAS whose matrices have an edge of a few
# numbers (measured with tiles of 64 samples).
const BLAS_FROM = 400

"""
    multiply!(out, in, M) -> out

out = in * M for tall `in` (tile x d) and small `M` (d x n).
"""
function multiply!(out::Matrix{T}, in::Matrix{T}, M::Matrix{T}) where {T}
    if length(M) >= BLAS_FROM
        return BLAS.gemm!('N', 'N', one(T), in, M, zero(T), out)
    end
    d, n = size(M)
    for k in 1:n
        first_column!(out, in, M, k)
        j = 2
        while j + 3 <= d
            add_four_columns!(out, in, M, j, k)
            j += 4
        end
        while j <= d
            add_column!(out, in, M, j, k)
            j += 1
        end
    end
    return out
end

@inline function first_column!(out, in, M, k)
    @inbounds m = M[1, k]
    @inbounds @simd ivdep for t in axes(out, 1)
        out[t, k] = in[t, 1] * m
    end
end

@inline function add_column!(out, in, M, j, k)
    @inbounds m = M[j, k]
    @inbounds @simd ivdep for t in axes(out, 1)
        out[t, k] = muladd(in[t, j], m, out[t, k])
    end
end

@inline function add_four_columns!(out, in, M, j, k)
    @inbounds m1, m2, m3, m4 = M[j, k], M[j+1, k], M[j+2, k], M[j+3, k]
    @inbounds @simd ivdep for t in axes(out, 1)
        s = muladd(in[t, j], m1, out[t, k])
        s = muladd(in[t, j+1], m2, s)
        s = muladd(in[t, j+2], m3, s)
        out[t, k] = muladd(in[t, j+3], m4, s)
    end
end

"""
    accumulate_product!(C, A, B) -> C

C += A' * B for tall `A` (tile x n) and `B` (tile x d): sums over the samples of a tile.
"""
function accumulate_product!(C::Matrix{T}, A::Matrix{T}, B::Matrix{T}) where {T}
    if length(C) >= BLAS_FROM
        return BLAS.gemm!('T', 'N', one(T), A, B, one(T), C)
    end
    n, d = size(C)
    for j in 1:d, i in 1:n
        s = zero(T)
        @inbounds @simd for t in axes(A, 1)
            s = muladd(A[t, i], B[t, j], s)
        end
        @inbounds C[i, j] += s
    end
    return C
end

"""
    hadamard!(out, a, b) -> out

out = a .* b over the entries of `out`; `a` and `b` may have further columns.
"""
function hadamard!(out::Matrix, a::Matrix, b::Matrix)
    @inbounds @simd ivdep for i in eachindex(out)
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
    @inbounds @simd ivdep for t in axes(out, 1)
        out[t, k] = A[t, i] * B[t, j]
    end
end

# Sums of nonnegative numbers in Float64 that are upper bounds, and small matrices of balls.

"""
    upper_sum(f, n) -> Float64

An upper bound of f(1) + ... + f(n) for nonnegative f(k), each a product of two Float64 numbers at most: n roundings of the sum
and one of each product.
"""
@inline function upper_sum(f::F, n::Int) where {F}
    s = 0.0
    for k in 1:n
        s += f(k)
    end
    return s * (1 + (n + 4) * eps()) + n * UNDERFLOW
end

# |A| v for a nonnegative vector v.
function upper_product(A::Matrix{Float64}, v::Vector{Float64})
    return [upper_sum(k -> abs(A[i, k]) * v[k], size(A, 2)) for i in axes(A, 1)]
end

# Both triangles from the upper one.
function symmetric(upper::Matrix{Ball})
    return [i <= j ? upper[i, j] : upper[j, i] for i in axes(upper, 1), j in axes(upper, 2)]
end

"""
    ball_product(A, B) -> Matrix{Ball}

A * B for matrices of Float64 numbers, double-double numbers or balls.
"""
function ball_product(A::Matrix, B::Matrix)
    rows, columns = permutedims(map(Ball, A)), map(Ball, B)
    C = zeros(Ball, size(A, 1), size(B, 2))
    for j in axes(C, 2), i in axes(C, 1)
        s = zero(Ball)
        @inbounds for k in axes(rows, 1)
            s += rows[k, i] * columns[k, j]
        end
        C[i, j] = s
    end
    return C
end

Ball(x::Ball) = x

function minus_identity!(C::Matrix{Ball})
    for i in axes(C, 1)
        C[i, i] -= 1.0
    end
    return C
end

# The largest sum of a row of bounds of the entries: a bound of the spectral norm, too, of a symmetric matrix.
row_sum_bound(C::Matrix{Ball}) =
    maximum(upper_sum(j -> magnitude(C[i, j]), size(C, 2)) for i in axes(C, 1))

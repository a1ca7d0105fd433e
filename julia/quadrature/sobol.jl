# Sobol's sequence, plain and scrambled. Points are 64-bit fractions, the first binary digit on top.

const SOBOL_DIMENSIONS = length(SOBOL_NUMBERS) + 1
const SOBOL_DIGITS = 32          # columns of the generator matrices: up to 2^32 points

# Column k of the generator matrix of dimension `dim`. Recurrence: Bratley and Fox, ACM Trans. Math. Softw. 14 (1988) 88,
# equation 2.
function direction_numbers(dim::Int)
    dim == 1 && return UInt64[one(UInt64) << (64 - k) for k in 1:SOBOL_DIGITS]
    polynomial, first_numbers = SOBOL_NUMBERS[dim-1][1], SOBOL_NUMBERS[dim-1][2:end]
    degree = length(first_numbers)
    m = zeros(UInt64, SOBOL_DIGITS)
    m[1:degree] = first_numbers
    for k in degree+1:SOBOL_DIGITS
        m[k] = m[k-degree]
        for i in 1:degree
            (polynomial >> (degree - i)) & 1 == 1 && (m[k] = xor(m[k], m[k-i] << i))
        end
    end
    return UInt64[m[k] << (64 - k) for k in 1:SOBOL_DIGITS]
end

"""
    sobol_points(d, n; seed = nothing) -> Matrix (d x n)

The first `n` points of Sobol's sequence in the unit cube, in Gray code order (`seed === nothing`; the first is the origin), or
scrambled by a random linear matrix and a digital shift that depend on `seed`: then every point is uniform in the open cube, and
n = 2^m of them are still a net. Sources: Joe and Kuo (sobol_numbers.jl); Antonov and Saleev, USSR Comput. Math. 19 (1979) 252;
Matousek, J. Complexity 14 (1998) 527; the variance is that of Owen's scrambling (Owen, ACM TOMACS 13 (2003) 363).
"""
function sobol_points(d::Integer, n::Integer; seed::Union{Nothing,Int} = nothing)
    0 <= d <= SOBOL_DIMENSIONS || throw(ArgumentError("expected at most $SOBOL_DIMENSIONS dimensions, got $d"))
    1 <= n <= 2^SOBOL_DIGITS || throw(ArgumentError("expected 1 to 2^$SOBOL_DIGITS points, got $n"))
    points = Matrix{Float64}(undef, d, n)
    for dim in 1:Int(d)
        columns = direction_numbers(dim)
        if seed === nothing
            fill_sobol!(points, dim, columns, zero(UInt64), plain_fraction)
        else
            random = Shuffler(seed, dim)
            scramble!(columns, random)
            fill_sobol!(points, dim, columns, next!(random), open_fraction)
        end
    end
    return points
end

function fill_sobol!(points::Matrix{Float64}, dim::Int, columns::Vector{UInt64}, shift::UInt64, fraction::F) where {F}
    x = shift
    @inbounds for i in axes(points, 2)
        points[dim, i] = fraction(x)
        i < size(points, 2) && (x = xor(x, columns[trailing_zeros(i)+1]))
    end
end

plain_fraction(x::UInt64) = x * 2.0^-64                      # exact: 32 digits
open_fraction(x::UInt64) = ((x >> 12) + 0.5) * 2.0^-52       # never 0 or 1

# Multiply the columns from the left by a lower triangular matrix of random bits with ones on the diagonal.
function scramble!(columns::Vector{UInt64}, random)
    rows = UInt64[digit_row(next!(random), r) for r in 1:64]
    for k in eachindex(columns)
        v, scrambled = columns[k], zero(UInt64)
        for r in 1:64
            scrambled |= UInt64(count_ones(rows[r] & v) & 1) << (64 - r)
        end
        columns[k] = scrambled
    end
end

# Row r: random digits above the r-th, which is one.
digit_row(bits::UInt64, r::Int) = (bits & ~(typemax(UInt64) >> (r - 1))) | one(UInt64) << (64 - r)

# Error-free transformations: the rounding error of a sum or a product of two Float64 numbers is itself a Float64 number,
# barring overflow (and, for the product, underflow).
#
# Sources: T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971) 224-242;
# D. E. Knuth, The Art of Computer Programming, volume 2, 4.2.2, theorem B. The product uses the fused multiply-add.
#
# No loop that does this arithmetic may carry `@simd`, whose licence to reorder sums would undo it.

"""
    two_sum(a, b) -> (s, e)

s = fl(a + b) and e = a + b - s, exactly.
"""
@inline function two_sum(a::Float64, b::Float64)
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)
end

"""
    fast_two_sum(a, b) -> (s, e)

As `two_sum`, for |a| >= |b| or a = 0.
"""
@inline function fast_two_sum(a::Float64, b::Float64)
    s = a + b
    return s, b - (s - a)
end

"""
    two_product(a, b) -> (p, e)

p = fl(a b) and e = a b - p, exactly where nothing underflows and within 2^-1074 everywhere.
"""
@inline function two_product(a::Float64, b::Float64)
    p = a * b
    return p, fma(a, b, -p)
end

# An approximate inverse of a Hessian, good enough for a proof however small the smallest eigenvalue.

"""
    ApproximateInverse(H::Matrix{Ball})

A matrix A near the inverse of the centre of `H` (P x P), and a bound of I - A H for that centre.

- `centre`: mid(H); `A`: the matrix, in double-double numbers; `size`: bounds of |A|
- `defect`: bounds of |I - A mid(H)|, P x P
"""
struct ApproximateInverse
    centre::Matrix{DoubleDouble}
    A::Matrix{DoubleDouble}
    size::Matrix{Float64}
    defect::Matrix{Float64}
end

const INVERSE_STEPS = 3
const GOOD_DEFECT = 1e-6

# The inverse in Float64 loses as many digits as the condition number has; steps A + (I - A H) A win them back as long as
# |I - A H| < 1 (G. Schulz, Z. angew. Math. Mech. 13 (1933) 57-59).
function ApproximateInverse(H::Matrix{Ball})
    centre = map(h -> h.mid, H)
    A = map(DoubleDouble, float_inverse(map(leading, centre)))
    defect = defect_of(A, centre)
    for _ in 1:INVERSE_STEPS
        norm = row_sum_bound(defect)
        GOOD_DEFECT <= norm < 1 || break
        A = map(+, A, map(c -> -c.mid, ball_product(map(d -> d.mid, defect), A)))
        defect = defect_of(A, centre)
    end
    return ApproximateInverse(centre, A, map(magnitude, A), map(magnitude, defect))
end

# A H - I
defect_of(A, centre) = minus_identity!(ball_product(A, centre))

# By eigenvalues: symmetric, and no exception for a singular matrix.
function float_inverse(H::Matrix{Float64})
    factors = eigen(Symmetric(H))
    return factors.vectors * Diagonal(1 ./ factors.values) * factors.vectors'
end

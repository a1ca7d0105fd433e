# Bounds for two centred relu neurons that are parallel, or so nearly that their angle is not bounded away from 0 (or pi). Then the
# derivatives of E[relu(z1) relu(z2)] with respect to covariances have no bounds, but those with respect to the weights have.
#
# In standard normal coordinates let u, v be unit vectors, e that of v - (u'v) u, |w1| u and |w2| v the weights, theta their angle,
# s = sin(theta), c = cos(theta). With theta or, where c < 0, pi - theta for t in the remainders,
#     E[relu relu]     = max(C12, 0)/2 + R/(2 pi),                   0 <= R <= |w1| |w2| t^3/3,
#     its w1-gradient  = 1(c > 0) |w2| v/2 + r/(2 pi),              |r| <= |w2| (t^2 + t^3/3),
#     E[f1'' f2 y y']  = F20 (I + ee' - uu'),                        F20 = |w2| s/(2 pi |w1|),
#     E[f1' f2' y y']  = F11 I + s (c uu' + s (ue' + eu') - c ee')/(2 pi),     F11 = (pi - theta)/(2 pi),
# by the formulas of Y. Cho, L. K. Saul, NIPS 2009, for the first two, and of conditional moments. The norms of what stands beside the
# unit matrices are at most F20 and s/(2 pi).

const WIDEST_PARALLEL = 0.5
const ABOVE_INVERSE_2PI = 0.15916

"""
    nearly_parallel!(table, m1, m2, A, C, B, order) -> Bool

Fill `table.F` and `table.slack` and return true where these bounds are sharper than those by covariances. `slack`: bounds of what is
missing in the gradient by w1 and by w2, and in the blocks (1, 1), (1, 2), (2, 2) of the Hessian, as norms in standard normal coordinates.
"""
function nearly_parallel!(table::PairTable{Ball}, m1::Ball, m2::Ball, A::Ball, C::Ball, B::Ball, order::Int)
    all(m -> m.mid.hi == 0 && m.rad == 0, (m1, m2)) || return false
    determinant, product = A * B - C * C, mignitude(A) * mignitude(B) * (1 - 8 * eps())
    product > 1e-100 && mignitude(C) > 0 || return false
    s = upward(sqrt(magnitude(determinant) / product))
    uncertain = determinant.rad / product > (determinant.mid.hi / product)^2 || determinant.mid.hi <= 2 * determinant.rad
    s <= WIDEST_PARALLEL && uncertain || return false
    t = upward(1.05 * s)                        # asin(s) <= 1.048 s
    F, slack, along = table.F, table.slack, leading(C) > 0 ? 1.0 : 0.0
    fill!(F, zero(Ball))
    norm1, norm2 = sqrt(magnitude(A)) * (1 + 4 * eps()), sqrt(magnitude(B)) * (1 + 4 * eps())
    F[1, 1] = widened(scaled(along * C, 0.5), upward(ABOVE_INVERSE_2PI / 3 * (norm1 * norm2) * (t * t * t)))
    F[2, 2] = Ball(DoubleDouble(0.5 * along))
    if order <= 2
        bend = upward(ABOVE_INVERSE_2PI * (t * t) * (1 + t / 3))
        slack[1], slack[2] = upward(norm2 * bend), upward(norm1 * bend)
        return true
    end
    F[2, 2] = widened(F[2, 2], upward(ABOVE_INVERSE_2PI * t))
    slack[3] = upward(upward(ABOVE_INVERSE_2PI * s * norm2) / sqrt(mignitude(A)))
    slack[5] = upward(upward(ABOVE_INVERSE_2PI * s * norm1) / sqrt(mignitude(B)))
    slack[4] = upward(ABOVE_INVERSE_2PI * s)
    F[3, 1], F[1, 3] = Ball(DoubleDouble(0.0), slack[3]), Ball(DoubleDouble(0.0), slack[5])
    return true
end

# The standard deviation of input r, an upper bound.
input_scale(o, r::Int) = o.standard ? 1.0 : sqrt(abs(o.covariance[r, r].hi)) * (1 + 8 * eps())

function loosen_row!(g::Vector{T}, o, k::Int, factor::T, slack::Float64) where {T}
    slack == 0 && return
    for r in 1:length(o.mean)
        g[first_index(o, k, r)] = widened(g[first_index(o, k, r)], upward(magnitude(factor) * slack * input_scale(o, r)))
    end
end

function loosen_block!(H::Matrix{T}, o, k::Int, l::Int, factor::T, slack::Float64) where {T}
    slack == 0 && return
    for b in 1:length(o.mean), a in (k == l ? (1:b) : eachindex(o.mean))
        row, column = minmax(first_index(o, k, a), first_index(o, l, b))
        H[row, column] = widened(H[row, column], upward(upward(magnitude(factor) * slack) * (input_scale(o, a) * input_scale(o, b))))
    end
end

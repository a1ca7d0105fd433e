# Conjugate gradients inside a ball: the trust-region step of a model that is known by its products alone.
#
# T. Steihaug, "The conjugate gradient method and trust regions in large scale optimization", SIAM J. Numer. Anal. 20 (1983)
# 626-637; Ph. L. Toint, "Towards an efficient sparsity exploiting Newton method for minimization", in: I. S. Duff (ed.),
# Sparse Matrices and their Uses (1981) 57-88.

"""
    Steihaug(P)

The step `s` of the last call of `steihaug!`, and its work space. `predicted` is what the model says it gains, `negative` tells
that it followed a direction of negative curvature, `interior` that it ended inside the ball, and `curvature` is the
largest |Hd|/|d| seen.
"""
mutable struct Steihaug
    s::Vector{Float64}
    r::Vector{Float64}              # g + Hs
    d::Vector{Float64}
    Hd::Vector{Float64}
    predicted::Float64
    curvature::Float64
    negative::Bool
    interior::Bool
end

Steihaug(P::Int) = Steihaug(zeros(P), zeros(P), zeros(P), zeros(P), 0.0, 0.0, false, false)

# Curvatures along a direction below this part of the largest are rounding.
const CURVATURE_ROUNDING = 64 * eps()

"""
    steihaug!(cg, product!, g, radius, tolerance, most) -> length of the step

Minimise g's + s'Hs/2 in the ball of `radius` by conjugate gradients until |g + Hs| <= `tolerance`, with at most `most`
products `product!(Hd, d)`; the boundary and directions of negative curvature are followed to the boundary. A `tolerance` below
eps |g| counts as that: the recurrence for g + Hs falls further, down to where its squares underflow, but g + Hs itself does not.
"""
function steihaug!(cg::Steihaug, product!::F, g::Vector{Float64}, radius::Float64, tolerance::Float64, most::Int) where {F}
    fill!(cg.s, 0.0)
    copyto!(cg.r, g)
    @. cg.d = -g
    cg.predicted, cg.negative, cg.interior = 0.0, false, true
    rr = sum(abs2, cg.r)
    enough = max(tolerance, eps() * sqrt(rr))
    for _ in 1:most
        sqrt(rr) <= enough && break
        product!(cg.Hd, cg.d)
        dd, bent = sum(abs2, cg.d), dot(cg.d, cg.Hd)
        isfinite(bent) || return NaN
        cg.curvature = max(cg.curvature, norm(cg.Hd) / sqrt(dd))
        flat = abs(bent) <= CURVATURE_ROUNDING * cg.curvature * dd
        # What is flat to rounding ends the step, but not the first direction: the loss still falls along it.
        flat && any(!iszero, cg.s) && break
        alpha = flat || bent <= 0 ? Inf : rr / bent
        to_boundary = boundary_root(sum(abs2, cg.s) - abs2(radius), dot(cg.s, cg.d), dd)
        if alpha >= to_boundary
            cg.negative, cg.interior = bent < 0, false
            advance!(cg, to_boundary, bent)
            break
        end
        advance!(cg, alpha, bent)
        before, rr = rr, sum(abs2, cg.r)
        @. cg.d = (rr / before) * cg.d - cg.r
    end
    return norm(cg.s)
end

# s + alpha d, with what that gains: -(alpha r'd + alpha^2 d'Hd / 2).
function advance!(cg::Steihaug, alpha::Float64, bent::Float64)
    cg.predicted -= alpha * (dot(cg.r, cg.d) + 0.5 * alpha * bent)
    @. cg.s += alpha * cg.d
    @. cg.r += alpha * cg.Hd
    return nothing
end

# The direction of Broyden, Fletcher, Goldfarb and Shanno, from a dense approximation of the inverse Hessian.
#
# J. Nocedal, S. J. Wright, Numerical Optimization (2006), 6.1; first scaling: (6.20).

"""
    BFGS(P)

Dense BFGS direction for `P` parameters: P^2 memory, O(P^2) work an iteration.
"""
mutable struct BFGS <: AbstractDirection
    B::Matrix{Float64}              # inverse Hessian approximation; only the upper triangle is used
    By::Vector{Float64}
    fresh::Bool                     # B is the identity
end

BFGS(P::Int) = BFGS(zeros(P, P), zeros(P), true)

SOLVERS[:bfgs] = PlainSolver{:bfgs}
requirements(::PlainSolver{:bfgs}) = ()
make_method(::PlainSolver{:bfgs}, o::AbstractObjective) = QuasiNewton(BFGS(nparams(o)), nparams(o))

name(::BFGS) = :bfgs
fresh(b::BFGS) = b.fresh

function reset!(b::BFGS)
    set_identity!(b, 1.0)
    b.fresh = true
    return nothing
end

function set_identity!(b::BFGS, factor::Float64)
    fill!(b.B, 0.0)
    for i in axes(b.B, 1)
        b.B[i, i] = factor
    end
    return nothing
end

function direction!(d::Vector{Float64}, b::BFGS, g::Vector{Float64})
    BLAS.symv!('U', -1.0, b.B, g, 0.0, d)
    return d
end

# B + s w' + w s' with w = ((1 + y'By/s'y) s/2 - By) / s'y: the BFGS update of the inverse in one pass over a triangle.
function learn!(b::BFGS, s::Vector{Float64}, y::Vector{Float64}, sy::Float64)
    b.fresh && set_identity!(b, sy / dot(y, y))
    b.fresh = false
    BLAS.symv!('U', 1.0, b.B, y, 0.0, b.By)
    factor = 0.5 * (1 + dot(y, b.By) / sy)
    w = b.By
    @. w = (factor * s - b.By) / sy
    @inbounds for j in axes(b.B, 2)
        sj, wj = s[j], w[j]
        @simd for i in 1:j
            b.B[i, j] += s[i] * wj + w[i] * sj
        end
    end
    return nothing
end

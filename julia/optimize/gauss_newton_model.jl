# The Gauss-Newton model of a sum of squares, m(s) = L + g's + s'Gs/2 with G = 2 J'J (+ R''), and its damped steps
# (G + mu D^2) s = -g. Two forms: of the matrix G, for objectives whose Jacobian is too large to keep, and of the Jacobian
# itself, which does not square its condition number.
#
# J. Nocedal, S. J. Wright, Numerical Optimization (2006), 10.2 and 10.3; scaling: J. J. More, "The Levenberg-Marquardt
# algorithm: implementation and theory", Lecture Notes in Mathematics 630 (1978) 105-116, section 6.

"""
    GaussNewtonModel

A subtype holds `D` (the scaling), `g`, the `diagonal` of G and a triangle `U` with U'U = G + mu D^2, and implements

    refresh!(model, run)::Bool          the model at run.x, where run.g is known; false when it is not finite
    factorize!(model, mu)::Bool         U at this mu; false when rounding makes it singular
    newton_step!(s, model)              s = -(G + mu D^2)^{-1} g, from the last factorization
    curvature(model, s)                 s'Gs
    expected_gradient!(v, model, s)     v = g + Gs, the gradient that the model expects at the end of the step s
"""
abstract type GaussNewtonModel end

"""
    NormalModel(P)

The model by its matrix G (P x P) and Cholesky factors.
"""
mutable struct NormalModel <: GaussNewtonModel
    G::Matrix{Float64}
    U::Matrix{Float64}
    D::Vector{Float64}
    g::Vector{Float64}
    diagonal::Vector{Float64}
    product::Vector{Float64}
end

NormalModel(P::Int) = NormalModel(zeros(P, P), zeros(P, P), zeros(P), zeros(P), zeros(P), zeros(P))

filled(::NormalModel) = (U = 0,)        # every step factorizes first

function refresh!(model::NormalModel, run::OptimRun)
    evaluate_gauss_newton!(model.G, run)
    copyto!(model.g, run.g)
    for j in eachindex(model.diagonal)
        model.diagonal[j] = model.G[j, j]
    end
    return all(isfinite, model.G)
end

function factorize!(model::NormalModel, mu::Float64)
    copyto!(model.U, model.G)
    for j in axes(model.U, 1)
        model.U[j, j] += mu * abs2(model.D[j])
    end
    _, info = LAPACK.potrf!('U', model.U)
    info == 0 || return false
    limit = length(model.D) * eps()
    return all(j -> abs2(model.U[j, j]) > limit * (model.diagonal[j] + mu * abs2(model.D[j])), axes(model.U, 1))
end

newton_step!(s::Vector{Float64}, model::NormalModel) = solve!(s, model, model.g)

function expected_gradient!(v::Vector{Float64}, model::NormalModel, s::Vector{Float64})
    copyto!(v, model.g)
    BLAS.symv!('U', 1.0, model.G, s, 1.0, v)
    return v
end

function curvature(model::NormalModel, s::Vector{Float64})
    BLAS.symv!('U', 1.0, model.G, s, 0.0, model.product)
    return dot(s, model.product)
end

"""
    FactoredModel(m, P)

The model by the triangle R of J = QR (m x P), from which U comes by a second QR decomposition, of R above sqrt(mu/2) D.
"""
mutable struct FactoredModel <: GaussNewtonModel
    J::Matrix{Float64}              # m x P
    r::Matrix{Float64}              # m x 1
    R::Matrix{Float64}              # k x P, k = min(m, P)
    stacked::Matrix{Float64}        # (k + P) x P
    right::Matrix{Float64}          # (k + P) x 1: Q'[Q'r; 0]
    U::Matrix{Float64}              # P x P
    D::Vector{Float64}
    g::Vector{Float64}
    diagonal::Vector{Float64}
    product::Vector{Float64}        # k
end

function FactoredModel(m::Int, P::Int)
    k = min(m, P)
    return FactoredModel(zeros(m, P), zeros(m, 1), zeros(k, P), zeros(k + P, P), zeros(k + P, 1), zeros(P, P),
                         zeros(P), zeros(P), zeros(P), zeros(k))
end

# J becomes R, and every step factorizes first.
filled(::FactoredModel) = (J = 0, stacked = 0, right = 0, U = 0)

function refresh!(model::FactoredModel, run::OptimRun)
    evaluate_jacobian!(model.J, vec(model.r), run)
    copyto!(model.g, run.g)
    all(isfinite, model.J) || return false
    reflectors, tau = LAPACK.geqrf!(model.J)
    LAPACK.ormqr!('L', 'T', reflectors, tau, model.r)
    copy_triangle!(model.R, model.J)
    for j in eachindex(model.diagonal)
        model.diagonal[j] = 2 * mapreduce(i -> abs2(model.R[i, j]), +, axes(model.R, 1))
    end
    return true
end

function copy_triangle!(R::Matrix{Float64}, A::Matrix{Float64})
    for j in axes(R, 2), i in axes(R, 1)
        R[i, j] = i <= j ? A[i, j] : 0.0
    end
    return R
end

function factorize!(model::FactoredModel, mu::Float64)
    k, P = size(model.R)
    A = model.stacked
    fill!(A, 0.0)
    for j in 1:P
        for i in 1:min(j, k)
            A[i, j] = model.R[i, j]
        end
        A[k+j, j] = sqrt(0.5 * mu) * model.D[j]
    end
    fill!(model.right, 0.0)
    copyto!(model.right, 1, model.r, 1, k)
    reflectors, tau = LAPACK.geqrf!(A)
    LAPACK.ormqr!('L', 'T', reflectors, tau, model.right)
    # U'U = G + mu D^2 = 2 A'A.
    for j in 1:P, i in 1:P
        model.U[i, j] = i <= j ? sqrt(2.0) * A[i, j] : 0.0
    end
    limit = P * eps()
    return all(j -> abs(model.U[j, j]) > limit * sqrt(model.diagonal[j] + mu * abs2(model.D[j])), 1:P)
end

# min |Js + r|^2 + mu/2 |Ds|^2: U s / sqrt(2) = -right, without going through g = 2J'r.
function newton_step!(s::Vector{Float64}, model::FactoredModel)
    for j in eachindex(s)
        s[j] = -sqrt(2.0) * model.right[j]
    end
    BLAS.trsv!('U', 'N', 'N', model.U, s)
    return s
end

function expected_gradient!(v::Vector{Float64}, model::FactoredModel, s::Vector{Float64})
    mul!(model.product, model.R, s)
    copyto!(v, model.g)
    return mul!(v, transpose(model.R), model.product, 2.0, 1.0)
end

function curvature(model::FactoredModel, s::Vector{Float64})
    return 2 * sum(abs2, mul!(model.product, model.R, s))
end

# Shared by both forms.

"""
    solve!(s, model, v) -> s

s = -(G + mu D^2)^{-1} v, by the last factorization.
"""
function solve!(s::Vector{Float64}, model::GaussNewtonModel, v::Vector{Float64})
    @. s = -v
    BLAS.trsv!('U', 'T', 'N', model.U, s)
    BLAS.trsv!('U', 'N', 'N', model.U, s)
    return s
end

scaled_norm(model::GaussNewtonModel, s::Vector{Float64}) = sqrt(mapreduce(j -> abs2(model.D[j] * s[j]), +, eachindex(s)))

# What the model says that the step s gains.
predicted_reduction(model::GaussNewtonModel, s::Vector{Float64}) = -dot(model.g, s) - 0.5 * curvature(model, s)

# The largest diagonal entry of D^-1 G D^-1.
largest_ratio(model::GaussNewtonModel) = mapreduce(j -> model.diagonal[j] / abs2(model.D[j]), max, eachindex(model.D))

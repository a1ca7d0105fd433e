# The quadratic model in a Krylov space: what conjugate gradients see of the Hessian, without what rounding takes from them.
#
# Conjugate gradients and the Lanczos process span the same spaces; here the basis is kept and orthogonalized in full, so that the
# trust-region problem can be solved in it exactly, on the boundary too, again for every radius, and for Hessians of any condition.
#
# N. I. M. Gould, S. Lucidi, M. Roma, Ph. L. Toint, "Solving the trust-region subproblem using the Lanczos method", SIAM J. Optim. 9
# (1999) 504-525; G. H. Golub, C. F. Van Loan, Matrix Computations (2013), 10.3.

# A basis has at most so many vectors, and at most so many numbers (128 MB) when there are many parameters.
const LARGEST_BASIS = 300
const BASIS_NUMBERS = 2^24

# What is left of a product after orthogonalization, relative to the product, when it lies in the space already.
const BASIS_ROUNDING = 100 * eps()

"""
    Lanczos(P)

Work space of `krylov_model!`: an orthonormal basis V (P x m at most) and the tridiagonal matrix V'HV.
"""
mutable struct Lanczos
    V::Matrix{Float64}
    diagonal::Vector{Float64}
    offdiagonal::Vector{Float64}
    u::Vector{Float64}
    Hu::Vector{Float64}
    overlap::Vector{Float64}
end

largest_basis(P::Int) = min(P, LARGEST_BASIS, max(20, BASIS_NUMBERS ÷ P))

function Lanczos(P::Int)
    m = largest_basis(P)
    return Lanczos(zeros(P, min(m, 8)), zeros(m), zeros(m), zeros(P), zeros(P), zeros(m))
end

# The model is made anew from its products.
filled(::Lanczos) = (V = 0,)

function room_for!(l::Lanczos, j::Int)
    P, columns = size(l.V)
    j <= columns && return nothing
    wider = zeros(P, min(2 * columns, length(l.diagonal)))
    copyto!(wider, l.V)
    l.V = wider
    return nothing
end

"""
    krylov_model!(model::SpectralModel, l::Lanczos, product!, g, loss, radius, tolerance, most) -> Symbol

Make `model` (whose scales D are set) that of the Krylov space of D^-1 H D^-1 and D^-1 g: its Ritz values and vectors. The space grows
until the minimiser in the ball of `radius` leaves a gradient of at most `tolerance`, with at most `most` products `product!(Hv, v)`.
Returns `:accurate`, `:exhausted` when the space could not grow that far, or `:nonfinite`.
"""
function krylov_model!(model::SpectralModel, l::Lanczos, product!::F, g::Vector{Float64}, loss::Float64, radius::Float64,
                       tolerance::Float64, most::Int) where {F}
    @. l.u = g / model.D
    first_norm = norm(l.u)
    remainder, checked = first_norm, 0
    for j in 1:min(most, length(l.diagonal))
        room_for!(l, j)
        @views @. l.V[:, j] = l.u / remainder
        expand!(l, product!, model.D, j) || return :nonfinite
        remainder = norm(l.u)
        l.offdiagonal[j] = remainder
        whole = remainder <= BASIS_ROUNDING * norm(l.Hu) || j == length(l.u)
        last = whole || j == min(most, length(l.diagonal))
        # An eigendecomposition of T costs more than a product when there are many of them.
        j >= checked + 1 + checked ÷ 5 || last || continue
        checked = j
        left = ritz_values!(model, l, j, first_norm, radius)
        if last || left <= tolerance
            ritz_vectors!(model, l, j, g, loss)
            return whole || left <= tolerance ? :accurate : :exhausted
        end
    end
    return :exhausted
end

# l.u = the part of D^-1 H D^-1 v_j that is new, orthogonalized twice.
function expand!(l::Lanczos, product!::F, D::Vector{Float64}, j::Int) where {F}
    v, basis, overlap = view(l.V, :, j), view(l.V, :, 1:j), view(l.overlap, 1:j)
    @. l.u = v / D
    product!(l.Hu, l.u)
    all(isfinite, l.Hu) || return false
    l.Hu ./= D
    l.diagonal[j] = dot(v, l.Hu)
    copyto!(l.u, l.Hu)
    for _ in 1:2
        mul!(overlap, transpose(basis), l.u)
        mul!(l.u, basis, overlap, -1.0, 1.0)
    end
    return true
end

# Eigenvalues of T to the model, with Q = the eigenvectors of T: the trust-region problem is solved in their coordinates. Returns what
# the solution leaves of the gradient outside of the space.
function ritz_values!(model::SpectralModel, l::Lanczos, j::Int, first_norm::Float64, radius::Float64)
    model.lambda, Y = eigen(SymTridiagonal(l.diagonal[1:j], l.offdiagonal[1:j-1]))
    model.Q = Y
    model.ghat, model.shat = first_norm .* Y[1, :], zeros(j)
    trust_region_step!(model, radius)
    return l.offdiagonal[j] * abs(dot(view(Y, j, :), model.shat))
end

function ritz_vectors!(model::SpectralModel, l::Lanczos, j::Int, g::Vector{Float64}, loss::Float64)
    model.Q = view(l.V, :, 1:j) * model.Q
    fill!(model.diagonal, max(largest_curvature(model), 0.0))
    for i in eachindex(model.diagonal)
        model.diagonal[i] *= abs2(model.D[i])
    end
    take_gradient!(model, g, loss)
    return nothing
end

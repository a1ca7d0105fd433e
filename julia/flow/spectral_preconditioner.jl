# A preconditioner for I shift + A that knows the largest eigenvalues of A. Hessians of networks have a few that stand out (5 to
# 20 in the flows measured), so that what is left has a small condition number; and a new shift costs nothing.

const PRECONDITIONER_SIZE = 20
const PRECONDITIONER_ACCURACY = 0.05           # of an eigenvalue that is worth keeping

"""
    SpectralPreconditioner(P)

Approximates (shift I + A)^-1 by (I - V diag(lambda/(shift + lambda)) V')/shift, with eigenvalues `lambda > 0` and orthonormal
eigenvectors `V` of A, at most $PRECONDITIONER_SIZE of them. Knows none in the beginning.
"""
mutable struct SpectralPreconditioner
    Q::Matrix{Float64}                  # Lanczos vectors
    V::Matrix{Float64}
    lambda::Vector{Float64}
    count::Int                          # of the eigenvalues that are known
    alpha::Vector{Float64}
    beta::Vector{Float64}
end

function SpectralPreconditioner(P::Integer)
    m = min(P, PRECONDITIONER_SIZE)
    return SpectralPreconditioner(zeros(P, m), zeros(P, m), zeros(m), 0, zeros(m), zeros(m))
end

function forget!(s::SpectralPreconditioner)
    s.count = 0
    return nothing
end

# y = (shift I + A)^-1 r, approximately. The loops over columns do not allocate, views would.
function precondition!(y::Vector{Float64}, s::SpectralPreconditioner, r::Vector{Float64}, shift::Float64)
    copyto!(y, r)
    for j in 1:s.count
        subtract_column!(y, s.V, j, s.lambda[j] / (shift + s.lambda[j]) * column_dot(s.V, j, r))
    end
    rmul!(y, 1 / shift)
    return y
end

function subtract_column!(y::Vector{Float64}, V::Matrix{Float64}, j::Int, c::Float64)
    @inbounds @simd for i in eachindex(y)
        y[i] -= c * V[i, j]
    end
    return y
end

# Lanczos' process with full reorthogonalisation for A at `point`, from the vector in l.r; keeps the eigenpairs that have
# converged. Y. Saad, Numerical Methods for Large Eigenvalue Problems (2011), algorithm 6.5 and proposition 6.8.
function lanczos!(s::SpectralPreconditioner, l, problem::FlowProblem, point::Vector{Float64})
    w, norm_start = l.q, norm(l.r)
    norm_start > 0 && isfinite(norm_start) || return :ready
    s.Q[:, 1] .= l.r ./ norm_start
    for m in 1:size(s.Q, 2)
        exhausted(problem) && return :exhausted
        copyto!(l.p, 1, s.Q, (m - 1) * length(w) + 1, length(w))
        scaled_product!(w, l, problem, point, l.p)
        all(isfinite, w) || return :nonfinite
        s.alpha[m] = dot(l.p, w)
        for _ in 1:2, j in 1:m
            subtract_column!(w, s.Q, j, column_dot(s.Q, j, w))
        end
        s.beta[m] = norm(w)
        invariant = s.beta[m] <= 1e-10 * maximum(abs, view(s.alpha, 1:m))
        if invariant || m == size(s.Q, 2)
            keep_eigenpairs!(s, m)
            return :ready
        end
        s.Q[:, m+1] .= w ./ s.beta[m]
    end
end

function keep_eigenpairs!(s::SpectralPreconditioner, m::Int)
    values, vectors = LAPACK.stev!('V', s.alpha[1:m], s.beta[1:m-1])
    s.count = 0
    for j in m:-1:1
        values[j] > 0 && abs(s.beta[m] * vectors[m, j]) <= PRECONDITIONER_ACCURACY * values[j] || continue
        s.count += 1
        s.lambda[s.count] = values[j]
        mul!(view(s.V, :, s.count), view(s.Q, :, 1:m), view(vectors, :, j))
    end
    return s
end

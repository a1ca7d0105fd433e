# A preconditioner for I shift + A that knows the largest eigenvalues of A. Hessians of networks have a few that stand out, so
# that what is left has a small condition number; and a new shift costs nothing.

const LANCZOS_STEPS = 30
const LANCZOS_ACCURACY = 0.05           # of an eigenvalue that is worth keeping

"""
    SpectralPreconditioner(P)

Approximates (shift I + A)^-1 by (I - V diag(lambda/(shift + lambda)) V')/shift, with eigenvalues `lambda > 0` and orthonormal
eigenvectors `V` of A. Knows none in the beginning.
"""
mutable struct SpectralPreconditioner
    Q::Matrix{Float64}                  # Lanczos vectors
    V::Matrix{Float64}
    lambda::Vector{Float64}             # 0: not used
    count::Int
    c::Vector{Float64}
    alpha::Vector{Float64}
    beta::Vector{Float64}
end

function SpectralPreconditioner(P::Integer)
    m = min(P, LANCZOS_STEPS)
    return SpectralPreconditioner(zeros(P, m), zeros(P, m), zeros(m), 0, zeros(m), zeros(m), zeros(m))
end

function forget!(s::SpectralPreconditioner)
    s.count = 0
    return nothing
end

function precondition!(y::Vector{Float64}, s::SpectralPreconditioner, r::Vector{Float64}, shift::Float64)
    copyto!(y, r)
    for j in 1:s.count
        v = view(s.V, :, j)
        axpy!(-dot(v, r) * s.lambda[j] / (shift + s.lambda[j]), v, y)
    end
    rmul!(y, 1 / shift)
    return y
end

# Lanczos' process with full reorthogonalisation for A at `point`, from the vector in l.r; keeps the eigenpairs that have
# converged. C. Lanczos, J. Res. Nat. Bur. Standards 45 (1950) 255.
function lanczos!(s::SpectralPreconditioner, l, problem::FlowProblem, point::Vector{Float64})
    Q, w, c = s.Q, l.q, s.c
    first = norm(l.r)
    first > 0 && isfinite(first) || return :ready
    Q[:, 1] .= l.r ./ first
    m, b = 0, 0.0
    while m < size(Q, 2)
        exhausted(problem) && return :exhausted
        m += 1
        copyto!(l.p, 1, Q, (m - 1) * size(Q, 1) + 1, size(Q, 1))
        scaled_product!(w, l, problem, point, l.p)
        all(isfinite, w) || return :nonfinite
        s.alpha[m] = dot(l.p, w)
        for _ in 1:2, j in 1:m
            q = view(Q, :, j)
            axpy!(-dot(q, w), q, w)
        end
        b = norm(w)
        b <= 1e-10 * maximum(abs, view(s.alpha, 1:m)) && break
        s.beta[m] = b
        m < size(Q, 2) && (Q[:, m+1] .= w ./ b)
    end
    keep_eigenpairs!(s, m, b)
    return :ready
end

function keep_eigenpairs!(s::SpectralPreconditioner, m::Int, b::Float64)
    values, vectors = LAPACK.stev!('V', s.alpha[1:m], s.beta[1:m-1])
    s.count = 0
    for j in m:-1:1
        values[j] > 0 && abs(b * vectors[m, j]) <= LANCZOS_ACCURACY * values[j] || continue
        s.count += 1
        s.lambda[s.count] = values[j]
        mul!(view(s.V, :, s.count), view(s.Q, :, 1:m), view(vectors, :, j))
    end
    return s
end

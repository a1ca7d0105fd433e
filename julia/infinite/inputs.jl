# Gaussian inputs x = mean + root * y with standard normal y. A neuron with weights w and bias b sees w'x + b = (root'w)'y + w'mean + b:
# everything can be computed for standard normal inputs and mapped back.

"""
    GaussianInputs(Din; mean = nothing, covariance = nothing)

Inputs of dimension `Din` with that mean (`nothing`: 0) and covariance (`nothing`: the unit matrix), which may be singular.
"""
struct GaussianInputs
    n::Int
    mean::Vector{Float64}
    covariance::Matrix{Float64}   # as given
    root::Matrix{Float64}         # Din x rank, covariance = root root'
    standard::Bool                # root is the unit matrix
    centred::Bool                 # mean is 0
end

function GaussianInputs(Din::Integer; mean = nothing, covariance = nothing)
    m = mean === nothing ? zeros(Din) : collect(Float64, vec(mean))
    length(m) == Din || throw(DimensionMismatch("mean: expected $Din numbers, one an input, got $(length(m))"))
    check_finite("mean", m)
    covariance === nothing && return (S = Matrix{Float64}(I, Din, Din); GaussianInputs(Din, m, S, S, true, iszero(m)))
    S = collect(Float64, covariance)
    size(S) == (Din, Din) || throw(DimensionMismatch("covariance: expected a $Din x $Din matrix, got size $(size(S))"))
    check_finite("covariance", S)
    largest = maximum(abs, S)
    maximum(abs, S - S') <= 1e-12 * largest ||
        throw(ArgumentError("covariance: expected a symmetric matrix, got a difference of $(maximum(abs, S - S')) to its transpose"))
    S == I && return GaussianInputs(Din, m, S, S, true, iszero(m))
    return GaussianInputs(Din, m, S, covariance_root(S), false, iszero(m))
end

# The eigenvectors times the roots of the eigenvalues; those that are 0 up to rounding are left out. A diagonal matrix needs no rotation.
function covariance_root(S::Matrix{Float64})
    values, vectors = isdiag(S) ? (diag(S), Matrix{Float64}(I, size(S)...)) : eigen(Symmetric((S + S') / 2))
    top = maximum(values)
    minimum(values) >= -1e-10 * max(top, 0.0) && (top > 0 || all(iszero, values)) ||
        throw(ArgumentError("covariance: expected no negative eigenvalue, got $(minimum(values))"))
    kept = findall(v -> v > length(values) * eps() * top, values)
    return vectors[:, kept] * Diagonal(sqrt.(values[kept]))
end

rank_of(inputs::GaussianInputs) = size(inputs.root, 2)

# The direction root'w of a row of weights into column k of U, and its product with the mean.
function project_row!(U::Matrix{Float64}, k::Int, inputs::GaussianInputs, w)
    if inputs.standard
        @inbounds for i in 1:inputs.n
            U[i, k] = w[i]
        end
    else
        @inbounds for j in axes(U, 1)
            total = 0.0
            for i in 1:inputs.n
                total = muladd(inputs.root[i, j], w[i], total)
            end
            U[j, k] = total
        end
    end
    inputs.centred && return 0.0
    shift = 0.0
    @inbounds for i in 1:inputs.n
        shift = muladd(inputs.mean[i], w[i], shift)
    end
    return shift
end

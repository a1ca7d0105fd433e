# Normal distributions of the inputs: x = mean + factor z, z standard normal, of as many dimensions as the covariance has rank.

"""
    NormalInput(Din; mean = nothing, covariance = nothing)

The normal distribution with a mean (length Din; zero when not given) and a covariance (Din x Din, also singular, or a number or
the Din variances; the identity when not given). `factor` is Din x rank, with factor factor' = covariance.
"""
struct NormalInput
    mean::Vector{Float64}
    factor::Matrix{Float64}
end

function NormalInput(Din::Integer; mean = nothing, covariance = nothing)
    Din >= 1 || throw(ArgumentError("expected at least one input, got Din = $Din"))
    centre = mean === nothing ? zeros(Din) : mean isa Real ? fill(Float64(mean), Din) : collect(Float64, mean)
    length(centre) == Din || throw(DimensionMismatch("expected a mean of length $Din, got $(length(centre))"))
    check_finite("mean", centre)
    return NormalInput(centre, covariance_factor(Int(Din), covariance))
end

input_count(g::NormalInput) = length(g.mean)
rank_of(g::NormalInput) = size(g.factor, 2)

# Din x N inputs for d x N standard normal numbers.
inputs_of(g::NormalInput, z::Matrix{Float64}) = g.factor * z .+ g.mean

covariance_factor(Din::Int, ::Nothing) = Matrix{Float64}(I, Din, Din)
covariance_factor(Din::Int, variance::Real) = covariance_factor(Din, fill(Float64(variance), Din))

# Along the axes: functions of single inputs, common in teachers, stay functions of single variables.
function covariance_factor(Din::Int, variances::AbstractVector)
    length(variances) == Din || throw(DimensionMismatch("expected $Din variances, got $(length(variances))"))
    check_finite("covariance", variances)
    all(v -> v >= 0, variances) || throw(ArgumentError("expected variances >= 0, got $(minimum(variances))"))
    kept = [i for i in 1:Din if variances[i] > 0]
    factor = zeros(Din, length(kept))
    for (k, i) in enumerate(kept)
        factor[i, k] = sqrt(variances[i])
    end
    return factor
end

function covariance_factor(Din::Int, S::AbstractMatrix)
    size(S) == (Din, Din) || throw(DimensionMismatch("expected a covariance of size ($Din, $Din), got $(size(S))"))
    check_finite("covariance", S)
    largest = maximum(abs, S)
    mapreduce(abs, max, S - S') <= 1e-12 * largest || throw(ArgumentError("expected a symmetric covariance, got one that is not"))
    isdiag(S) && return covariance_factor(Din, diag(S))
    F = eigen(Symmetric(Matrix{Float64}((S + S') / 2)))
    rounding = 8 * Din * eps() * F.values[end]
    F.values[1] >= -max(rounding, 1e-12 * largest) || throw(ArgumentError(
        "expected a covariance without negative eigenvalues, got the eigenvalue $(F.values[1])"))
    kept = reverse([i for i in 1:Din if F.values[i] > rounding])      # large ones first: what quasi-Monte Carlo does best
    return F.vectors[:, kept] .* sqrt.(F.values[kept])'
end

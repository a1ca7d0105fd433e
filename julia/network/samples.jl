# The data of a network in the layout of the kernels: samples along the contiguous axis.

"""
    Samples{T}(input, target, weights, append_one)

Inputs (Din x N), targets (Dout x N) and sample weights (length N or `nothing`), transposed: `input` is N x Din, with a last
column of ones where the first layer has a bias, `target` N x Dout, and `coefficient` w_n/N.
"""
struct Samples{T}
    n::Int
    input::Matrix{T}
    target::Matrix{T}
    coefficient::Vector{T}
end

function Samples{T}(input::AbstractMatrix, target::AbstractMatrix, weights, append_one::Bool) where {T}
    n = size(input, 2)
    coefficient = T[(weights === nothing ? 1.0 : Float64(weights[i])) / n for i in 1:n]
    return Samples{T}(n, sample_rows(T, input, append_one), sample_rows(T, target, false), coefficient)
end

has_negative_weights(samples::Samples) = any(c -> c < 0, samples.coefficient)

function sample_rows(::Type{T}, data::AbstractMatrix, append_one::Bool) where {T}
    d, n = size(data)
    rows = ones(T, n, d + append_one)
    for i in 1:n, j in 1:d
        rows[i, j] = data[j, i]
    end
    return rows
end

# Targets as a Dout x N matrix of numbers: labels 1..K become one-hot columns.
target_matrix(::AbstractLoss, target::AbstractMatrix{<:Real}, Dout) = target
target_matrix(::MSE, target::AbstractVector{<:Real}, Dout) = reshape(target, 1, :)

function target_matrix(::CrossEntropy, labels::AbstractVector{<:Integer}, Dout)
    K = Dout === nothing ? maximum(labels) : Dout
    outside = findfirst(y -> !(1 <= y <= K), labels)
    outside === nothing ||
        throw(ArgumentError("expected labels from 1 to $K, got $(labels[outside]) at sample $outside"))
    onehot = zeros(K, length(labels))
    for (i, y) in enumerate(labels)
        onehot[y, i] = 1
    end
    return onehot
end

target_matrix(::CrossEntropy, target::AbstractVector, Dout) =
    throw(ArgumentError("cross-entropy: expected integer labels or a matrix of probabilities, got a $(typeof(target))"))

check_target(::MSE, target) = nothing

function check_target(::CrossEntropy, target)
    for i in axes(target, 2)
        column = view(target, :, i)
        all(y -> y >= 0, column) && abs(sum(column) - 1) <= 1e-6 ||
            throw(ArgumentError("cross-entropy: expected target columns of probabilities that sum to 1, got the sum " *
                                "$(sum(column)) and the smallest entry $(minimum(column)) at sample $i"))
    end
end

function check_data(input, target, weights, signed_weights::Bool = false)
    n = size(input, 2)
    n >= 1 || throw(ArgumentError("expected at least one sample, got an input of size $(size(input))"))
    size(target, 2) == n || throw(DimensionMismatch("expected as many target columns as input columns ($n), got $(size(target, 2))"))
    check_finite("input", input)
    check_finite("target", target)
    weights === nothing && return
    length(weights) == n || throw(DimensionMismatch("expected $n sample weights, got $(length(weights))"))
    check_finite("weights", weights)
    signed_weights || all(w -> w >= 0, weights) || throw(ArgumentError("expected sample weights >= 0, got $(minimum(weights))"))
end

function check_finite(name, data)
    bad = findfirst(!isfinite, data)
    bad === nothing || throw(ArgumentError("expected finite numbers in $name, got $(data[bad]) at index $(Tuple(bad))"))
end

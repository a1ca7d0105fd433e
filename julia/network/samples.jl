# The data of a network in the layout of the kernels: tiles of samples, samples along the contiguous axis.

const TILE = 128           # samples a tile: the arrays of a narrow layer stay in the second-level cache, sums are long
const VECTOR_LENGTH = 8    # Float64 numbers in the widest vector register; tiles are padded to a multiple of it

"""
    Samples(input, target, weights, append_one)

Inputs (Din x N), targets (Dout x N, or N labels 1..K turned to one-hot columns) and sample weights (length N or `nothing`)
cut into tiles: arrays (tile x Din [+ 1] x tiles) with a column of ones where the first layer has a bias. `coefficient` is
w_n/N, and 0 for the copies of the last sample that fill the last tile.
"""
struct Samples{T}
    n::Int
    input::Array{T,3}
    target::Array{T,3}
    coefficient::Matrix{T}
end

tile_height(s::Samples) = size(s.coefficient, 1)
tile_count(s::Samples) = size(s.coefficient, 2)

tile_height_for(n::Int) = min(TILE, VECTOR_LENGTH * cld(n, VECTOR_LENGTH))

function Samples{T}(input::AbstractMatrix, target::AbstractMatrix, weights, append_one::Bool) where {T}
    n = size(input, 2)
    coefficient = sample_coefficients(T, weights, n)
    return Samples{T}(n, tiled(T, input, append_one), tiled(T, target, false), coefficient)
end

# (D x N) to (tile x D [+ 1] x tiles); the last sample fills the last tile, so that no kernel meets a made-up input.
function tiled(::Type{T}, data::AbstractMatrix, append_one::Bool) where {T}
    d, n = size(data)
    height = tile_height_for(n)
    tiles = Array{T,3}(undef, height, d + append_one, cld(n, height))
    for k in axes(tiles, 3), t in 1:height
        sample = min((k - 1) * height + t, n)
        for j in 1:d
            tiles[t, j, k] = data[j, sample]
        end
        append_one && (tiles[t, d + 1, k] = one(T))
    end
    return tiles
end

function sample_coefficients(::Type{T}, weights, n::Int) where {T}
    height = tile_height_for(n)
    coefficient = zeros(T, height, cld(n, height))
    for i in 1:n
        coefficient[i] = (weights === nothing ? one(T) : T(weights[i])) / n
    end
    return coefficient
end

# Back to (D x N).
function untiled(tiles::Array{T,3}, n::Int, d::Int) where {T}
    height = size(tiles, 1)
    data = Matrix{T}(undef, d, n)
    for i in 1:n, j in 1:d
        data[j, i] = tiles[(i - 1) % height + 1, j, (i - 1) ÷ height + 1]
    end
    return data
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

function check_data(input, target, weights)
    n = size(input, 2)
    n >= 1 || throw(ArgumentError("expected at least one sample, got an input of size $(size(input))"))
    size(target, 2) == n || throw(DimensionMismatch("expected as many target columns as input columns ($n), got $(size(target, 2))"))
    check_finite("input", input)
    check_finite("target", target)
    weights === nothing && return
    length(weights) == n || throw(DimensionMismatch("expected $n sample weights, got $(length(weights))"))
    check_finite("weights", weights)
    all(w -> w >= 0, weights) || throw(ArgumentError("expected sample weights >= 0, got $(minimum(weights))"))
end

function check_finite(name, data)
    bad = findfirst(!isfinite, data)
    bad === nothing || throw(ArgumentError("expected finite numbers in $name, got $(data[bad]) at index $(Tuple(bad))"))
end

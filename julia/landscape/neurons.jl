# Which neurons a direction in the space of the parameters is about.

# A neuron is named when its weights have at least this part of the largest share.
const NAMED_SHARE = 0.1

"""
    dominant_neurons(layers, d) -> Vector of (layer, neuron)

The neurons whose weights make up the direction `d` (flat, length P), largest share first. The share of a neuron is the sum of
squares over its incoming and its outgoing weights; an output counts by its bias alone, unless there is no other layer.
"""
function dominant_neurons(layers::Vector{Layer}, d::AbstractVector)
    matrices = weight_matrices(layers, d)
    shares = Tuple{Float64,Int,Int}[]
    for (l, layer) in enumerate(layers), i in 1:layer.nout
        push!(shares, (neuron_share(layers, matrices, l, i), l, i))
    end
    largest = maximum(first, shares)
    sort!(shares; by = s -> (-s[1], s[2], s[3]))
    return [(l, i) for (share, l, i) in shares if largest > 0 && share >= NAMED_SHARE * largest]
end

function weight_matrices(layers::Vector{Layer}, d::AbstractVector)
    offsets = cumsum(vcat(0, map(nparams, layers)))
    return [reshape(d[offsets[l]+1:offsets[l+1]], layers[l].nout, columns(layers[l])) for l in eachindex(layers)]
end

function neuron_share(layers, matrices, l::Int, i::Int)
    incoming = matrices[l][i, :]
    l < length(layers) && return sum(abs2, incoming) + sum(abs2, matrices[l+1][:, i])
    l == 1 && return sum(abs2, incoming)
    return layers[l].bias ? abs2(incoming[end]) : 0.0
end

"""
    neuron_directions(layers, x) -> Vector of directions (length P)

Each neuron's incoming weights and bias grow together, its bias grows alone: how a neuron becomes a step, or is switched off.
"""
function neuron_directions(layers::Vector{Layer}, x::AbstractVector)
    offsets = cumsum(vcat(0, map(nparams, layers)))
    directions = Vector{Float64}[]
    for (l, layer) in enumerate(layers), i in 1:layer.nout
        entries = [offsets[l] + (j - 1) * layer.nout + i for j in 1:columns(layer)]
        push!(directions, only_entries(x, entries))
        layer.bias && push!(directions, only_entries(x, entries[end:end]))
    end
    return directions
end

function only_entries(x, entries)
    d = zeros(length(x))
    d[entries] = x[entries]
    return d
end

# Parameter orders. Julia: vec([W1 b1]), vec([W2 b2]), ... column-major. Python: PyTorch's, W1 row by row, b1, W2 row by row, ...

"""
    python_order(layers) -> Vector{Int}

The permutation with `python_vector = julia_vector[order]` for layers with the fields `nin`, `nout` and `bias`.
"""
function python_order(layers)
    order = Int[]
    offset = 0
    for layer in layers
        for i in 1:layer.nout, j in 1:layer.nin
            push!(order, offset + (j - 1) * layer.nout + i)
        end
        layer.bias && append!(order, offset + layer.nin * layer.nout .+ (1:layer.nout))
        offset += layer.nout * (layer.nin + layer.bias)
    end
    return order
end

"""
    from_python(vector, order) -> Vector{Float64}

A vector in Python's order (length P), in Julia's order.
"""
function from_python(vector::AbstractVector, order::Vector{Int})
    length(vector) == length(order) ||
        throw(DimensionMismatch("expected a vector of $(length(order)) parameters, got $(length(vector))"))
    x = Vector{Float64}(undef, length(order))
    @inbounds for k in eachindex(order)
        x[order[k]] = vector[k]
    end
    return x
end

"""
    to_python(x::AbstractVector, order) -> Vector
    to_python(X::AbstractMatrix, order) -> Matrix

A vector (length P) or the rows of a matrix (P x anything) in Julia's order, in Python's order.
"""
to_python(x::AbstractVector, order::Vector{Int}) = x[order]
to_python(X::AbstractMatrix, order::Vector{Int}) = X[order, :]

"""
    symmetric_to_python(H, order) -> Matrix

A Hessian (P x P) in Julia's order, in Python's order.
"""
function symmetric_to_python(H::Matrix, order::Vector{Int})
    out = similar(H)
    @inbounds for l in eachindex(order)
        column = order[l]
        for k in eachindex(order)
            out[k, l] = H[order[k], column]
        end
    end
    return out
end

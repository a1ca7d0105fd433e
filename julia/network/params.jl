# Parameters: one flat vector, seen as the matrices [W b] of the layers.

"""
    Params(; w1 = [W1 b1], w2 = ..., ...)
    Params(shapes, flat)

The parameters of a network: an `AbstractVector` over the flat vector `vec(w1), vec(w2), ...` (column-major), with
`p.w1`, `p.w2`, ... as the matrices [W b] that share its memory.
"""
struct Params{T<:Real} <: AbstractVector{T}
    shapes::Vector{Tuple{Int,Int}}
    flat::Vector{T}
    function Params(shapes::Vector{Tuple{Int,Int}}, flat::Vector{T}) where {T<:Real}
        expected = sum(prod, shapes)
        length(flat) == expected ||
            throw(DimensionMismatch("expected $expected parameters for the layer shapes $shapes, got $(length(flat))"))
        return new{T}(shapes, flat)
    end
end

function Params(; matrices...)
    isempty(matrices) && throw(ArgumentError("Params: expected matrices w1, w2, ..., got none"))
    names = [Symbol(:w, l) for l in 1:length(matrices)]
    all(name -> haskey(matrices, name), names) ||
        throw(ArgumentError("Params: expected the keywords $(join(names, ", ")), got $(join(keys(matrices), ", "))"))
    return from_matrices([as_matrix(matrices[name]) for name in names])
end

as_matrix(w::AbstractMatrix) = w
as_matrix(w::AbstractVector) = reshape(w, :, 1)

function from_matrices(matrices)
    T = float(promote_type(map(eltype, matrices)...))
    shapes = Tuple{Int,Int}[size(w) for w in matrices]
    return Params(shapes, T[x for w in matrices for x in w])
end

"""
    params((W1, b1), (W2, b2), ...) -> Params
    params(dict) -> Params

Parameters from weight matrices (out x in) and bias vectors (`nothing` for a layer without), or from a dictionary
"w1" => [W1 b1], "w2" => ...
"""
params(layers::Union{Tuple,AbstractVector}...) = from_matrices([weights_and_bias(layer...) for layer in layers])
params(p::Params) = p

function params(dict::AbstractDict)
    isempty(dict) && throw(ArgumentError("expected the keys w1, w2, ..., got none"))
    numbered = sort!([(layer_number(string(key)), matrix) for (key, matrix) in dict]; by = first)
    [number for (number, _) in numbered] == 1:length(numbered) ||
        throw(ArgumentError("expected the keys w1 to w$(length(numbered)), got $(join(sort!(map(string, collect(keys(dict)))), ", "))"))
    return from_matrices([as_matrix(matrix) for (_, matrix) in numbered])
end

function layer_number(key::String)
    number = startswith(key, "w") ? tryparse(Int, key[2:end]) : nothing
    number === nothing && throw(ArgumentError("expected the keys w1, w2, ..., got \"$key\""))
    return number
end

weights_and_bias(W::AbstractMatrix, ::Nothing) = W
function weights_and_bias(W::AbstractMatrix, b::AbstractVecOrMat)
    length(b) == size(W, 1) ||
        throw(DimensionMismatch("expected a bias of length $(size(W, 1)), one a row of the weights, got $(length(b))"))
    return hcat(W, vec(b))
end

"""
    params2dict(p::Params) -> Dict("w1" => [W1 b1], ...)

The layers' matrices as a dictionary (copies).
"""
params2dict(p::Params) = Dict("w$l" => copy(layer_matrix(p, l)) for l in 1:length(getfield(p, :shapes)))

"""
    Params(net, flat::AbstractVector) -> Params

The flat vector (length P) as parameters of `net` (copied).
"""
Params(layers::Vector{Layer}, flat::AbstractVector) =
    Params(Tuple{Int,Int}[(l.nout, columns(l)) for l in layers], collect(float(eltype(flat)), flat))

function layer_matrix(p::Params, l::Integer)
    shapes = getfield(p, :shapes)
    offset = mapreduce(prod, +, shapes[1:l-1]; init = 0)
    return reshape(view(getfield(p, :flat), offset+1:offset+prod(shapes[l])), shapes[l])
end

function Base.getproperty(p::Params, name::Symbol)
    name in (:shapes, :flat) && return getfield(p, name)
    l = findfirst(==(name), propertynames(p))
    l === nothing || return layer_matrix(p, l)
    throw(ArgumentError("expected one of $(propertynames(p)), got $name"))
end

Base.propertynames(p::Params) = Tuple(Symbol(:w, l) for l in 1:length(getfield(p, :shapes)))
Base.size(p::Params) = size(getfield(p, :flat))
Base.IndexStyle(::Type{<:Params}) = IndexLinear()
Base.getindex(p::Params, i::Int) = getfield(p, :flat)[i]
Base.setindex!(p::Params, v, i::Int) = getfield(p, :flat)[i] = v
Base.similar(p::Params, ::Type{T}, dims::Dims{1}) where {T<:Real} =
    dims == size(p) ? Params(getfield(p, :shapes), Vector{T}(undef, dims...)) : Vector{T}(undef, dims...)
Base.copy(p::Params) = Params(getfield(p, :shapes), copy(getfield(p, :flat)))
Base.BroadcastStyle(::Type{<:Params}) = Broadcast.ArrayStyle{Params}()
function Base.similar(bc::Broadcast.Broadcasted{Broadcast.ArrayStyle{Params}}, ::Type{T}) where {T}
    p = find_params(bc)
    T <: Real && axes(bc) == axes(p) && return Params(getfield(p, :shapes), Vector{T}(undef, length(p)))
    return similar(Array{T}, axes(bc))
end
find_params(bc::Broadcast.Broadcasted) = find_params(bc.args)
find_params(args::Tuple) = args[1] isa Union{Params,Broadcast.Broadcasted} ? find_params(args[1]) : find_params(Base.tail(args))
find_params(p::Params) = p

function Base.show(io::IO, ::MIME"text/plain", p::Params)
    shapes = getfield(p, :shapes)
    print(io, length(p), " parameters in ", length(shapes), length(shapes) == 1 ? " layer" : " layers")
    for l in 1:length(shapes)
        print(io, "\n  w", l, ": ", shapes[l][1], " x ", shapes[l][2], "  ")
        show(IOContext(io, :compact => true, :limit => true), layer_matrix(p, l))
    end
end

# The loss of a network as a function of its flat parameters.

"""
    NetObjective(net; losstype = net.losstype, maxnorm = Inf, merge = nothing) <: AbstractObjective

L(p) = 1/N sum_n w_n loss(f(x_n; p), y_n) + R(p) + M(p) with the penalties `maxnorm` (see `MaxNorm`) and `merge` (see
`Merge`). It owns its scratch memory, so one objective serves one caller at a time; with one thread, nothing is allocated
after the first call of each kind.
"""
mutable struct NetObjective{T,L<:AbstractLoss} <: AbstractObjective
    layers::Vector{Layer}
    samples::Samples{T}
    loss::L
    maxnorm::MaxNorm
    merge::Merge
    parts::Vector{Workspace{T}}                       # one a thread
    losses::Vector{Float64}                           # of the parts, of which a Hessian may have other many
    second_order::Union{Nothing,SecondOrder{T}}       # made by the first Hessian: a gradient needs none of it
    products::Union{Nothing,Products{T}}              # made by the first product
end

function NetObjective(net::Net{T}; losstype::AbstractLoss = net.losstype, maxnorm::Real = Inf, merge = nothing) where {T}
    isnan(maxnorm) && throw(ArgumentError("expected maxnorm to be a number, got NaN"))
    typeof(losstype) === typeof(net.losstype) || check_target(losstype, targets(net))
    return NetObjective(net.layers, net.samples, losstype, MaxNorm(maxnorm), Merge(net.layers, merge))
end

function NetObjective(layers::Vector{Layer}, samples::Samples{T}, loss::AbstractLoss, maxnorm::MaxNorm, merge::Merge) where {T}
    first_part = Workspace{T}(layers, samples, first_order_tile(layers))
    parts = part_count(samples.n * nparams(layers), GRADIENT_WORTH_A_THREAD, tile_count(first_part, samples))
    workspaces = [p == 1 ? first_part : Workspace{T}(layers, samples, first_order_tile(layers)) for p in 1:parts]
    return NetObjective{T,typeof(loss)}(layers, samples, loss, maxnorm, merge, workspaces, zeros(Threads.nthreads()), nothing,
                                        nothing)
end

nparams(o::NetObjective) = nparams(o.layers)

my_tiles(o::NetObjective, part::Int) = part_tiles(part, length(o.parts), tile_count(o.parts[part], o.samples))

# Data's losses of the parts, in order, plus the penalties.
total_loss(o::NetObjective, x) = sum(o.losses) + penalty(o.maxnorm, x) + penalty(o.merge, x)

function value(o::NetObjective, x::AbstractVector)
    fill!(o.losses, 0)
    in_parts(part -> value_part!(o, part, x), length(o.parts))
    return total_loss(o, x)
end

function value_part!(o::NetObjective, part::Int, x::AbstractVector)
    ws, total = o.parts[part], 0.0
    load_params!(ws, x)
    for k in my_tiles(o, part)
        load_tile!(ws, o.samples, k)
        forward!(ws, activate!)
        total += loss_value!(o.loss, ws)
    end
    o.losses[part] = total
end

function value_gradient!(g::AbstractVector, o::NetObjective, x::AbstractVector)
    fill!(o.losses, 0)
    in_parts(part -> gradient_part!(o, part, x), length(o.parts))
    collect_gradient!(g, o.parts)
    add_penalty_gradient!(g, o.maxnorm, x)
    add_penalty_gradient!(g, o.merge, x)
    return total_loss(o, x)
end

function gradient_part!(o::NetObjective, part::Int, x::AbstractVector)
    ws, total = o.parts[part], 0.0
    load_params!(ws, x)
    clear_gradient!(ws)
    for k in my_tiles(o, part)
        total += adjoint_tile!(ws, o, k, activate_d1!)
        accumulate_gradient!(ws)
    end
    o.losses[part] = total
end

"""
    adjoint_tile!(ws, o, k, kernel!) -> loss of tile k

Forward and backward pass over tile `k`: fills activations, `e` and `delta` of every layer.
"""
function adjoint_tile!(ws::Workspace, o, k::Int, kernel!::K) where {K}
    load_tile!(ws, o.samples, k)
    forward!(ws, kernel!)
    tile_loss = loss_adjoint!(o.loss, ws)
    backward!(ws)
    return tile_loss
end

function accumulate_gradient!(ws::Workspace)
    for l in eachindex(ws.tiles)
        accumulate_product!(ws.tiles[l].dW, ws.tiles[l].delta, layer_input(ws, l))
    end
end

function collect_gradient!(g::AbstractVector, parts::Vector{<:Workspace})
    store_gradient!(g, parts[1])
    for part in 2:length(parts)
        add_gradient!(g, parts[part])
    end
end

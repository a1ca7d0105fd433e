# The loss of a network as a function of its flat parameters: value, gradient and Hessian, tile by tile.

"""
    NetObjective(net; losstype = net.losstype, maxnorm = Inf, merge = nothing) <: AbstractObjective

L(p) = 1/N sum_n w_n loss(f(x_n; p), y_n) + R(p) + M(p) with the penalties `maxnorm` (see `MaxNorm`) and `merge` (see
`Merge`). It owns its scratch memory, O(P^2 + tile), so one objective serves one thread at a time; after the first call
of each kind nothing is allocated.
"""
mutable struct NetObjective{T,L<:AbstractLoss} <: AbstractObjective
    layers::Vector{Layer}
    samples::Samples{T}
    loss::L
    maxnorm::MaxNorm
    merge::Merge
    ws::Workspace{T}
    second_order::Union{Nothing,SecondOrder{T}}     # made by the first Hessian: a gradient needs none of it
end

function NetObjective(net::Net{T}; losstype::AbstractLoss = net.losstype, maxnorm::Real = Inf, merge = nothing) where {T}
    isnan(maxnorm) && throw(ArgumentError("expected maxnorm to be a number, got NaN"))
    typeof(losstype) === typeof(net.losstype) || check_target(losstype, targets(net))
    ws = Workspace{T}(net.layers, tile_height(net.samples))
    return NetObjective{T,typeof(losstype)}(net.layers, net.samples, losstype, MaxNorm(maxnorm), Merge(net.layers, merge),
                                            ws, nothing)
end

nparams(o::NetObjective) = nparams(o.layers)

output_tile(o::NetObjective) = o.ws.tiles[end]

function value(o::NetObjective, x::AbstractVector)
    ws, samples = o.ws, o.samples
    load_params!(ws, x)
    total = 0.0
    for k in 1:tile_count(samples)
        load_input!(ws, samples, k)
        forward!(ws, activate!)
        total += loss_value(o.loss, output_tile(o).a, samples.target, samples.coefficient, k)
    end
    return total + penalty(o.maxnorm, x) + penalty(o.merge, x)
end

function value_gradient!(g::AbstractVector, o::NetObjective, x::AbstractVector)
    ws = o.ws
    load_params!(ws, x)
    clear_gradient!(ws)
    total = 0.0
    for k in 1:tile_count(o.samples)
        total += gradient_tile!(o, k, activate_d1!)
    end
    store_gradient!(g, ws)
    return total + add_penalty_gradients!(g, o, x)
end

# Forward and backward pass over tile k; adds its gradient to the sums and returns its loss.
function gradient_tile!(o::NetObjective, k::Int, kernel!::K) where {K}
    ws, samples, output = o.ws, o.samples, output_tile(o)
    load_input!(ws, samples, k)
    forward!(ws, kernel!)
    tile_loss = loss_adjoint!(output.e, o.loss, output.a, samples.target, samples.coefficient, k)
    backward!(ws)
    for l in eachindex(ws.tiles)
        accumulate_product!(ws.tiles[l].dW, ws.tiles[l].delta, layer_input(ws, l))
    end
    return tile_loss
end

function add_penalty_gradients!(g, o::NetObjective, x)
    add_penalty_gradient!(g, o.maxnorm, x)
    add_penalty_gradient!(g, o.merge, x)
    return penalty(o.maxnorm, x) + penalty(o.merge, x)
end

hessian!(H::AbstractMatrix, o::NetObjective, x::AbstractVector) = (second_derivatives!(H, o, x); H)

function value_gradient_hessian!(g::AbstractVector, H::AbstractMatrix, o::NetObjective, x::AbstractVector)
    total = second_derivatives!(H, o, x)
    store_gradient!(g, o.ws)
    return total + add_penalty_gradients!(g, o, x)
end

function second_order!(o::NetObjective{T}) where {T}
    work = o.second_order
    work === nothing || return work
    return o.second_order = SecondOrder{T}(o.layers, o.samples)
end

# Fills H; leaves the gradient of the data's loss in the workspace and returns that loss.
function second_derivatives!(H::AbstractMatrix, o::NetObjective{T}, x::AbstractVector) where {T}
    work, ws = second_order!(o), o.ws
    load_params!(ws, x)
    clear_gradient!(ws)
    clear!(work)
    total = 0.0
    for k in 1:tile_count(o.samples)
        total += gradient_tile!(o, k, activate_d2!)
        hessian_tile!(work, o, k)
    end
    finish!(H, work, ws)
    add_penalty_hessian!(H, o.maxnorm, x)
    add_penalty_hessian!(H, o.merge, x)
    return total
end

# The second derivative of a network's outputs along a direction, taken back to the parameters: two terms of a Taylor series
# pushed forward through the layers, and one backward pass.
#
# With V the direction in the space of [W b], and dots for derivatives along it,
#
#     z'_l = W_l a'_{l-1} + V_l a_{l-1},    z''_l = W_l a''_{l-1} + 2 V_l a'_{l-1},
#     a'_l = f'_l .* z'_l,                  a''_l = f''_l .* z'_l^2 + f'_l .* z''_l.

"""
    residual_acceleration!(out, o::NetObjective, x, v) -> out

Write J' Q f''(v, v) into `out` (length P), with f'' the second derivative of the outputs and Q that of the loss with respect to
them (2 w_n/N for the squared error): exact, in the time of about three gradients.
"""
function residual_acceleration!(out::AbstractVector, o::NetObjective, x::AbstractVector, v::AbstractVector)
    length(out) == length(v) == nparams(o) ||
        throw(DimensionMismatch("expected vectors of length $(nparams(o)), got $(length(v)) and a result of length $(length(out))"))
    work = products!(o, 1)
    in_parts(part -> acceleration_part!(work, o, part, x, v), length(o.parts))
    collect_gradient!(out, o.parts)
    return out
end

function acceleration_part!(work::Products, o::NetObjective, part::Int, x, v)
    ws, tiles, tangent = o.parts[part], work.tiles[part], work.tangents[part][1]
    load_params!(ws, x)
    load_tangent!(tangent, ws, v, 1)
    clear_gradient!(ws)
    for k in my_tiles(o, part)
        load_tile!(ws, o.samples, k)
        forward!(ws, activate_d2!)
        loss_adjoint!(o.loss, ws)               # leaves the softmax that Q is made of
        push_forward!(tiles, ws, tangent)
        push_second!(tiles, ws, tangent)
        loss_tangent!(output_tile(ws).e, o.loss, ws, second_activation(tiles[end]))
        backward!(ws)
        accumulate_gradient!(ws)
    end
end

# Nothing is passed backward along a direction here: the places of its adjoints hold the second derivatives.
second_input(tile::TangentTile) = tile.e
second_activation(tile::TangentTile) = tile.delta

function push_second!(tiles::Vector{<:TangentTile}, ws::Workspace, tangent::Tangent)
    for l in eachindex(tiles)
        z2 = second_input(tiles[l])
        fill!(z2, 0)
        if l > 1
            add_transposed_product!(z2, tiles[l-1].a, tangent.V[l])
            z2 .*= 2
            add_transposed_product!(z2, second_activation(tiles[l-1]), ws.tiles[l].W)
        end
        curve_activation!(second_activation(tiles[l]), z2, tiles[l].z, ws.tiles[l])
    end
end

function curve_activation!(a2::Matrix, z2::Matrix, z1::Matrix, tile::LayerTile)
    d1, d2 = tile.d1, tile.d2
    @inbounds @streamed for i in eachindex(a2)
        a2[i] = muladd(d2[i] * z1[i], z1[i], d1[i] * z2[i])
    end
end

# Products of the Hessian and of the Gauss-Newton matrix with vectors, without the matrix: the derivative of the gradient
# along a direction, by pushing tangents forward through the network and back (Pearlmutter, Neural Computation 6 (1994)
# 147; for the Gauss-Newton matrix Schraudolph, Neural Computation 14 (2002) 1723).
#
# With V the direction in the space of [W b] and R the derivative along it:
#
#     R z_l = R a_{l-1} W_l' + a_{l-1} V_l',    R a_l = f'_l .* R z_l,
#     R e_L = Q R a_L,    R delta_l = f'_l .* R e_l + e_l .* f''_l .* R z_l,    R e_{l-1} = R delta_l W_l + delta_l V_l,
#     R dW_l = R delta_l' a_{l-1} + delta_l' R a_{l-1};
#
# the Gauss-Newton product has no terms with e and delta.

function products!(o::NetObjective{T}, directions::Int) where {T}
    work = o.products
    if work === nothing
        work = o.products = Products{T}(o.parts)
    end
    for tangents in work.tangents, _ in length(tangents)+1:directions
        push!(tangents, Tangent{T}(o.layers))
    end
    return work
end

"""
    hvp!(out, o::NetObjective, x, v) -> out

Write the product of the Hessian at `x` with `v` into `out`: a vector (length P), or a block of them (P x m).
"""
hvp!(out::AbstractVecOrMat, o::NetObjective, x::AbstractVector, v::AbstractVecOrMat) =
    product!(out, o, x, v, activate_d2!, hessian_tangent!)

"""
    gauss_newton_product!(out, o::NetObjective, x, v) -> out

Write the product of the Gauss-Newton matrix at `x` (see `gauss_newton!`) with `v` into `out`: a vector (length P), or a block
of them (P x m).
"""
gauss_newton_product!(out::AbstractVecOrMat, o::NetObjective, x::AbstractVector, v::AbstractVecOrMat) =
    product!(out, o, x, v, activate_d1!, gauss_newton_tangent!)

function product!(out, o::NetObjective, x, v, kernel!::K, tangent!::F) where {K,F}
    size(out) == size(v) && size(v, 1) == nparams(o) ||
        throw(DimensionMismatch("expected vectors of length $(nparams(o)), got $(size(v)) and a result of size $(size(out))"))
    work = products!(o, size(v, 2))
    in_parts(part -> product_part!(work, o, part, x, v, kernel!, tangent!), length(o.parts))
    for c in axes(v, 2)
        collect_product!(out, work, c)
        add_penalty_product!(out, o.maxnorm, x, v, c)
        add_penalty_product!(out, o.merge, x, v, c)
    end
    return out
end

function product_part!(work::Products, o::NetObjective, part::Int, x, v, kernel!::K, tangent!::F) where {K,F}
    ws, tiles, tangents = o.parts[part], work.tiles[part], work.tangents[part]
    load_params!(ws, x)
    for c in axes(v, 2)
        load_tangent!(tangents[c], ws, v, c)
    end
    for k in my_tiles(o, part)
        adjoint_tile!(ws, o, k, kernel!)
        for c in axes(v, 2)
            push_forward!(tiles, ws, tangents[c])
            loss_tangent!(tiles[end].e, o.loss, ws, tiles[end].a)
            tangent!(tiles, ws, tangents[c])
        end
    end
end

function load_tangent!(tangent::Tangent, ws::Workspace, v::AbstractVecOrMat, c::Int)
    start = (c - 1) * size(v, 1)
    for (l, tile) in enumerate(ws.tiles)
        n, d = size(tile.dW)
        load_matrix!(tangent.Vt[l], tangent.V[l], v, start + tile.offset, n, d, tile.layer.nin)
        fill!(tangent.sums[l], 0)
        fill!(tangent.chain[l], 0)
    end
end

function push_forward!(tiles::Vector{<:TangentTile}, ws::Workspace, tangent::Tangent)
    for l in eachindex(tiles)
        multiply!(tiles[l].z, layer_input(ws, l), tangent.Vt[l])
        l > 1 && add_transposed_product!(tiles[l].z, tiles[l-1].a, ws.tiles[l].W)
        hadamard!(tiles[l].a, tiles[l].z, ws.tiles[l].d1)
    end
end

function hessian_tangent!(tiles::Vector{<:TangentTile}, ws::Workspace, tangent::Tangent)
    for l in length(tiles):-1:1
        tile = ws.tiles[l]
        curve_delta!(tiles[l], tile)
        accumulate_product!(tangent.sums[l], tiles[l].delta, layer_input(ws, l))
        l == 1 && continue
        accumulate_product!(tangent.chain[l], tile.delta, tiles[l-1].a)
        multiply!(tiles[l-1].e, tiles[l].delta, tile.W)
        add_product!(tiles[l-1].e, tile.delta, tangent.V[l])
    end
end

function gauss_newton_tangent!(tiles::Vector{<:TangentTile}, ws::Workspace, tangent::Tangent)
    for l in length(tiles):-1:1
        hadamard!(tiles[l].delta, tiles[l].e, ws.tiles[l].d1)
        accumulate_product!(tangent.sums[l], tiles[l].delta, layer_input(ws, l))
        l > 1 && multiply!(tiles[l-1].e, tiles[l].delta, ws.tiles[l].W)
    end
end

function curve_delta!(tangent::TangentTile, tile::LayerTile)
    delta, e, z, d1, d2, adjoint = tangent.delta, tangent.e, tangent.z, tile.d1, tile.d2, tile.e
    @inbounds @streamed for i in eachindex(delta)
        delta[i] = muladd(e[i], d1[i], adjoint[i] * d2[i] * z[i])
    end
end

function collect_product!(out::AbstractVecOrMat, work::Products, c::Int)
    offset = (c - 1) * size(out, 1)
    for l in eachindex(work.tangents[1][c].sums)
        first_part = work.tangents[1][c].sums[l]
        fill_range!(out, offset, first_part)
        for tangents in work.tangents
            tangents === work.tangents[1] || add_range!(out, offset, tangents[c].sums[l])
            add_range!(out, offset, tangents[c].chain[l])
        end
        offset += length(first_part)
    end
end

function fill_range!(out, offset::Int, sums::Matrix)
    @inbounds @streamed for i in eachindex(sums)
        out[offset+i] = sums[i]
    end
end

function add_range!(out, offset::Int, sums::Matrix)
    @inbounds @streamed for i in eachindex(sums)
        out[offset+i] += sums[i]
    end
end

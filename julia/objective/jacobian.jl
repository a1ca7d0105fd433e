# Residuals and Jacobian of the outputs, sample by sample in memory.

"""
    residuals!(r, o::NetObjective, x) -> r

Write f(x_n; p) - y_n for every sample into `r` (Dout x N). For the squared error the loss is sum_n w_n/N |r_n|^2.
"""
function residuals!(r::AbstractMatrix, o::NetObjective, x::AbstractVector)
    in_parts(part -> residuals_part!(r, o, part, x), length(o.parts))
    return r
end

function residuals_part!(r, o::NetObjective, part::Int, x)
    ws = o.parts[part]
    load_params!(ws, x)
    for k in my_tiles(o, part)
        load_tile!(ws, o.samples, k)
        forward!(ws, activate!)
        first, f = (k - 1) * tile_height(ws), output_tile(ws).a
        for t in 1:min(tile_height(ws), o.samples.n - first), i in axes(r, 1)
            r[i, first+t] = f[t, i] - ws.target[t, i]
        end
    end
end

"""
    jacobian!(J, o::NetObjective, x) -> J

Write the derivatives of the outputs, and so of the residuals, of every sample into `J` (P x Dout x N).
"""
function jacobian!(J::AbstractArray{<:Real,3}, o::NetObjective, x::AbstractVector)
    in_parts(part -> jacobian_part!(J, o, part, x), length(o.parts))
    return J
end

function jacobian_part!(J, o::NetObjective, part::Int, x)
    ws = o.parts[part]
    load_params!(ws, x)
    for k in my_tiles(o, part)
        load_tile!(ws, o.samples, k)
        forward!(ws, activate_d1!)
        first = (k - 1) * tile_height(ws)
        for r in axes(J, 2)
            unit_adjoint!(ws, r)
            backward!(ws)
            store_jacobian!(J, ws, r, first, min(tile_height(ws), o.samples.n - first))
        end
    end
end

function unit_adjoint!(ws::Workspace, r::Int)
    e = output_tile(ws).e
    fill!(e, 0)
    for t in axes(e, 1)
        e[t, r] = 1
    end
end

function store_jacobian!(J, ws::Workspace, r::Int, first::Int, count::Int)
    for l in eachindex(ws.tiles)
        tile, a = ws.tiles[l], layer_input(ws, l)
        n, d = size(tile.dW)
        @inbounds for t in 1:count, j in 1:d, i in 1:n
            J[tile.offset+(j-1)*n+i, r, first+t] = tile.delta[t, i] * a[t, j]
        end
    end
end

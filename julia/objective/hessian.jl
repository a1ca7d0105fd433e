# The Hessian of the data's loss: curvature through the layers plus the Gauss-Newton part, in whichever of two forms
# costs less.

"""
    SecondOrder{T}(layers, samples)

Scratch and sums of a Hessian. Either the Gauss-Newton part is collected in `block` and added to `H` by rank-k updates
(P^2/2 multiplications a sample and output, at the speed of syrk), or it is folded into the curvature recursion (the same
cost for any number of outputs): the cheaper by multiplication count.
"""
struct SecondOrder{T}
    curvature::Curvature{T}
    block::JacobianBlock{T}
    H::Matrix{T}
end

function SecondOrder{T}(layers::Vector{Layer}, samples::Samples{T}; folded::Bool = folding_pays(layers)) where {T}
    P, height = nparams(layers), tile_height(samples)
    return SecondOrder{T}(Curvature{T}(layers, height, folded),
                          JacobianBlock{T}(folded ? 0 : P, height, tile_count(samples)), zeros(T, P, P))
end

# Multiplications a sample. A diagonal B_ll costs P_l d_l/2 instead of P_l^2/4; B_lL of a linear output is absent.
function folding_pays(layers::Vector{Layer})
    L, P = length(layers), nparams(layers)
    linear = is_identity(layers[end])
    folded, unfolded = 0.0, layers[end].nout * P^2 / 2
    for m in 1:L
        Pm = nparams(layers[m])
        folded += Pm^2 / 4
        unfolded += m == L || linear && m == L - 1 ? Pm * columns(layers[m]) / 2 : Pm^2 / 4
        for l in 1:m-1
            Pl = nparams(layers[l])
            chain = m == l + 1 ? Pl * layers[m].nout : Pl * layers[m].nout * layers[m].nin
            folded += Pl * Pm + chain
            unfolded += (linear && m == L ? 0.0 : Pl * Pm) + chain
        end
    end
    return folded < unfolded
end

function clear!(work::SecondOrder)
    fill!(work.H, 0)
    clear_sums!(work.curvature)
    work.block.used = 0
end

"""
    hessian_tile!(work, o, k)

Add the second derivatives of tile `k`, for which `gradient_tile!` was just called with second derivatives.
"""
function hessian_tile!(work::SecondOrder, o, k::Int)
    ws, samples = o.ws, o.samples
    output = ws.tiles[end]
    curvature = work.curvature
    if curvature.folded
        loss_curvature!(curvature.Q, o.loss, output.a, samples.target, samples.coefficient, k)
        add_curvature!(curvature, ws)
        return
    end
    add_curvature!(curvature, ws)
    for r in axes(samples.target, 2)
        loss_root!(output.e, o.loss, output.a, samples.target, samples.coefficient, k, r)
        backward!(ws)
        add_rows!(work.H, work.block, ws)
    end
end

"""
    finish!(H, work, ws)

Put all sums in place and fill both triangles of `H`.
"""
function finish!(H::AbstractMatrix, work::SecondOrder, ws::Workspace)
    work.curvature.folded || flush!(work.H, work.block)
    store_curvature!(work.H, work.curvature, ws)
    for j in axes(H, 2), i in 1:j
        @inbounds h = work.H[i, j]
        @inbounds H[i, j] = h
        @inbounds H[j, i] = h
    end
end

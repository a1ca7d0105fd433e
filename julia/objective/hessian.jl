# The Hessian and the Gauss-Newton matrix of a network's loss.

function hessian!(H::AbstractMatrix, o::NetObjective, x::AbstractVector)
    second_derivatives!(H, o, x, add_second_derivatives!)
    return H
end

function value_gradient_hessian!(g::AbstractVector, H::AbstractMatrix, o::NetObjective, x::AbstractVector)
    second_derivatives!(H, o, x, add_second_derivatives!)
    collect_gradient!(g, o.second_order.parts)
    add_penalty_gradient!(g, o.maxnorm, x)
    add_penalty_gradient!(g, o.merge, x)
    return total_loss(o, x)
end

"""
    gauss_newton!(G, o::NetObjective, x) -> G

Write the Gauss-Newton matrix (P x P) sum_n J_n' Q_n J_n, with J_n the Jacobian of the outputs of sample n and Q_n the second
derivative of its loss with respect to them (2 w_n/N for the squared error), plus the Hessians of the penalties, into `G`.
"""
function gauss_newton!(G::AbstractMatrix, o::NetObjective, x::AbstractVector)
    second_derivatives!(G, o, x, add_gauss_newton!)
    return G
end

function second_order!(o::NetObjective{T}) where {T}
    work = o.second_order
    work === nothing || return work
    return o.second_order = SecondOrder{T}(o.layers, o.samples)
end

function second_derivatives!(H::AbstractMatrix, o::NetObjective{T}, x::AbstractVector, add!::A) where {T,A}
    sums = Matrix{T}(undef, size(H))
    second_derivatives!(sums, o, x, add!)
    copyto!(H, sums)
end

# Fills H; leaves losses and gradients of the parts behind.
function second_derivatives!(H::Matrix{T}, o::NetObjective{T}, x::AbstractVector, add!::A) where {T,A}
    parts = second_order!(o).parts
    fill!(H, 0)
    fill!(o.losses, 0)
    in_parts(p -> second_order_part!(p == 1 ? H : parts[p].H, parts, p, o, x, add!), length(parts))
    for p in 2:length(parts)
        isempty(parts[p].H) || add_upper!(H, parts[p].H)
    end
    for part in parts
        store_curvature!(H, part.curvature, part.ws)
    end
    fill_lower!(H)
    add_penalty_hessian!(H, o.maxnorm, x)
    add_penalty_hessian!(H, o.merge, x)
end

function second_order_part!(H::Matrix, parts::Vector, p::Int, o::NetObjective, x::AbstractVector, add!::A) where {A}
    part = parts[p]
    ws, total = part.ws, 0.0
    load_params!(ws, x)
    clear_gradient!(ws)
    clear_sums!(part.curvature)
    p == 1 || fill!(H, 0)
    for k in part_tiles(p, length(parts), tile_count(ws, o.samples))
        total += adjoint_tile!(ws, o, k, activate_d2!)
        accumulate_gradient!(ws)
        add!(H, part, o.loss)
    end
    part.curvature.folded || flush!(H, part.block)
    o.losses[p] = total
end

# Both are called after the backward pass of the gradient.

function add_second_derivatives!(H::Matrix, part::SecondOrderPart, loss::AbstractLoss)
    part.curvature.folded && loss_curvature!(part.curvature.Q, loss, part.ws)
    add_curvature!(part.curvature, part.ws)
    part.curvature.folded || add_roots!(H, part, loss)
end

# Without adjoints the folded recursion is the Gauss-Newton matrix.
function add_gauss_newton!(H::Matrix, part::SecondOrderPart, loss::AbstractLoss)
    if part.curvature.folded
        for tile in part.ws.tiles
            fill!(tile.e, 0)
            fill!(tile.delta, 0)
        end
        loss_curvature!(part.curvature.Q, loss, part.ws)
        add_curvature!(part.curvature, part.ws)
    else
        add_roots!(H, part, loss)
    end
end

# The rows of the Jacobian, times each column of a root of the loss curvature.
function add_roots!(H::Matrix, part::SecondOrderPart, loss::AbstractLoss)
    for r in axes(part.ws.target, 2)
        loss_root!(loss, part.ws, r)
        backward!(part.ws)
        add_rows!(H, part.block, part.ws)
    end
end

function collect_gradient!(g::AbstractVector, parts::Vector{<:SecondOrderPart})
    store_gradient!(g, parts[1].ws)
    for p in 2:length(parts)
        add_gradient!(g, parts[p].ws)
    end
end

function add_upper!(H::Matrix, other::Matrix)
    for j in axes(H, 2)
        @inbounds @simd ivdep for i in 1:j
            H[i, j] += other[i, j]
        end
    end
end

const MIRROR = 32    # edge of the squares in which the upper triangle is copied: both fit in the first-level cache

function fill_lower!(H::Matrix)
    P = size(H, 1)
    for jb in 1:MIRROR:P, ib in 1:MIRROR:jb
        for j in jb:min(jb + MIRROR - 1, P)
            @inbounds for i in ib:min(ib + MIRROR - 1, j)
                H[j, i] = H[i, j]
            end
        end
    end
end

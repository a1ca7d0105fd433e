# The scratch memory of second derivatives, and the choice between the two forms of their Gauss-Newton part.

"""
    SecondOrderPart{T}

What one thread needs: a workspace with short tiles, the curvature sums, the block of Jacobian rows, and, but for the
first part, which adds to the result itself, a matrix for its rank-k updates.
"""
mutable struct SecondOrderPart{T}
    ws::Workspace{T}
    curvature::Curvature{T}
    block::JacobianBlock{T}
    H::Matrix{T}
end

"""
    SecondOrder{T}(layers, samples)

Scratch and sums of a Hessian. Either the Gauss-Newton part is collected in blocks of rows and added by rank-k updates
(P^2/2 multiplications a sample and output, at the speed of syrk), or it is folded into the curvature recursion (the same
cost for any number of outputs): the cheaper by estimate, but the second one where a weight is negative and has no root.
"""
struct SecondOrder{T}
    parts::Vector{SecondOrderPart{T}}
end

# Matrices of other threads than the first may take this much memory in all; beyond, one thread does the work.
const MATRICES_BYTES = 2^28

function SecondOrder{T}(layers::Vector{Layer}, samples::Samples{T};
                        folded::Bool = folding_pays(layers) || has_negative_weights(samples)) where {T}
    P = nparams(layers)
    workspace() = Workspace{T}(layers, samples, SECOND_ORDER_TILE)
    first_workspace = workspace()
    affordable = 1 + MATRICES_BYTES ÷ (2 * sizeof(T) * P^2)
    parts = min(part_count(samples.n * P^2, HESSIAN_WORTH_A_THREAD, tile_count(first_workspace, samples)), affordable)
    pieces = tile_count(first_workspace, samples) * layers[end].nout
    make(p) = SecondOrderPart{T}(p == 1 ? first_workspace : workspace(), Curvature{T}(layers, tile_height(first_workspace), folded),
                                 JacobianBlock{T}(folded ? 0 : P, tile_height(first_workspace), pieces),
                                 p == 1 || folded ? zeros(T, 0, 0) : zeros(T, P, P))
    return SecondOrder{T}([make(p) for p in 1:parts])
end

# Cost in multiplications a sample of a matrix product at full speed. A column product is written and read again, which costs as
# much as COLUMN multiplications; a product of matrices with a short edge is slower in proportion.
const COLUMN = 12
product_cost(m, n) = m * n * max(1, 12 / min(m, n)) + COLUMN * (m + n)

function folding_pays(layers::Vector{Layer})
    L, P = length(layers), nparams(layers)
    linear = is_identity(layers[end])
    folded, unfolded = 0.0, layers[end].nout * (P^2 / 2 + COLUMN * P)
    for m in 1:L
        n, d = layers[m].nout, columns(layers[m])
        full = product_cost(n * (n + 1) / 2, d * (d + 1) / 2)
        folded += full
        unfolded += linear && m == L ? 0.0 : m == L || linear && m == L - 1 ? product_cost(n, d * (d + 1) / 2) : full
        for l in 1:m-1
            pair = product_cost(layers[l].nout * n, columns(layers[l]) * d)
            folded += pair
            unfolded += linear && m == L ? 0.0 : pair
        end
    end
    return folded < unfolded
end

# The loss of a batch: an objective whose samples are loaded anew for each step, and so as fast as that of all samples.

"""
    Batches(o::NetObjective, epochs)

The samples of `o` in batches: 1/B sum over the batch of w_n loss(f(x_n), y_n), plus the penalties. `full` holds the usual batches,
`last` the smaller one at the end of an epoch, where there is one.
"""
struct Batches{T,L<:AbstractLoss}
    epochs::Epochs
    samples::Samples{T}
    full::NetObjective{T,L}
    last::NetObjective{T,L}
end

function Batches(o::NetObjective, epochs::Epochs)
    rest = length(epochs.order) % epochs.batchsize
    full = batch_objective(o, epochs.batchsize)
    return Batches(epochs, o.samples, full, rest == 0 ? full : batch_objective(o, rest))
end

batch_objective(o::NetObjective{T}, n::Int) where {T} =
    NetObjective(o.layers, Samples{T}(n, ones(T, n, size(o.samples.input, 2)), zeros(T, n, size(o.samples.target, 2)), zeros(T, n)),
                 o.loss, o.maxnorm, o.merge)

"""
    batches(o, batchsize, batchseed, replacement) -> Batches or nothing

`nothing` when each step uses all samples: without a batchsize, or where a batch holds them all.
"""
batches(o::AbstractObjective, ::Nothing, batchseed, replacement) = nothing

batches(o::AbstractObjective, batchsize, batchseed, replacement) =
    throw(ArgumentError("expected batchsize = nothing for a $(nameof(typeof(o))), which has no samples, got $batchsize"))

function batches(o::NetObjective, batchsize::Integer, batchseed, replacement)
    check_batches(o.samples.n, batchsize, batchseed)
    batchsize == o.samples.n && !replacement && return nothing
    return Batches(o, Epochs(o.samples.n, Int(batchsize), Int(batchseed), replacement))
end

# The loss of the next batch and its gradient.
function next_gradient!(g::Vector{Float64}, b::Batches, x::Vector{Float64})
    e = b.epochs
    at_end(e) && begin_epoch!(e)
    n = next_size(e)
    o = n == e.batchsize ? b.full : b.last
    load_batch!(o.samples, b.samples, e.order, e.position)
    e.position += n
    return value_gradient!(g, o, x)
end

function load_batch!(batch::Samples, all::Samples, order::Vector{Int}, position::Int)
    gather!(batch.input, all.input, order, position)
    gather!(batch.target, all.target, order, position)
    scale = all.n / batch.n         # the coefficients of all samples are w/N
    @inbounds for t in 1:batch.n
        batch.coefficient[t] = all.coefficient[order[position+t]] * scale
    end
    return batch
end

function gather!(rows::Matrix, all::Matrix, order::Vector{Int}, position::Int)
    for j in axes(rows, 2)
        @inbounds @simd ivdep for t in axes(rows, 1)
            rows[t, j] = all[order[position+t], j]
        end
    end
    return rows
end

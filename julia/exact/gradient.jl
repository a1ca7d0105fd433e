# The exact loss and its gradient.

"""
    exact_value_gradient!(g::Vector{T}, o, x::Vector{T}) -> T

Value and gradient (length P) of the exact loss at `x`: with T = `DoubleDouble` in that arithmetic, with T = `Ball` bounds of
both for all parameters in the box `x`.
"""
function exact_value_gradient!(g::Vector{T}, o::ExactLoss, x::Vector{T}) where {T<:Wide}
    parts = exact_parts(o)
    sums = [zeros(T, nparams(o) + 1) for _ in 1:parts]       # the loss behind the gradient
    in_parts(part -> exact_gradient_part!(sums[part], o, x, part, parts), parts)
    total = foldl(add_to!, sums)
    for i in eachindex(g)
        g[i] = total[i] / o.divisor
    end
    add_exact_penalty_gradient!(g, o.maxnorm, x)
    add_exact_penalty_gradient!(g, o.merge, x)
    return total[end] / o.divisor + exact_penalty(o.maxnorm, x) + exact_penalty(o.merge, x)
end

function add_to!(total::Array{T}, more::Array{T}) where {T}
    @inbounds for i in eachindex(total)
        total[i] += more[i]
    end
    return total
end

function exact_gradient_part!(total::Vector{T}, o::ExactLoss, x::Vector{T}, part::Int, parts::Int) where {T}
    work, sum = ExactWork{T}(o), zero(total)
    for k in part_tiles(part, parts, cld(nsamples(o), SAMPLES_A_SUM))
        fill!(sum, zero(T))
        for n in sum_samples(o, k)
            add_sample_gradient!(sum, work, o, x, n)
        end
        add_to!(total, sum)
    end
end

function add_sample_gradient!(sum::Vector{T}, work::ExactWork{T}, o::ExactLoss, x::Vector{T}, n::Int) where {T}
    load_sample!(work, o, n)
    exact_forward!(work, o, x)
    sum[end] += exact_loss_adjoint!(o.loss, work, o, n)
    exact_backward!(work, o, x)
    for l in eachindex(o.layers)
        add_outer!(sum, o.offsets[l], work.layers[l].delta, layer_input(work, l))
    end
end

function add_outer!(sum::Vector{T}, offset::Int, delta::Vector{T}, a::Vector{T}) where {T}
    k = offset
    @inbounds for aj in a, di in delta
        k += 1
        sum[k] += di * aj
    end
end

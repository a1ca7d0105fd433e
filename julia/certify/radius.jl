# Which boxes to try: first the smallest one that the gradient allows, for existence and for sharp eigenvalues; then larger
# ones, for uniqueness.

"""
    smallest_box(exact, centre, inverse, b) -> Contraction

The box of the shape of the row sums of |A|, which is that of the flattest directions, and a few times as large as |A g|.
"""
function smallest_box(exact::AbstractExactLoss, centre, inverse::ApproximateInverse, b::Vector{Float64})
    shape = natural_shape(inverse)
    size = 4 * maximum(b ./ shape) + 1e-290
    return contract(exact, centre, inverse, b, size .* shape)
end

function natural_shape(inverse::ApproximateInverse)
    rows = vec(sum(inverse.size; dims = 2))
    return rows ./ maximum(rows)
end

const BALL_TRIALS = 5
const SAFE_CONTRACTION = 0.7

"""
    largest_ball(exact, centre, inverse, b, small) -> Contraction or nothing

A box with a side much longer than `small.error`: a ball in the infinity norm if there is one that can be proved, else a box
of the natural shape around a ball.
"""
function largest_ball(exact::AbstractExactLoss, centre, inverse::ApproximateInverse, b::Vector{Float64}, small::Contraction)
    needed = 2 * maximum(small.error)
    ball = grow(exact, centre, inverse, b, ones(length(b)), needed)
    ball === nothing || return ball
    return grow(exact, centre, inverse, b, natural_shape(inverse), needed)
end

# The factor q grows in proportion to the size while it is small, so that a few trials find a size at which q is near 0.7.
function grow(exact::AbstractExactLoss, centre, inverse::ApproximateInverse, b::Vector{Float64}, shape::Vector{Float64}, needed::Float64)
    least = needed / minimum(shape)
    size, best = max(least, 1e-6 * max(1.0, leading_norm(centre))), nothing
    for _ in 1:BALL_TRIALS
        trial = contract(exact, centre, inverse, b, size .* shape)
        trial.proved && (best === nothing || size > maximum(best.rho)) && (best = trial)
        trial.proved && trial.q > 0.5 * SAFE_CONTRACTION && return best
        size == least && !trial.proved && return best
        factor = isfinite(trial.q) ? clamp(SAFE_CONTRACTION / trial.q, 1e-12, 1e3) : 1e-3
        size = max(least, size * (trial.proved ? factor : min(factor, 0.5) * 0.8))
        best !== nothing && size <= maximum(best.rho) && return best
    end
    return best === nothing ? grow_from(exact, centre, inverse, b, shape, least, size) : best
end

# Where the factor grows more slowly than the size, as next to a degenerate point: from the least box on, halving the logarithm of the
# ratio to one that failed.
function grow_from(exact::AbstractExactLoss, centre, inverse::ApproximateInverse, b::Vector{Float64}, shape, least, failed)
    best = contract(exact, centre, inverse, b, least .* shape)
    best.proved || return nothing
    for _ in 1:BALL_TRIALS
        size = sqrt(least) * sqrt(failed)
        trial = contract(exact, centre, inverse, b, size .* shape)
        trial.proved ? (best = trial; least = size) : (failed = size)
    end
    return best
end

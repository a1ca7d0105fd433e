# What lengths of steps are measured with: a scale D for each parameter, so that |Ds| is limited or damped.

# Square roots of the diagonal of a Hessian or Gauss-Newton matrix: how strongly each parameter acts. Parameters that act up to so
# much less than the strongest are measured alike; weaker ones get a smaller scale, or limits made for the strongest would hold them
# where they are.
const SENSITIVITY_SPAN = 1e6

# After so many rejected trials in a row a scaling has misled, and all parameters are measured alike from then on.
const MISLED_TRIALS = 10

checked_scaling(scaling) = (s = Symbol(scaling); require(s in (:auto, :none, :limited, :more),
    "expected scaling to be :auto, :none, :limited or :more, got :$s"); s)

# Parameters of one kind need none.
chosen_scaling(scaling::Symbol, o::AbstractObjective) = scaling !== :auto ? scaling : commensurable(o) ? :none : :limited

"""
    scale!(D, diagonal, scaling) -> D

Bring the scales up to date with the diagonal of the matrix of the model: 1 (`:none`), 1 down to what a sensitivity a million times
below the largest needs (`:limited`), or the largest sensitivities so far (`:more`, for which D is 0 at first).
"""
function scale!(D::Vector{Float64}, diagonal::Vector{Float64}, scaling::Symbol)
    largest = mapreduce(abs, max, diagonal)
    for j in eachindex(D)
        size = abs(diagonal[j])
        D[j] = scaling === :more ? max(D[j], sqrt(size)) :
            scaling === :limited && size > 0 ? min(1.0, SENSITIVITY_SPAN * sqrt(size / largest)) : 1.0
        D[j] > 0 && isfinite(D[j]) || (D[j] = 1.0)
    end
    return D
end

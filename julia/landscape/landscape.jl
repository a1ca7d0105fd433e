# What kind of point has been found.
#
#     rounding.jl   how large the rounding errors of a loss, its gradient and its Hessian are at a point
#     picture.jl    gradient and spectrum at a point, each with the level below which it cannot be told from zero
#     flat.jl       the loss along the directions that are flat to second order
#     infinity.jl   parameters that run away while the loss still falls
#     neurons.jl    the neurons that a direction is about
#     classify.jl   minimum, saddle, degenerate, at infinity or not critical
#     settled.jl    whether a run that met its tolerance has arrived

include("rounding.jl")
include("picture.jl")
include("flat.jl")
include("infinity.jl")
include("neurons.jl")
include("classify.jl")
include("settled.jl")

export classify, Classification

# Infinite data: the loss of a student against a teacher, both with one hidden layer, over all Gaussian inputs.
#
#   inputs.jl      mean and covariance of the inputs, as a linear map of the first layer's parameters
#   net.jl         NetI: what users make
#   objective.jl   value and gradient; hessian.jl: Hessian and products
#   functions.jl   loss, gradient, ..., train of a NetI; exact/: polish and certify; found.jl: classify; names.jl: how older scripts make one

include("inputs.jl")
include("net.jl")
include("objective.jl")
include("hessian.jl")
include("functions.jl")
include("exact/exact.jl")
include("found.jl")
include("names.jl")

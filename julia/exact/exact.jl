# The loss as a mathematical function of the data, beyond Float64: in double-double arithmetic, or with every error bounded.
#
#     jets.jl        activations with three derivatives, and their bounds over a ball
#     exact_loss.jl  the function and the scratch memory of its evaluation
#     passes.jl      one sample through the network and back
#     penalties.jl   maxnorm and merge
#     gradient.jl    value and gradient
#     hessian.jl     second derivatives
#     polish.jl      Newton's method to twice the digits of Float64

include("jets.jl")
include("exact_loss.jl")
include("passes.jl")
include("penalties.jl")
include("gradient.jl")
include("hessian.jl")
include("polish.jl")

# The loss on infinite data as a mathematical function, beyond Float64, where expectations have closed forms: relu, sigmoid2,
# normal_cdf, exp and polynomials, with each other.
#
#     orthant.jl      Owen's T, and the probability that two Gaussian variables are positive with its derivatives
#     activations.jl  what has a closed form
#     single.jl       expectations of one neuron
#     pair.jl         expectations of two neurons; parallel.jl: of two parallel relu neurons
#     loss.jl         the function, and where the neurons are
#     gradient.jl     value and gradient
#     hessian.jl      second derivatives
#     found.jl        polish and certify
#
# Two neurons see Gaussian z1, z2 of means m1, m2 and covariances C11, C12, C22. Everything follows from the expectations
# F[i, j] = E[f^(i)(z1) g^(j)(z2)]: these are derivatives of F[0, 0] with respect to the means, and by the heat equation
# dF/dC11 = F[2, 0]/2, dF/dC12 = F[1, 1], dF/dC22 = F[0, 2]/2 (R. Price, IRE Trans. Inf. Theory 4 (1958) 69-72). The gradient
# of the loss needs i + j <= 2, its Hessian i + j <= 4. The arithmetic is double-double, or that of balls over a box.

include("orthant.jl")
include("activations.jl")
include("single.jl")
include("pair.jl")
include("parallel.jl")
include("loss.jl")
include("gradient.jl")
include("hessian.jl")
include("found.jl")

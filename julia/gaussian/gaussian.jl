# Expectations of one and of two functions of Gaussian variables, with what their derivatives need.
#
#   moments.jl    what an evaluator of a pair of neurons returns, and why in that form
#   legendre.jl, owen.jl         Gauss-Legendre nodes; Owen's T and the bivariate normal distribution
#   profile.jl    what is known about an activation: its kind, its kinks, where it must be looked at closely
#   single.jl     one neuron; neuron.jl: one neuron in a network, with its Hermite coefficients when they are wanted
#   polynomial.jl  polynomials; closed.jl     pairs of relu, sigmoid2 and normal_cdf; exponential.jl: exp with anything
#   mehler.jl     pairs by their Hermite coefficients, with an estimate of the error
#   parallel.jl  parallel neurons, by a rule on a line
#   nested.jl     any pair, by two nested rules of panels that break at kinks and steep places
#   pair.jl       the choice between them

include("legendre.jl")
include("owen.jl")
include("moments.jl")
include("profile.jl")
include("rules.jl")
include("single.jl")
include("neuron.jl")
include("polynomial.jl")
include("closed.jl")
include("closed_cdf.jl")
include("exponential.jl")
include("mehler.jl")
include("parallel.jl")
include("nested.jl")
include("pair.jl")

"""
MLPFlow: multi-layer perceptrons as mathematical objects. Exact losses, gradients and Hessians in Float64, gradient
flow to known accuracy, and second-order optimization to true minima, with the standard library alone.
"""
module MLPFlow

using CRC32c
using LinearAlgebra
using Mmap
using Random

include("../julia/compat.jl")
include("../julia/status.jl")
include("../julia/math/math.jl")
include("../julia/network/network.jl")
include("../julia/objective/objective.jl")
include("../julia/quadrature/quadrature.jl")
include("../julia/gaussian/gaussian.jl")
include("../julia/io/io.jl")
include("../julia/checkpoint.jl")
include("../julia/flow/flow.jl")
include("../julia/dynamics/dynamics.jl")
include("../julia/optimize/optimize.jl")
include("../julia/exact/exact.jl")
include("../julia/certify/certify.jl")
include("../julia/progress.jl")
include("../julia/fingerprint.jl")
include("../julia/resume.jl")
include("../julia/train.jl")
include("../julia/landscape/landscape.jl")
include("../julia/infinite/infinite.jl")
include("../julia/starts.jl")
include("../julia/show.jl")
include("../julia/bridge/bridge.jl")

export Net, TeacherNet, Params, params, params2dict, random_params, glorot_normal, glorot_uniform
export MSE, CrossEntropy, loss, gradient, gradient!, value_and_gradient, hessian, hessian!, hessian_spectrum
export hvp, hvp!, residuals, residuals!, jacobian, jacobian!, gauss_newton, gauss_newton!, gauss_newton_product,
       gauss_newton_product!
export sigmoid, relu, softplus, gelu, silu, selu, square, cube, g, sigmoid2, normal_cdf, Poly, UserActivation
export AbstractObjective, FunctionObjective, ResidualObjective, NetObjective, isleastsquares, nresiduals, nparams, value, value_gradient!, value_gradient_hessian!
export NetI, InfiniteObjective, load_potential_approximator, evaluators
export train, run_training
export NormalIntegral, IntegralEstimate, gauss_hermite_net, integration_error, integration_estimate
export polish, Polished, certify, Certificate, DoubleDouble
export pickle, unpickle
export status_message, NoMonitor

end

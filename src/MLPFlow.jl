"""
MLPFlow: multi-layer perceptrons as mathematical objects. Exact losses, gradients and Hessians in Float64, gradient
flow to known accuracy, and second-order optimization to true minima, with the standard library alone.
"""
module MLPFlow

using LinearAlgebra
using Mmap
using Random

const ENGINE = joinpath(@__DIR__, "..", "julia")

include("../julia/status.jl")
include("../julia/objective/interface.jl")
for part in ("flow/flow.jl", "optimize/optimize.jl", "io/io.jl")
    isfile(joinpath(ENGINE, part)) && include(joinpath(ENGINE, part))
end

export AbstractObjective, FunctionObjective, nparams, value, gradient!, value_gradient!, hessian!,
       value_gradient_hessian!, status_message, NoMonitor
end

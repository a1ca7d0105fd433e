include("exp.jl")
include("logistic.jl")
include("erf.jl")

# Elementary functions without branches, so that LLVM turns a loop over samples into vector code: Float64 and Float32.
# A method for any other `Real` (BigFloat, integers) falls back on Base.
include("vectorized.jl")
include("floats.jl")
include("coefficients.jl")
include("exp.jl")
include("log.jl")
include("logistic.jl")
include("erf.jl")
include("quantile.jl")
include("double_double/double_double.jl")

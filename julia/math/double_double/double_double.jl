# Arithmetic beyond Float64: double-double numbers, and balls with a double-double centre.
include("error_free.jl")
include("arithmetic.jl")
include("conversion.jl")
include("ball.jl")
include("roots.jl")
include("exponential.jl")
include("normal.jl")
include("trigonometric.jl")

# Where Pkg.test looks: every Julia test, with Julia's standard library alone.
#     julia --project=. -e 'using Pkg; Pkg.test()'
include(joinpath(@__DIR__, "..", "tests", "julia", "runtests.jl"))

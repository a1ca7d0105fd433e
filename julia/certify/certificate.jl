# What a certificate says.

"""
    Certificate

What [`certify`](@ref) has proved, or why it has proved nothing. Norms are infinity norms.

- `proved::Bool`; `reason`: one sentence
- `x`, `low`: the centre x + low (length P): the given point, polished
- `radius`: exactly one critical point lies within `radius` of the centre
- `error`: and it lies within `error` of the centre; `distance`: and within `distance` of the given point
- `index`: the number of negative eigenvalues of its Hessian; `kind`: `:minimum` (index 0), `:saddle` or `:maximum` (index P)
- `eigenvalues_lower`, `eigenvalues_upper`: bounds of the eigenvalues of its Hessian, ascending, each of length P
- `smallest`: a lower bound of the smallest |eigenvalue|
- `contraction`: the factor below 1 by which Newton's simplified map contracts the largest ball proved
- `gnorm`: a bound of the gradient norm at the centre

All but `proved`, `reason`, `x` and `low` are `NaN`, -1, `:none` or empty when nothing is proved.
"""
struct Certificate
    proved::Bool
    reason::String
    x::Vector{Float64}
    low::Vector{Float64}
    radius::Float64
    error::Float64
    distance::Float64
    index::Int
    kind::Symbol
    eigenvalues_lower::Vector{Float64}
    eigenvalues_upper::Vector{Float64}
    smallest::Float64
    contraction::Float64
    gnorm::Float64
end

Base.show(io::IO, c::Certificate) = print(io, "Certificate(", c.proved ? "proved: " : "not proved: ", c.reason, ")")

refusal(x::Vector{Float64}, reason::String) = refusal(map(DoubleDouble, x), reason)

refusal(x::Vector{DoubleDouble}, reason::String) =
    Certificate(false, reason, map(leading, x), [xi.lo for xi in x], NaN, NaN, NaN, -1, :none, Float64[], Float64[], NaN, NaN, NaN)

kind_of(index::Int, P::Int) = index == 0 ? :minimum : index == P ? :maximum : :saddle

# The smallest |eigenvalue| that the bounds allow; 0 when one of them does not exclude 0.
smallest_eigenvalue(lower, upper) = minimum(max(0.0, l, -u) for (l, u) in zip(lower, upper))

shown(x::Float64) = string(round(x; sigdigits = 3))

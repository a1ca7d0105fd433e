# Second-order forward differentiation for the tests: a number that carries its gradient and its Hessian with respect to some
# variables, in any real type. Slow, short, and independent of the engine.

module Jets

export Jet, variables

"""
    Jet(value, gradient, hessian)

The hessian is 0 x 0 when only gradients are wanted.
"""
struct Jet{T<:Real}
    v::T
    g::Vector{T}
    H::Matrix{T}
end

"The variables x as jets."
function variables(x::AbstractVector{T}; second::Bool = true) where {T}
    n = length(x)
    return [Jet(x[i], T[j == i for j in 1:n], zeros(T, second ? n : 0, second ? n : 0)) for i in 1:n]
end

# f(a) with its first two derivatives at a.v.
chain(a::Jet, f, d1, d2) = Jet(f, d1 .* a.g, isempty(a.H) ? a.H : d1 .* a.H .+ d2 .* a.g .* a.g')

Base.:+(a::Jet, b::Jet) = Jet(a.v + b.v, a.g .+ b.g, a.H .+ b.H)
Base.:-(a::Jet, b::Jet) = Jet(a.v - b.v, a.g .- b.g, a.H .- b.H)
Base.:*(a::Jet, b::Jet) = Jet(a.v * b.v, a.v .* b.g .+ b.v .* a.g,
                              isempty(a.H) ? a.H : a.v .* b.H .+ b.v .* a.H .+ a.g .* b.g' .+ b.g .* a.g')
Base.:/(a::Jet, b::Jet) = a * inv(b)
Base.:-(a::Jet) = Jet(-a.v, -a.g, -a.H)
Base.:+(a::Jet, c::Real) = Jet(a.v + c, a.g, a.H)
Base.:+(c::Real, a::Jet) = a + c
Base.:-(a::Jet, c::Real) = a + (-c)
Base.:-(c::Real, a::Jet) = c + (-a)
Base.:*(a::Jet{T}, c::Real) where {T} = Jet(a.v * T(c), a.g .* T(c), a.H .* T(c))
Base.:*(c::Real, a::Jet) = a * c
Base.:/(a::Jet{T}, c::Real) where {T} = Jet(a.v / T(c), a.g ./ T(c), a.H ./ T(c))
Base.:/(c::Real, a::Jet) = c * inv(a)
Base.inv(a::Jet) = chain(a, 1 / a.v, -1 / a.v^2, 2 / a.v^3)
Base.literal_pow(::typeof(^), a::Jet, ::Val{2}) = a * a
Base.literal_pow(::typeof(^), a::Jet, ::Val{3}) = a * a * a
Base.exp(a::Jet) = (e = exp(a.v); chain(a, e, e, e))
Base.log(a::Jet) = chain(a, log(a.v), 1 / a.v, -1 / a.v^2)
Base.sqrt(a::Jet) = (r = sqrt(a.v); chain(a, r, 1 / 2r, -1 / (4 * r^3)))
Base.sin(a::Jet) = ((s, c) = sincos(a.v); chain(a, s, c, -s))
Base.cos(a::Jet) = ((s, c) = sincos(a.v); chain(a, c, -s, -c))
Base.abs(a::Jet) = chain(a, abs(a.v), sign(a.v), zero(a.v))
Base.atan(a::Jet) = (q = 1 + a.v^2; chain(a, atan(a.v), 1 / q, -2 * a.v / q^2))
Base.isless(a::Jet, c::Real) = a.v < c
Base.isless(c::Real, a::Jet) = c < a.v
Base.zero(a::Jet) = Jet(zero(a.v), zero(a.g), zero(a.H))

end

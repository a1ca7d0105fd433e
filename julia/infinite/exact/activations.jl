# Activations whose expectations under Gaussian inputs have closed forms.

"""
    ClosedForm

How an activation enters closed forms: `Cumulative(scale, mean)` for mean + scale (normal_cdf - 1/2), `Rectified()` for relu,
`Exponential()`, `Polynomial(coefficients)`.
"""
abstract type ClosedForm end

struct Cumulative <: ClosedForm
    scale::Float64
    mean::Float64
end

struct Rectified <: ClosedForm end
struct Exponential <: ClosedForm end

struct Polynomial <: ClosedForm
    coefficients::Vector{Float64}
end

# The integers in derivatives of z^n are Float64 numbers up to here.
const HIGHEST_DEGREE = 20

closed_form(::typeof(sigmoid2)) = Cumulative(2.0, 0.0)
closed_form(::typeof(normal_cdf)) = Cumulative(1.0, 0.5)
closed_form(::typeof(relu)) = Rectified()
closed_form(::typeof(exp)) = Exponential()
closed_form(f::Union{typeof(identity),typeof(square),typeof(cube)}) = Polynomial(polynomial_coefficients(f))
closed_form(f::Poly{N}) where {N} = N <= HIGHEST_DEGREE + 1 ? Polynomial(polynomial_coefficients(f)) : nothing
closed_form(f) = nothing

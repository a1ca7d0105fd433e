# What differs between the two hardware formats, and the evaluation of a polynomial.

const Hardware = Union{Float32,Float64}

const INV_SQRT_2PI = 0.3989422804014327

@inline mantissa_bits(::Type{Float64}) = 52
@inline mantissa_bits(::Type{Float32}) = 23
@inline exponent_bias(::Type{Float64}) = 1023
@inline exponent_bias(::Type{Float32}) = 127

@inline to_bits(x::Float64) = reinterpret(Int64, x)
@inline to_bits(x::Float32) = reinterpret(Int32, x)

# `x` with the lower half of its significand cut off: the square of what is left is exact.
@inline upper_half(x::Float64) = reinterpret(Float64, reinterpret(UInt64, x) & 0xfffffffff8000000)
@inline upper_half(x::Float32) = reinterpret(Float32, reinterpret(UInt32, x) & 0xfffff000)

# ln 2 in two parts; the upper one has so few digits that its product with any exponent is exact.
@inline ln2_high(::Type{Float64}) = 0.6931471803691238
@inline ln2_low(::Type{Float64}) = 1.9082149292705877e-10
@inline ln2_high(::Type{Float32}) = 0.693359375f0
@inline ln2_low(::Type{Float32}) = -0.00021219444f0

"""
    polynomial(x, (c0, c1, ...))

c0 + x (c1 + c2 x + ...), the bracket by Estrin's scheme: a Horner chain waits for itself, and a processor looks ahead only
a few vectors. c0 comes last, so that where it dominates the rounding errors of all the rest count little.
"""
@generated function polynomial(x, c::NTuple{N,Any}) where {N}
    terms = Any[:(c[$i]) for i in 2:N]
    body = Any[]
    power = :x
    while length(terms) > 1
        paired = Any[]
        for i in 1:2:length(terms)-1
            push!(paired, gensym())
            push!(body, :($(paired[end]) = muladd($power, $(terms[i+1]), $(terms[i]))))
        end
        isodd(length(terms)) && push!(paired, terms[end])
        terms = paired
        if length(terms) > 1
            square = gensym()
            push!(body, :($square = $power * $power))
            power = square
        end
    end
    return Expr(:block, Expr(:meta, :inline), body..., :(muladd(x, $(terms[1]), c[1])))
end

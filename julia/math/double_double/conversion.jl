# Double-double numbers from and to other types, and as text.

DoubleDouble(x::DoubleDouble) = x
DoubleDouble(x::Union{Float32,Float16}) = DoubleDouble(Float64(x))

function DoubleDouble(x::BigFloat)
    hi = Float64(x)
    isfinite(hi) || return DoubleDouble(hi, 0.0)
    return DoubleDouble(hi, Float64(x - hi))
end

# 1100 bits hold every integer within the range of Float64.
DoubleDouble(x::Integer) = -2^53 <= x <= 2^53 ? DoubleDouble(Float64(x)) : from_big(x)
DoubleDouble(x::Union{Rational,AbstractIrrational}) = from_big(x)

from_big(x) = setprecision(() -> DoubleDouble(BigFloat(x)), BigFloat, 1100)

Base.Float64(x::DoubleDouble) = x.hi
Base.Float32(x::DoubleDouble) = Float32(x.hi)
Base.BigFloat(x::DoubleDouble) = BigFloat(x.hi) + BigFloat(x.lo)

Base.promote_rule(::Type{DoubleDouble}, ::Type{<:Union{Float16,Float32,Float64,Integer,Rational,AbstractIrrational}}) = DoubleDouble
Base.promote_rule(::Type{DoubleDouble}, ::Type{BigFloat}) = BigFloat

"""
    decimal(x::BigFloat, digits::Integer) -> String

`x` rounded to so many significant digits (at least 1), in scientific notation.
"""
function decimal(x::BigFloat, digits::Integer)
    isfinite(x) || return string(Float64(x))
    iszero(x) && return "0"
    return setprecision(BigFloat, precision(x) + 1200) do
        mantissa, exponent = decimal_mantissa(x, digits)
        text = string(mantissa)
        fraction = digits > 1 ? "." * text[2:end] : ""
        return (x < 0 ? "-" : "") * text[1:1] * fraction * (exponent == 0 ? "" : "e$exponent")
    end
end

# |x| = mantissa 10^(exponent - digits + 1), rounded, with exactly so many digits. The logarithm may be off by one.
function decimal_mantissa(x::BigFloat, digits::Integer)
    exponent = floor(Int, log10(abs(x)))
    while true
        mantissa = round(BigInt, abs(x) * big(10.0)^(digits - 1 - exponent))
        mantissa < big(10)^(digits - 1) && (exponent -= 1; continue)
        mantissa < big(10)^digits && return mantissa, exponent
        exponent += 1
    end
end

decimal(x::DoubleDouble, digits::Integer) = setprecision(() -> decimal(BigFloat(x), digits), BigFloat, 2200)

Base.show(io::IO, x::DoubleDouble) = print(io, "DoubleDouble(", decimal(x, 32), ")")

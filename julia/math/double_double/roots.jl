# Square roots of balls.

const ROOT_ERROR = 5 * U2

"""
    root(x)

The square root of a double-double number, or of a ball of positive numbers: |sqrt(y) - sqrt(m)| = |y - m|/(sqrt(y) + sqrt(m)).
Anything else is `NaN`.
"""
@inline function root(x::Ball)
    least = mignitude(x)
    least > 1e-200 && x.mid.hi > 0 || return Ball(DoubleDouble(NaN), Inf)
    mid = sqrt(x.mid)
    return Ball(mid, upward(x.rad / (sqrt(least) + mid.hi * (1 - 2 * eps())) + ROOT_ERROR * mid.hi))
end

@inline root(x::DoubleDouble) = x.hi >= 0 ? sqrt(x) : DoubleDouble(NaN)

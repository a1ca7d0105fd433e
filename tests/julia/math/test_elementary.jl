# The elementary functions and the activations' derivatives against 160-bit BigFloat, in units in the last place, at a
# million points: Float64 and Float32, evaluated in the vectorized loops in which they are used.
using InteractiveUtils
using Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

exact_sigmoid(x) = (e = exp(-abs(x)); (x < 0 ? e : one(x)) / (1 + e))
exact_sigmoid1(x) = (e = exp(-abs(x)); e / (1 + e)^2)
exact_sigmoid2(x) = (e = exp(-abs(x)); sign(x) * expm1(-abs(x)) * e / (1 + e)^3)
exact_softplus(x) = max(x, 0) + log1p(exp(-abs(x)))
exact_tanh1(x) = 4 * exact_sigmoid1(2x)
exact_pdf(x) = exp(-x^2 / 2) / sqrt(2 * big(pi))
exact_growth() = big(1.05070098) * big(1.67326324)

nth(f, n) = x -> MLPFlow.derivatives(f, x)[n]

# (name, ours, exact, bound in ulp[, the size of the terms of a sum that can cancel: the error is then relative to it]).
# The functions themselves: 2 ulp. Derivatives are products of up to four rounded factors.
const ELEMENTARY = (
    ("exp", MLPFlow.vexp, exp, 1.1), ("expm1", MLPFlow.vexpm1, expm1, 2), ("log", MLPFlow.vlog, log, 1.1),
    ("log1p", MLPFlow.vlog1p, log1p, 1.1), ("sigmoid", nth(sigmoid, 1), exact_sigmoid, 2),
    ("sigmoid'", nth(sigmoid, 2), exact_sigmoid1, 2.2), ("sigmoid''", nth(sigmoid, 3), exact_sigmoid2, 4),
    ("softplus", nth(softplus, 1), exact_softplus, 2), ("softplus'", nth(softplus, 2), exact_sigmoid, 2),
    ("softplus''", nth(softplus, 3), exact_sigmoid1, 2.2), ("tanh", nth(tanh, 1), tanh, 2),
    ("tanh'", nth(tanh, 2), exact_tanh1, 2.2), ("tanh''", nth(tanh, 3), x -> -2 * tanh(x) * exact_tanh1(x), 4),
    ("silu", nth(silu, 1), x -> x * exact_sigmoid(x), 2),
    ("silu'", nth(silu, 2), x -> exact_sigmoid(x) + x * exact_sigmoid1(x), 3,
     x -> exact_sigmoid(x) + abs(x) * exact_sigmoid1(x)),
    ("silu''", nth(silu, 3), x -> 2 * exact_sigmoid1(x) + x * exact_sigmoid2(x), 5,
     x -> 2 * exact_sigmoid1(x) + abs(x * exact_sigmoid2(x))),
    ("erf", MLPFlow.verf, Reference.bigerf, 2), ("erfc", MLPFlow.verfc, Reference.bigerfc, 2),
    ("normal_cdf", nth(normal_cdf, 1), Reference.cdf, 2), ("normal_pdf", MLPFlow.vnormal_pdf, exact_pdf, 2),
    ("normal_cdf''", nth(normal_cdf, 3), x -> -x * exact_pdf(x), 2.2),
    ("sigmoid2", nth(sigmoid2, 1), Reference.ACTIVATIONS["sigmoid2"], 2),
    ("gelu", nth(gelu, 1), Reference.ACTIVATIONS["gelu"], 2),
    ("gelu'", nth(gelu, 2), x -> Reference.cdf(x) + x * exact_pdf(x), 2.5, x -> Reference.cdf(x) + abs(x) * exact_pdf(x)),
    ("gelu''", nth(gelu, 3), x -> (2 - x^2) * exact_pdf(x), 3, x -> (2 + x^2) * exact_pdf(x)),
    ("selu", nth(selu, 1), x -> x > 0 ? big(1.05070098) * x : exact_growth() * expm1(x), 2.1),
    ("selu'", nth(selu, 2), x -> x > 0 ? big(1.05070098) : exact_growth() * exp(x), 2),
    ("g", nth(g, 1), x -> exact_sigmoid(4x) + exact_softplus(x), 2.2),
    ("g'", nth(g, 2), x -> 4 * exact_sigmoid1(4x) + exact_sigmoid(x), 2.7),
    ("g''", nth(g, 3), x -> 16 * exact_sigmoid2(4x) + exact_sigmoid1(x), 5,
     x -> 16 * abs(exact_sigmoid2(4x)) + exact_sigmoid1(x)))

# Everyday arguments, those where results are subnormal, tiny and huge ones, and the middle where formulas change.
function sample_arguments(T, n, rng)
    double = T === Float64
    sign = rand(rng, (-1, 1), n)
    return T.(vcat(randn(rng, n), 5 .* randn(rng, n), 2 .* rand(rng, n) .- 1, (double ? 80 : 30) .* (rand(rng, n) .- 0.5),
                   (double ? 1500 : 220) .* (rand(rng, n) .- 0.5), sign .* 10.0 .^ (-(double ? 320 : 44) .* rand(rng, n))))
end

function evaluate!(out, f::F, xs) where {F}
    @inbounds MLPFlow.@vectorized for i in eachindex(xs)
        out[i] = f(xs[i])
    end
    return out
end

"""The largest error in units in the last place of the exact value, and where it is; results beyond the range passed over."""
function worst_ulp(f, exact, xs::Vector{T}, terms) where {T}
    ys, worst, at = evaluate!(similar(xs), f, xs), 0.0, first(xs)
    for (x, y) in zip(xs, ys)
        b = big(x)
        (f === MLPFlow.vlog && x <= 0 || f === MLPFlow.vlog1p && x <= -1) && continue
        value = exact(b)
        isinf(T(value)) && continue
        error = abs(y - value) / eps(terms === nothing ? T(value) : T(terms(b)))
        (error <= worst) || ((worst, at) = (Float64(error), x))
    end
    return worst, at
end

@testset "units in the last place, $T" for T in (Float64, Float32)
    setprecision(BigFloat, 160) do
        for (k, entry) in enumerate(ELEMENTARY)
            name, f, exact, bound = entry
            xs = sample_arguments(T, 2800, MersenneTwister(k))
            error, x = worst_ulp(f, exact, xs, length(entry) > 4 ? entry[5] : nothing)
            error <= bound || @error "$name is off by $error ulp at x = $x, allowed are $bound"
            @test error <= bound
        end
    end
end

@testset "log1p on the unit interval, $T" for T in (Float64, Float32)
    xs = rand(MersenneTwister(5), T, 10_000)
    @test worst_ulp(MLPFlow.vlog1p_unit, log1p, xs, nothing)[1] <= 2
end

# (function, at -Inf, at Inf, at 0)
const LIMITS = ((MLPFlow.vexp, 0, Inf, 1), (MLPFlow.vexpm1, -1, Inf, 0), (MLPFlow.vtanh, -1, 1, 0), (MLPFlow.vsigmoid, 0, 1, 0.5),
                (MLPFlow.vsoftplus, 0, Inf, log(2)), (MLPFlow.verf, -1, 1, 0), (MLPFlow.verfc, 2, 0, 1), (silu, 0, Inf, 0),
                (MLPFlow.vnormal_cdf, 0, 1, 0.5), (MLPFlow.vnormal_pdf, 0, 0, 1 / sqrt(2pi)), (gelu, 0, Inf, 0),
                (sigmoid2, -1, 1, 0))

@testset "infinities, zeros and NaN, $T" for T in (Float64, Float32)
    for (f, at_minus, at_plus, at_zero) in LIMITS
        @test f(T(-Inf)) == T(at_minus) && f(T(Inf)) == T(at_plus) && f(T(0)) ≈ T(at_zero)
        @test f(floatmax(T)) == f(T(Inf)) || at_plus == Inf
        @test isnan(f(T(NaN))) && f(T(1)) isa T
    end
    for f in (MLPFlow.vtanh, MLPFlow.verf, MLPFlow.vexpm1, MLPFlow.vlog1p, sigmoid2, silu, gelu)
        @test signbit(f(T(-0.0))) && !signbit(f(T(0)))
    end
    @test MLPFlow.vexp(T(1000)) == Inf && MLPFlow.vexp(T(-1000)) == 0
    @test MLPFlow.vlog(T(0)) == -Inf && MLPFlow.vlog(T(Inf)) == Inf
    @test isnan(MLPFlow.vlog(T(-1))) && isnan(MLPFlow.vlog(T(NaN)))
    @test MLPFlow.vlog1p(T(-1)) == -Inf && MLPFlow.vlog1p(T(Inf)) == Inf && isnan(MLPFlow.vlog1p(T(-2)))
    @test MLPFlow.vlog(nextfloat(T(0))) ≈ log(nextfloat(T(0)))
end

@testset "other number types" begin
    for (f, base) in ((MLPFlow.vexp, exp), (MLPFlow.vexpm1, expm1), (MLPFlow.vlog, log), (MLPFlow.vlog1p, log1p),
                      (MLPFlow.vtanh, tanh))
        @test f(big(0.3)) == base(big(0.3))
        @test f(2) ≈ base(2)
    end
    @test MLPFlow.verf(1) ≈ Reference.bigerf(big(1.0)) && selu(-1) ≈ selu(-1.0) && g(1) ≈ g(1.0)
end

function all_derivatives!(f::F, a, d1, d2, xs) where {F}
    @inbounds MLPFlow.@vectorized for i in eachindex(xs)
        a[i], d1[i], d2[i] = MLPFlow.derivatives(f, xs[i])
    end
end

function machine_code(f, T)
    io, V = IOBuffer(), Vector{T}
    code_llvm(io, all_derivatives!, Tuple{typeof(f),V,V,V,V}; debuginfo = :none)
    return String(take!(io))
end

@testset "loops become vector code" begin
    for f in MLPFlow.BUILTIN_ACTIVATIONS, (T, name) in ((Float64, "double"), (Float32, "float"))
        vectorized = occursin(Regex("<\\d+ x $name>"), machine_code(f, T))
        vectorized || @error "$f in $T is not vectorized"
        @test vectorized
    end
end

@testset "the vectorized macro takes every turn once" begin
    for n in (0, 1, 7, 63, 64, 65, 200)
        counts = zeros(n + 2)
        MLPFlow.@vectorized for i in 2:n+1
            counts[i] += 1
        end
        @test counts == [0; ones(n); 0]
    end
    @test_throws Exception macroexpand(@__MODULE__, :(MLPFlow.@vectorized while true end))
end

# The elementary functions against BigFloat, in units in the last place.
using Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

"""The largest error of `f` over `xs` in units in the last place of the exact value, and where it is."""
function worst_ulp(f, exact, xs)
    errors = [(y = exact(big(x)); Float64(abs(big(f(x)) - y) / big(eps(Float64(y))))) for x in xs]
    worst = argmax(errors)
    return errors[worst], xs[worst]
end

function within(name, f, exact, xs, bound)
    error, x = worst_ulp(f, exact, xs)
    error <= bound || @error "$name is off by $error ulp at x = $x, allowed are $bound"
    return error <= bound
end

@testset "elementary functions within a few ulp" begin
    rng = MersenneTwister(1)
    n = 3000
    xs = vcat(5 .* randn(rng, n), 1480 .* (rand(rng, n) .- 0.5), 1e-3 .* randn(rng, n), 1e-10 .* randn(rng, n), 3 .* (rand(rng, n) .- 0.5))
    moderate = filter(x -> abs(x) < 340, xs)
    ref = Reference
    @test within("exp", MLPFlow.vexp, exp, filter(x -> x < 709, xs), 1)
    @test within("exp with subnormal results", MLPFlow.vexp, exp, -708 .- 38 .* rand(rng, n), 1)
    @test within("log1p", MLPFlow.vlog1p_unit, log1p, vcat(rand(rng, n), 10.0 .^ (-300 .* rand(rng, n)), 0.414 .+ 1e-3 .* rand(rng, n)), 2)
    @test within("tanh", MLPFlow.vtanh, tanh, xs, 3)
    @test within("tanh'", x -> MLPFlow.vtanh_d2(x)[2], x -> sech(x)^2, moderate, 5)
    @test within("sigmoid", MLPFlow.vsigmoid, ref.logistic, moderate, 2)
    @test within("sigmoid'", x -> MLPFlow.vsigmoid_d2(x)[2], x -> exp(-abs(x)) / (1 + exp(-abs(x)))^2, filter(x -> abs(x) < 700, xs), 5)
    @test within("softplus", MLPFlow.vsoftplus, ref.ACTIVATIONS["softplus"], xs, 2)
    erfs = vcat(randn(rng, n), 3 .* randn(rng, n), 26 .* rand(rng, n), -10 .* rand(rng, n), 1e-5 .* randn(rng, n), 0.4 .+ 0.4 .* rand(rng, n))
    @test within("erf", MLPFlow.verf, ref.bigerf, erfs, 2)
    @test within("erfc", MLPFlow.verfc, ref.bigerfc, erfs, 4)
    @test within("normal_cdf", MLPFlow.vnormal_cdf, ref.cdf, filter(x -> x > -36, 5 .* erfs), 5)
    @test within("normal_pdf", MLPFlow.vnormal_pdf, x -> exp(-x^2 / 2) / sqrt(2 * big(pi)), filter(x -> abs(x) < 37, 5 .* erfs), 4)
end

@testset "infinities, zeros and NaN" begin
    for (f, at_minus, at_plus, at_zero) in ((MLPFlow.vexp, 0.0, Inf, 1.0), (MLPFlow.vtanh, -1.0, 1.0, 0.0), (MLPFlow.vsigmoid, 0.0, 1.0, 0.5),
                                            (MLPFlow.vsoftplus, 0.0, Inf, log(2)), (MLPFlow.verf, -1.0, 1.0, 0.0),
                                            (MLPFlow.verfc, 2.0, 0.0, 1.0), (MLPFlow.vnormal_cdf, 0.0, 1.0, 0.5), (MLPFlow.vnormal_pdf, 0.0, 0.0, 1 / sqrt(2pi)))
        @test f(-Inf) == at_minus && f(Inf) == at_plus && f(0.0) ≈ at_zero
        @test isnan(f(NaN))
    end
    @test signbit(MLPFlow.vtanh(-0.0)) && signbit(MLPFlow.verf(-0.0))
end

# Expectations of pairs against a table made with mpmath (scripts/gaussian_golden.py), and what the table does not hold.
using Test

const G = MLPFlow
moments(M) = vcat(M.h00, M.h10, M.h20, M.h11)
golden_activation(name) = name == "poly" ? Poly(0.5, -0.25, 0.125, 0.0625) : G.activation(name)

function placed(f, m, r)
    return G.place!(G.GaussianNeuron(f isa G.Profile ? f : G.Profile(f)), Float64(m), Float64(r))
end

pair_values(scratch, a, b, rho, s, order = 2) = (M = G.PairMoments(); G.pair_moments!(M, scratch, a, b, rho, s, order))

# Rounding of a sum: what vanishes by symmetry, such as E[f' eta] of a cube with a norm of 100, is a sum of terms as large as the
# other numbers of its pair.
rounding(expected) = 4 * eps() * maximum(abs, expected)

# Closed forms 1e-13, smooth pairs 1e-12, kinked ones without a closed form 1e-10: absolute, or relative where the number exceeds 1.
function golden_tolerance(method, f, g)
    method === :closed && return 1e-13
    return f in ("relu", "selu") || g in ("relu", "selu") ? 1e-10 : 1e-12
end

@testset "golden table" begin
    profiles = Dict{String,Any}()
    profile(name) = get!(() -> G.Profile(golden_activation(name)), profiles, name)
    scratch = G.GaussianScratch()
    methods, rows = Set{Symbol}(), 0
    for line in eachline(joinpath(@__DIR__, "..", "..", "golden", "gaussian_pairs.tsv"))
        fields = split(line, '\t')
        f, g = String.(fields[1:2])
        r1, b1, r2, b2, u = parse.(Float64, fields[3:7])
        expected = parse.(Float64, fields[8:end])
        a, b = placed(profile(f), b1, r1), placed(profile(g), b2, r2)
        s = sqrt((1 - u) * (1 + u))
        M = pair_values(scratch, a, b, u, s)
        errors = max.(abs.(moments(M) .- expected) .- rounding(expected), 0) ./ max.(1, abs.(expected))
        allowed = golden_tolerance(M.method, f, g)
        ok = maximum(errors) <= allowed
        ok || @error "$f, $g by $(M.method): $(maximum(errors)), allowed $allowed" r1 b1 r2 b2 u index = argmax(errors)
        @test ok
        first_order = pair_values(scratch, a, b, u, s, 1)
        @test isapprox(moments(first_order)[1:4], expected[1:4]; atol = allowed + rounding(expected), rtol = allowed)
        push!(methods, M.method)
        rows += 1
    end
    @test rows >= 100
    @test issubset((:closed, :exponential, :line, :hermite, :nested), methods)
end

@testset "Owen's T and the bivariate normal distribution" begin
    @test G.owen_t(0.0625, 0.025) ≈ 0.003970281304296922 rtol = 1e-15          # the reference's golden value
    @test G.owen_t(1.3, 1.0) ≈ G.vnormal_cdf(1.3) * G.vnormal_cdf(-1.3) / 2 rtol = 1e-15
    @test G.owen_t(0.7, -2.5) == -G.owen_t(0.7, 2.5) == -G.owen_t(-0.7, 2.5)
    @test G.owen_t(0.0, 3.0) ≈ atan(3.0) / (2 * pi)
    @test G.owen_t(0.7, Inf) ≈ G.vnormal_cdf(-0.7) / 2 rtol = 1e-15
    @test isnan(G.owen_t(NaN, 1.0))
    for rho in (-1.0, -0.3, 0.0, 0.8, 1.0)
        @test G.bivariate_normal_cdf(0, 0, rho) ≈ 0.25 + asin(rho) / (2 * pi) atol = 1e-15
        @test G.bivariate_normal_cdf(0.4, Inf, rho) ≈ G.vnormal_cdf(0.4)
        @test G.bivariate_normal_cdf(0.4, -1.1, rho) ≈ G.vnormal_cdf(0.4) - G.bivariate_normal_cdf(0.4, 1.1, -rho) atol = 1e-15
    end
    @test G.bivariate_normal_cdf(0.4, -1.1, 0.0) ≈ G.vnormal_cdf(0.4) * G.vnormal_cdf(-1.1) rtol = 1e-14
    @test_throws ArgumentError G.bivariate_normal_cdf(0, 0, 1.5)
end

@testset "closed forms of the literature" begin
    scratch = G.GaussianScratch()
    for (r1, r2, u) in ((1.0, 1.0, 0.5), (0.3, 2.0, -0.9), (2.0, 1.5, 1.0), (1.0, 0.7, -1.0))
        s = sqrt(1 - u^2)
        value(f) = pair_values(scratch, placed(f, 0, r1), placed(f, 0, r2), u, s, 0).h00
        @test value(relu) ≈ r1 * r2 / (2 * pi) * (s + (pi - acos(u)) * u) atol = 1e-15
        @test value(sigmoid2) ≈ 2 / pi * asin(r1 * r2 * u / sqrt((1 + r1^2) * (1 + r2^2))) atol = 1e-15
        @test value(cube) ≈ r1^3 * r2^3 * (6u^3 + 9u) rtol = 1e-14
        @test value(exp) ≈ exp((r1^2 + r2^2 + 2u * r1 * r2) / 2) rtol = 1e-14
    end
end

@testset "powers" begin
    scratch = G.GaussianScratch()
    power(n) = Poly((i == n ? 1.0 : 0.0 for i in 0:n)...)
    moment(n) = prod(Float64.(n-1:-2:1))                  # E x^n for even n
    for (a, b) in ((1, 3), (4, 4), (6, 10), (12, 12), (16, 16), (9, 3))
        @test pair_values(scratch, placed(power(a), 0, 1.0), placed(power(b), 0, 1.0), 1.0, 0.0).h00 ≈ moment(a + b) rtol = 1e-12
    end
    # E x^4 y^4 = 9 + 72 rho^2 + 24 rho^4
    @test pair_values(scratch, placed(power(4), 0, 1.0), placed(power(4), 0, 2.0), 0.5, sqrt(0.75)).h00 ≈ 16 * (9 + 18 + 1.5) rtol = 1e-13
    @test pair_values(scratch, placed(power(16), 0, 1.0), placed(tanh, 0, 0.0), 0.0, 1.0).h10[1] == 0
end

@testset "zero weights and parallel neurons" begin
    scratch = G.GaussianScratch()
    for f in (relu, selu, softplus, sigmoid2, exp, cube), g in (relu, tanh, normal_cdf, square, exp)
        a, b = placed(f, 0.3, 0.0), placed(g, -0.4, 1.2)
        @test all(isfinite, moments(pair_values(scratch, a, b, 0.0, 1.0)))
        near = moments(pair_values(scratch, placed(f, 0.3, 1e-9), b, 0.0, 1.0))
        @test isapprox(moments(pair_values(scratch, a, b, 0.0, 1.0)), near; atol = 1e-7)
        @test all(isfinite, moments(pair_values(scratch, b, placed(f, 0.3, 0.0), 0.0, 1.0)))
        # continuous towards |rho| = 1, but for what has a step on both sides
        for rho in (1.0, -1.0)
            c, d = placed(f, 0.3, 0.8), placed(g, 0.5, 1.1)
            h = 1e-7
            close = moments(pair_values(scratch, c, d, rho * (1 - h^2 / 2), h))
            @test isapprox(moments(pair_values(scratch, c, d, rho, 0.0)), close; atol = 1e-5, rtol = 1e-5)
        end
    end
end

@testset "activations of a user's own" begin
    scratch = G.GaussianScratch()
    same(mine, builtin, other) = begin
        for (rho, s) in ((0.6, 0.8), (1.0, 0.0), (0.99999999, sqrt(1e-8 * 1.99999999)))
            x = moments(pair_values(scratch, placed(mine, 0.2, 1.5), placed(other, -0.3, 0.7), rho, s))
            y = moments(pair_values(scratch, placed(builtin, 0.2, 1.5), placed(other, -0.3, 0.7), rho, s))
            @test isapprox(x, y; atol = 1e-11)
        end
    end
    same(UserActivation("bell", x -> log1p(exp(x)), sigmoid, x -> (y = sigmoid(x); y * (1 - y))), softplus, tanh)
    hinge = UserActivation("hinge", x -> max(x, 0.0), x -> Float64(x > 0), x -> 0.0)
    same(hinge, relu, tanh)
    same(hinge, relu, relu)
    shifted = UserActivation("shifted", x -> max(x - 0.3, 0.0), x -> Float64(x > 0.3), x -> 0.0)
    profile = G.Profile(shifted)
    @test length(profile.kinks) == 1 && abs(profile.kinks[1] - 0.3) < 1e-14 && profile.jumps[1] ≈ 1
    x = moments(pair_values(scratch, placed(profile, 0.5, 1.5), placed(tanh, 0, 0.7), 0.6, 0.8))
    @test isapprox(x, moments(pair_values(scratch, placed(relu, 0.2, 1.5), placed(tanh, 0, 0.7), 0.6, 0.8)); atol = 1e-11)
    step = UserActivation("step", x -> Float64(x > 0), x -> 0.0, x -> 0.0)
    @test_throws ArgumentError G.Profile(step)
end

@testset "no evaluator depends on what was computed before" begin
    a, b = placed(tanh, 0.1, 4.0), placed(sigmoid, -0.2, 6.0)
    scratch = G.GaussianScratch()
    first = moments(pair_values(scratch, a, b, 0.3, sqrt(1 - 0.09)))
    pair_values(scratch, a, b, 0.999999, sqrt(1 - 0.999999^2))       # needs more coefficients
    @test first == moments(pair_values(scratch, a, b, 0.3, sqrt(1 - 0.09)))
end

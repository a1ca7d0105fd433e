# Sobol's points: the net property, scrambles, and the normal quantile.
using MLPFlow: sobol_points, SOBOL_DIMENSIONS, SOBOL_NUMBERS, vnormal_quantile, verfinv, verfcinv, vnormal_cdf, verf, verfc
using Statistics: mean, std

@testset "the direction numbers are odd and small enough" begin
    for entry in SOBOL_NUMBERS
        polynomial, m = entry[1], entry[2:end]
        @test isodd(polynomial) && length(m) == ndigits(polynomial; base = 2) - 1
        @test all(isodd(m[k]) && m[k] < 2^k for k in eachindex(m))
    end
end

@testset "2^$k points fill each of 2^$k intervals once, scrambled or not" for k in (0, 1, 5, 9)
    for seed in (nothing, 0, 17)
        u = sobol_points(SOBOL_DIMENSIONS, 2^k; seed = seed)
        @test all(0 .<= u .< 1)
        @test all(sort(floor.(Int, u[dim, :] .* 2^k)) == 0:2^k-1 for dim in axes(u, 1))
    end
end

@testset "the first two dimensions are a (0, m, 2)-net" begin
    for seed in (nothing, 3)
        u = sobol_points(2, 256; seed = seed)
        for a in 0:8
            cells = Set((floor(Int, u[1, n] * 2^a), floor(Int, u[2, n] * 2^(8 - a))) for n in 1:256)
            @test length(cells) == 256
        end
    end
end

@testset "scrambled points are open, uniform, and depend on the seed alone" begin
    u = sobol_points(3, 64; seed = 5)
    @test u == sobol_points(3, 64; seed = 5) && u[:, 1:16] == sobol_points(3, 16; seed = 5) && u[1:2, :] == sobol_points(2, 64; seed = 5)
    @test u != sobol_points(3, 64; seed = 6)
    firsts = reduce(hcat, [sobol_points(2, 1; seed = s) for s in 1:4000])
    @test all(0 .< firsts .< 1)
    for row in eachrow(firsts)      # mean, variance and the correlation of the two dimensions, within 4 standard errors
        @test abs(mean(row) - 1 / 2) < 4 * sqrt(1 / 12 / 4000)
        @test abs(mean(abs2, row .- 1 / 2) - 1 / 12) < 4 * sqrt(1 / 180 / 4000)
    end
    @test abs(mean((firsts[1, :] .- 1 / 2) .* (firsts[2, :] .- 1 / 2))) < 4 / 12 / sqrt(4000)
end

@testset "the error of scrambled points falls faster than 1/N for a smooth function" begin
    f(x) = exp(sum(x) / 3)
    exact = (3 * (exp(1 / 3) - 1))^3
    spread(N) = sqrt(mean([(mean(f, eachcol(sobol_points(3, N; seed = s))) - exact)^2 for s in 1:20]))
    @test log2(spread(2^5) / spread(2^13)) / 8 > 1.3       # the theory: 1.5 but for logarithms; Monte Carlo: 0.5
end

@testset "normal quantile: round trips and ends" begin
    for p in [10.0 .^ (-300:20:-20); 0.001:0.013:0.999; 1 .- 10.0 .^ (-15:-3)]
        x = vnormal_quantile(p)
        @test vnormal_cdf(x) ≈ p rtol = 4 * eps() * (1 + x^2)
    end
    for y in (-0.9, -0.3, -1e-9, 1e-300, 1e-12, 0.2, 0.5, 0.50001, 1 - 1e-12)
        @test verf(verfinv(y)) ≈ y rtol = 1e-15
        @test verfinv(-y) == -verfinv(y)
    end
    @test verfc(verfcinv(1e-200)) ≈ 1e-200 rtol = 1e-12
    @test vnormal_quantile(0.0) == -Inf && vnormal_quantile(1.0) == Inf && vnormal_quantile(0.5) === 0.0
    @test isnan(vnormal_quantile(-0.1)) && isnan(vnormal_quantile(1.1)) && isnan(vnormal_quantile(NaN))
    @test verfinv(1.0) == Inf && verfinv(-1) == -Inf && isnan(verfinv(1.5)) && verfcinv(2) == -Inf && verfcinv(0) == Inf
end

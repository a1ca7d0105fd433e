# All 35 problems of More, Garbow and Hillstrom, from 1, 10 and 100 times their starts, with every optimizer: the published minima to
# 10 digits, and the honest list of where that fails.

isdefined(Main, :HonestFailures) || include("honest_failures.jl")
using .HonestFailures, .MoreGarbowHillstrom, .Jets
using LinearAlgebra

# Derivatives by central differences in 256 bits, with h = 1e-20: an error of 1e-40.
function differences(f, x)
    h = big"1e-20"
    unit(j) = [i == j ? h : zero(h) for i in eachindex(x)]
    return reduce(hcat, [(f(x .+ unit(j)) .- f(x .- unit(j))) ./ 2h for j in eachindex(x)])
end

@testset "derivatives of $(p.name)" for p in PROBLEMS
    o, n = objective(p), length(p.x0)
    x = p.x0 .* [1 + 0.01 * (-1)^j / j for j in 1:n] .+ (all(iszero, p.x0) ? 0.1 : 0.0)
    r, J, H = zeros(p.m), zeros(p.m, n), zeros(n, n)
    MLPFlow.weighted_residuals!(r, o, x)
    MLPFlow.weighted_jacobian!(J, o, x)
    MLPFlow.hessian!(H, o, x)
    @test length(p.residuals(x)) == p.m
    exact = big.(x)
    exactly = differences(p.residuals, exact)
    close(a, b) = norm(a .- b, Inf) <= 1e-12 * max(norm(b, Inf), eps(BigFloat))
    @test close(r, p.residuals(exact))
    @test close(J, exactly)
    gradient(y) = exact_gradient(p, y)[2]
    @test close(H, differences(gradient, exact))
end

@testset "$name, from $factor times the start" for (name, solver) in CASES, factor in FACTORS
    expected = FAILURES[(name, factor)]
    for p in PROBLEMS
        found, r = outcome(p, solver, factor)
        p.name in expected.varies && continue
        wanted = p.name in expected.other ? :other : p.name in expected.none ? :none : :published
        found === wanted || @error "$name on $(p.name) from $factor times the start: expected the end :$wanted, got :$found" r
        @test found === wanted
        # Without a tolerance only a gradient or a loss of exactly 0 is convergence.
        @test r.converged == (r.gnorm == 0 || r.loss == 0)
    end
end

@testset "converged only when it is: $name" for (name, solver) in CASES
    for p in PROBLEMS, factor in (1, 100)
        r = optimize(objective(p), start(p, factor); solver = solver, min_gnorm = 1e-6, minloss = -Inf, maxiterations = 300, maxtime = Inf)
        @test r.converged == (r.status === :gradient_tolerance)
        r.converged || continue
        exact = exact_gradient(p, r.x)[2]
        # Up to the rounding of the terms that the gradient is a sum of.
        J = zeros(p.m, length(r.x))
        MLPFlow.weighted_jacobian!(J, objective(p), r.x)
        rounding = 1e-13 * norm(J) * sqrt(r.loss) + 1e-13 * norm(J)^2 * norm(r.x)
        @test norm(exact, Inf) <= 1e-6 + rounding
    end
end

@testset "the table of failures in docs/optimizers.md" begin
    text = read(joinpath(@__DIR__, "..", "..", "..", "docs", "optimizers.md"), String)
    occursin(as_markdown(), text) || @error "docs/optimizers.md: expected this table" * "\n" * as_markdown()
    @test occursin(as_markdown(), text)
end

@testset "auto takes what the objective has: $(first(p.name, 20))" for p in PROBLEMS[1:3]
    whole, without = objective(p), objective(p; hessian = false)
    @test optimize(whole, p.x0).algorithm === :levenberg_marquardt
    r = optimize(without, p.x0; min_gnorm = 0.0, minloss = 0.0)
    @test r.algorithm === :levenberg_marquardt && length(r.handovers) == 1
    @test minimum_reached(p, exact_gradient(p, r.x)[1]) !== :none
end

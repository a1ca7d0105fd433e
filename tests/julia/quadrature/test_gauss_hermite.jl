# Nodes, weights and sparse grids against moments of the normal distribution, which are known.
using MLPFlow: gauss_hermite, rule_nodes, TensorHermite, SmolyakHermite, ScrambledSobol, check_rules

# E z^k = (k - 1)!! for even k.
moment(k) = isodd(k) ? 0.0 : prod(Float64.(1:2:k-1))

# E z^k as |z|^k sees it: what rounding errors of the sum are relative to.
scale(k) = prod(Float64.(1:2:k+isodd(k)-1))

@testset "Gauss-Hermite of $n nodes is exact to the degree $(2n - 1)" for n in (1, 2, 3, 8, 20, 64)
    x, w = gauss_hermite(n)
    @test issorted(x) && x == -reverse(x) && w == reverse(w) && all(w .> 0)
    @test sum(w) ≈ 1 rtol = 4e-16
    for k in 0:2n-1
        k <= 120 && @test abs(sum(w .* x .^ k) - moment(k)) <= 2e-14 * scale(k)
    end
end

@testset "large rules neither overflow nor lose digits: n = $n" for n in (370, 600, 1000)
    x, w = gauss_hermite(n)
    @test all(isfinite, x) && all(isfinite, w) && allunique(x)
    @test abs(x[end] - sqrt(4n + 2)) < 3 * n^(-1 / 6) * 1.86       # Szegő (6.32.5), in terms of the first zero of Ai
    for k in 0:2:40
        @test sum(w .* x .^ k) ≈ moment(k) rtol = 5e-14
    end
    @test sum(w .* cos.(7 .* x)) ≈ exp(-49 / 2) atol = 1e-15
end

# E prod z_i^k_i over all exponents of total degree up to `degree`.
function worst_moment(z, w, degree)
    d, worst = size(z, 1), 0.0
    for k in Iterators.product(fill(0:degree, d)...)
        sum(k) <= degree || continue
        found = sum(w[n] * prod(z[i, n]^k[i] for i in 1:d) for n in eachindex(w))
        worst = max(worst, abs(found - prod(moment, k)) / prod(scale, k))
    end
    return worst
end

@testset "sparse grid, level $level in $d dimensions" for (d, level) in ((1, 4), (2, 5), (3, 4), (4, 3), (6, 2), (5, 0))
    z, w = rule_nodes(SmolyakHermite(level), d)
    @test size(z) == (d, length(w)) && length(unique(eachcol(z))) == length(w)
    @test worst_moment(z, w, 2 * level + 1) <= 1e-13
    @test worst_moment(z, w, 2 * level + 2) > 1e-3      # and no further
    @test rule_nodes(SmolyakHermite(level), d) == (z, w)
end

@testset "a tensor product is exact and what pruning costs stays below its tolerance" begin
    z, w = rule_nodes(TensorHermite(4; threshold = 0), 3)
    @test size(z) == (3, 64) && worst_moment(z, w, 7) <= 1e-13
    whole, pruned = rule_nodes(TensorHermite(40; threshold = 0), 2), rule_nodes(TensorHermite(40; threshold = 1e-18), 2)
    @test length(pruned[2]) < 0.8 * length(whole[2])
    @test minimum(pruned[2]) >= 1e-18
    @test sum(pruned[2]) ≈ 1 rtol = 1e-15
    for f in (x -> sum(abs2, x), x -> exp(x[1] - x[2]), x -> (x[1]^2 * x[2]^2), x -> tanh(3 * x[1] + x[2])^2)
        values = [sum(w .* f.(eachcol(z))) for (z, w) in (whole, pruned)]
        @test values[1] ≈ values[2] rtol = 2e-13
    end
end

@testset "no dimension at all is one node" begin
    for rule in (TensorHermite(600), SmolyakHermite(3), ScrambledSobol(1))
        z, w = rule_nodes(rule, 0)
        @test size(z) == (0, 1) && w == [1.0]
    end
end

@testset "too much is refused" begin
    @test_throws ArgumentError gauss_hermite(0)
    @test_throws ArgumentError rule_nodes(TensorHermite(600; threshold = 0), 3)
    @test_throws ArgumentError TensorHermite(3; threshold = 1)
    @test_throws ArgumentError SmolyakHermite(-1)
    @test_throws ArgumentError ScrambledSobol(0)
    @test_throws ArgumentError rule_nodes(ScrambledSobol(4), 1000)
end

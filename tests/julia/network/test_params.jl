# Parameters: what goes in comes out, in the order of the flat vector; arithmetic keeps the shape.
using Random

@testset "params" begin
    W1, b1, W2 = [1.0 2.0; 3.0 4.0; 5.0 6.0], [7.0, 8.0, 9.0], [10.0 11.0 12.0]
    p = params((W1, b1), (W2, nothing))
    @test p isa AbstractVector{Float64}
    @test collect(p) == [1, 3, 5, 2, 4, 6, 7, 8, 9, 10, 11, 12]
    @test p.w1 == hcat(W1, b1) && p.w2 == W2
    @test propertynames(p) == (:w1, :w2)
    @test params(params2dict(p)) == p && params(params2dict(p)).w2 == W2
    @test Params(w1 = hcat(W1, b1), w2 = W2) == p
    @test Params(w2 = ones(3)', w1 = ones(3, 2)).w2 == ones(1, 3)
    p.w1[1, 1] = -1
    @test p[1] == -1
    @test (2 .* p .+ 1) isa Params && (2 .* p .+ 1).w2 == 2 .* W2 .+ 1
    @test (p + p).w2 == 2W2 && copy(p) == p && copy(p) !== p
    text = sprint(show, MIME("text/plain"), p)
    @test occursin("12 parameters", text) && occursin("w2", text)
    many = params(Dict("w$l" => fill(float(l), 1, 1) for l in 1:12))
    @test collect(many) == 1:12
end

@testset "bad parameters: $(e)" for (e, f) in (
        ("bias of the wrong length", () -> params((ones(3, 2), ones(2)))), ("wrong keyword", () -> Params(a = ones(2, 2))),
        ("no matrices", () -> Params()), ("wrong key", () -> params(Dict("a" => ones(2, 2)))),
        ("no such layer", () -> params((ones(3, 2), nothing)).w2))
    @test_throws Union{ArgumentError,DimensionMismatch} f()
end

@testset "random_params" begin
    net = Net(layers = ((300, tanh, true), (200, tanh, false), (1, identity, true)), input = randn(100, 3), target = randn(1, 3))
    p = random_params(MersenneTwister(4), net)
    @test p == random_params(MersenneTwister(4), net)
    @test p != random_params(MersenneTwister(5), net)
    @test all(iszero, p.w1[:, end]) && p.w3[1, end] == 0
    @test isapprox(sum(abs2, p.w1[:, 1:end-1]) / (300 * 100), 2 / 400; rtol = 0.05)
    u = random_params(MersenneTwister(4), net; distr_fn = glorot_uniform)
    @test maximum(abs, u.w2) <= sqrt(6 / 500)
    @test isapprox(sum(abs2, u.w2) / length(u.w2), 2 / 500; rtol = 0.05)
end

# Memory does not grow with the number of samples: P^2 and a tile for Hessians, a few P and a tile for gradients and products.
using Random

# Bytes allocated by everything an objective does, from nothing, the compilation left out by a first round.
function bytes(net, work)
    work(NetObjective(net))
    return @allocated work(NetObjective(net))
end

@testset "Hessian of k = 100, N = 100,000 in under 50 MB" begin
    rng = MersenneTwister(1)
    layers = ((100, softplus, true), (1, identity, true))
    p = zeros(401)
    H = zeros(401, 401)
    small = Net(layers = layers, input = randn(rng, 2, 1000), target = randn(rng, 1, 1000))
    large = Net(layers = layers, input = randn(rng, 2, 100_000), target = randn(rng, 1, 100_000))
    work = o -> hessian!(H, o, p)
    @test bytes(small, work) < 50e6
    @test bytes(large, work) <= bytes(small, work) + 1e6
end

@testset "gradient and products of a million parameters" begin
    rng = MersenneTwister(2)
    layers = ((1000, tanh, true), (200, tanh, true), (10, identity, true))
    input = randn(rng, 784, 10_000)
    net = Net(layers = layers, input = input, target = rand(rng, 1:10, 10_000), losstype = CrossEntropy())
    P = nparams(net)
    @test P == 987_210
    x, v, g, out = collect(random_params(rng, net)), randn(rng, P), zeros(P), zeros(P)
    o = NetObjective(net)
    tile = 512 * (784 + 8 * 1210) * 8
    @test (@allocated NetObjective(net)) < 3 * 8P + tile + 1e6           # W, its transpose, the gradient
    value_gradient!(g, o, x)
    @test (@allocated hvp!(out, o, x, v)) < 5 * 8P + tile + 1e8          # the direction likewise; the rest is compilation
    @test (@allocated hvp!(out, o, x, v)) == 0
    gauss_newton_product!(out, o, x, v)
    h = 1e-5
    up, down = zeros(P), zeros(P)
    value_gradient!(up, o, x .+ h .* v)
    value_gradient!(down, o, x .- h .* v)
    hvp!(out, o, x, v)
    @test maximum(abs, out .- (up .- down) ./ 2h) < 1e-5 * maximum(abs, out)
end

# Products, Jacobian and Gauss-Newton matrix against the Hessian, against each other and against central differences.
using LinearAlgebra, Random

const PRODUCT_NETS = (((4, tanh, true), (1, identity, true)), ((3, [tanh, relu, gelu], true), (4, softplus, false), (3, identity, true)),
                      ((3, sigmoid, false), (2, tanh, true)), ((2, identity, true),), ((25, tanh, true), (30, softplus, true), (2, identity, true)))

function product_case(layers, kind, seed; N = 150)
    rng = MersenneTwister(seed)
    K = layers[end][1]
    Y = kind isa MSE ? randn(rng, K, N) : rand(rng, 1:K, N)
    net = Net(layers = layers, input = randn(rng, 3, N), target = Y, losstype = kind, weights = 0.5 .+ rand(rng, N))
    merge = layers[1][1] > 1 ? (1, (1, 2), 0.7) : nothing
    return net, 0.6 .* randn(rng, nparams(net)), (maxnorm = 0.02, merge = merge), rng
end

@testset "products: $(length(layers)) layers, $(typeof(kind))" for layers in PRODUCT_NETS, kind in (MSE(), CrossEntropy())
    net, x, options, rng = product_case(layers, kind, length(layers))
    P = nparams(net)
    v, V = randn(rng, P), randn(rng, P, 3)
    H, G = hessian(net, x; options...), gauss_newton(net, x; options...)
    @test isapprox(hvp(net, x, v; options...), H * v; rtol = 1e-11)
    @test isapprox(hvp(net, x, V; options...), H * V; rtol = 1e-11)
    @test isapprox(gauss_newton_product(net, x, v; options...), G * v; rtol = 1e-11)
    @test isapprox(gauss_newton_product(net, x, V; options...), G * V; rtol = 1e-11)
    @test isapprox(G, G') && eigmin(Symmetric(G)) > -1e-12 * opnorm(G)
end

# Q of one sample, from its definition.
output_curvature(::MSE, f) = Matrix(2.0I, length(f), length(f))
output_curvature(::CrossEntropy, f) = (q = exp.(f .- maximum(f)); q ./= sum(q); Diagonal(q) - q * q')

@testset "Gauss-Newton and Jacobian: $(length(layers)) layers, $(typeof(kind))" for layers in PRODUCT_NETS, kind in (MSE(), CrossEntropy())
    net, x, _, rng = product_case(layers, kind, 7; N = 70)
    J, f = jacobian(net, x), net(x)
    h, v = 1e-5, randn(rng, length(x))
    for n in (1, 37, 70)
        @test isapprox(J[:, :, n]' * v, (net(x .+ h .* v)[:, n] .- net(x .- h .* v)[:, n]) ./ 2h; rtol = 1e-6, atol = 1e-8)
    end
    G = sum(net.weights[n] / 70 .* (J[:, :, n] * output_curvature(kind, f[:, n]) * J[:, :, n]') for n in 1:70)
    o = NetObjective(net)
    for folded in (true, false)
        o.second_order = MLPFlow.SecondOrder{Float64}(o.layers, o.samples; folded = folded)
        @test isapprox(gauss_newton!(zero(G), o, x), G; rtol = 1e-11, atol = 1e-14)
    end
    @test residuals(net, x) ≈ f .- MLPFlow.targets(net)
    kind isa MSE && @test sum(net.weights' .* residuals(net, x) .^ 2) / 70 ≈ loss(net, x)
    value, g = value_and_gradient(net, x)
    @test value ≈ loss(net, x) && g ≈ gradient(net, x)
end

@testset "at zero residuals the Hessian is the Gauss-Newton matrix" begin
    rng = MersenneTwister(3)
    layers = ((4, tanh, true), (3, sigmoid, true), (2, identity, true))
    X = randn(rng, 3, 40)
    teacher = TeacherNet(layers = layers, Din = 3, rng = rng)
    net = Net(layers = layers, input = X, target = teacher(X))
    @test isapprox(hessian(net, teacher.p), gauss_newton(net, teacher.p); rtol = 1e-13)
end

function product_allocations(o, x, v)
    out = zero(v)
    hvp!(out, o, x, v)
    gauss_newton_product!(out, o, x, v)
    return @allocated(hvp!(out, o, x, v)), @allocated(gauss_newton_product!(out, o, x, v))
end

@testset "products allocate nothing: $(typeof(kind))" for kind in (MSE(), CrossEntropy())
    net, x, options, rng = product_case(PRODUCT_NETS[2], kind, 5)
    o = NetObjective(net; options...)
    for v in (randn(rng, length(x)), randn(rng, length(x), 4))
        product_allocations(o, x, v)
        @test product_allocations(o, x, v) == (0, 0)
    end
    r, J = zeros(3, 150), zeros(length(x), 3, 150)
    residuals!(r, o, x), jacobian!(J, o, x)
    @test_throws DimensionMismatch hvp(net, x, ones(3))
end

@testset "single precision" begin
    rng = MersenneTwister(4)
    layers, X, Y = ((6, tanh, true), (5, softplus, true), (2, identity, true)), randn(rng, 3, 200), randn(rng, 2, 200)
    net, single = Net(layers = layers, input = X, target = Y), Net(layers = layers, input = X, target = Y, precision = Float32)
    p, v = random_params(rng, net), randn(rng, nparams(net))
    @test isapprox(loss(single, p), loss(net, p); rtol = 1e-5)
    @test isapprox(gradient(single, p), gradient(net, p); rtol = 1e-4)
    @test isapprox(hessian(single, p), hessian(net, p); rtol = 1e-4)
    @test isapprox(hvp(single, p, v), hvp(net, p, v); rtol = 1e-4)
    @test isapprox(gauss_newton(single, p), gauss_newton(net, p); rtol = 1e-4)
    @test isapprox(jacobian(single, p), jacobian(net, p); rtol = 1e-4)
    @test single(p) isa Matrix{Float32} && isapprox(single(p), net(p); rtol = 1e-5)
    o = NetObjective(single)
    g, x = zeros(length(p)), collect(p)
    value_gradient!(g, o, x)
    @test @allocated(value_gradient!(g, o, x)) <= 16
end

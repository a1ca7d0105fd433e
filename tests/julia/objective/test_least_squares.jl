# Sums of squares: networks, functions of the user, and both with frozen parameters.
using LinearAlgebra, Random

squares_net(kind; maxnorm = Inf, merge = nothing) = begin
    rng = MersenneTwister(8)
    layers = ((4, [tanh, sigmoid, softplus, gelu], true), (3, tanh, true), (2, identity, true))
    Y = kind isa MSE ? randn(rng, 2, 150) : rand(rng, 1:2, 150)
    net = Net(layers = layers, input = randn(rng, 3, 150), target = Y, weights = 0.5 .+ rand(rng, 150), losstype = kind)
    NetObjective(net; maxnorm = maxnorm, merge = merge), 0.6 .* randn(rng, nparams(net)), randn(rng, nparams(net))
end

residual_vector(o, x) = MLPFlow.weighted_residuals!(zeros(nresiduals(o)), o, x)
residual_jacobian(o, x) = MLPFlow.weighted_jacobian!(zeros(nresiduals(o), nparams(o)), o, x)

# The second derivative of the residuals along v, by central differences.
function curvature_along(o, x, v; h = 1e-4)
    return (residual_vector(o, x .+ h .* v) .- 2 .* residual_vector(o, x) .+ residual_vector(o, x .- h .* v)) ./ h^2
end

function check_squares(o, x, v, penalty)
    r, J = residual_vector(o, x), residual_jacobian(o, x)
    @test sum(abs2, r) + penalty ≈ value(o, x) rtol = 1e-13
    @test J * v ≈ (residual_vector(o, x .+ 1e-6 .* v) .- residual_vector(o, x .- 1e-6 .* v)) ./ 2e-6 rtol = 1e-7
    acceleration = MLPFlow.residual_acceleration!(similar(x), o, x, v)
    @test acceleration ≈ 2 .* (J' * curvature_along(o, x, v)) rtol = 1e-4
    return J
end

@testset "a network with the squared error" begin
    o, x, v = squares_net(MSE(); maxnorm = 0.02, merge = (1, (1, 2), 0.7))
    plain, _, _ = squares_net(MSE())
    @test isleastsquares(o) && nresiduals(o) == 300
    J = check_squares(o, x, v, value(o, x) - value(plain, x))
    G = zeros(length(x), length(x))
    @test gauss_newton!(G, plain, x) ≈ 2 .* J'J rtol = 1e-11
    @test MLPFlow.has_hessian(o) && MLPFlow.has_products(o)
end

@testset "acceleration of a network with the cross-entropy" begin
    o, x, v = squares_net(CrossEntropy())
    @test !isleastsquares(o)
    @test_throws ArgumentError MLPFlow.weighted_residuals!(zeros(300), o, x)
    h, g = 1e-4, similar(x)
    # J' Q f''(v, v), from its definition, sample by sample.
    J, net_of = jacobian!(zeros(length(x), 2, 150), o, x), p -> residuals!(zeros(2, 150), o, p)
    f2 = (net_of(x .+ h .* v) .- 2 .* net_of(x) .+ net_of(x .- h .* v)) ./ h^2
    f = net_of(x) .+ permutedims(o.samples.target)
    expected = zero(x)
    for n in 1:150
        q = exp.(f[:, n]) ./ sum(exp.(f[:, n]))
        expected .+= o.samples.coefficient[n] .* (J[:, :, n] * ((Diagonal(q) - q * q') * f2[:, n]))
    end
    @test MLPFlow.residual_acceleration!(g, o, x, v) ≈ expected rtol = 1e-4
end

function acceleration_allocations(o, x, v)
    out = similar(x)
    MLPFlow.residual_acceleration!(out, o, x, v)
    return @allocated MLPFlow.residual_acceleration!(out, o, x, v)
end

@testset "the acceleration allocates nothing" begin
    o, x, v = squares_net(MSE())
    acceleration_allocations(o, x, v)
    @test acceleration_allocations(o, x, v) == 0
end

# r_i = x1 exp(x2 t_i) + x3^2 - y_i
const TIMES = range(0, 1; length = 7)

function exponential(calls = zeros(Int, 2))
    residuals!(r, x) = (calls[1] += 1; r .= x[1] .* exp.(x[2] .* TIMES) .+ x[3]^2 .- TIMES .^ 2)
    function jacobian!(J, x)
        calls[2] += 1
        J[:, 1] = exp.(x[2] .* TIMES)
        J[:, 2] = x[1] .* TIMES .* exp.(x[2] .* TIMES)
        J[:, 3] .= 2 * x[3]
    end
    return ResidualObjective(3, 7; residuals! = residuals!, jacobian! = jacobian!)
end

@testset "residuals of the user" begin
    calls = zeros(Int, 2)
    o, x, v = exponential(calls), [0.7, -0.4, 0.3], [0.2, 0.5, -0.3]
    @test isleastsquares(o) && nresiduals(o) == 7 && !MLPFlow.has_hessian(o) && !MLPFlow.has_products(o)
    r, J = residual_vector(o, x), residual_jacobian(o, x)
    g, G = zeros(3), zeros(3, 3)
    @test value_gradient!(g, o, x) == value(o, x) == sum(abs2, r)
    @test g ≈ 2 .* J'r rtol = 1e-14
    @test gauss_newton!(G, o, x) ≈ 2 .* J'J rtol = 1e-14
    @test G == G'
    @test calls == [1, 1]                       # everything at one point costs one call of each
    @test value(o, 2 .* x) != value(o, x) && calls == [3, 1]
    # Central differences over a tenth of the step: the error is that of their order.
    @test MLPFlow.residual_acceleration!(zeros(3), o, x, v) ≈ 2 .* (J' * curvature_along(o, x, v)) rtol = 1e-2
    @test MLPFlow.residual_acceleration!(zeros(3), o, x, 1e-2 .* v) ≈ 2e-4 .* (J' * curvature_along(o, x, v)) rtol = 1e-5
    @test_throws ArgumentError hessian!(zeros(3, 3), o, x)
    @test_throws ArgumentError hvp!(zeros(3), o, x, v)
    @test_throws ArgumentError ResidualObjective(0, 3; residuals! = identity, jacobian! = identity)
end

@testset "a function that throws leaves no half-made values behind" begin
    fail = Ref(false)
    o = ResidualObjective(1, 1; residuals! = (r, x) -> (r[1] = x[1]; fail[] && error("no")), jacobian! = (J, x) -> (J[1] = 1.0))
    @test value(o, [2.0]) == 4
    fail[] = true
    @test_throws ErrorException value(o, [3.0])
    fail[] = false
    @test value(o, [2.0]) == 4 && value(o, [3.0]) == 9
end

@testset "frozen parameters" begin
    net, x, v = squares_net(MSE(); merge = (1, (1, 2), 0.7))
    for (inner, x, free) in ((net, x, collect(1:2:length(x))), (exponential(), [0.7, -0.4, 0.3], [3, 1]))
        o = MLPFlow.RestrictedObjective(inner, x, free)
        P = length(free)
        full = zeros(length(x), length(x))
        @test isleastsquares(o) && nresiduals(o) == nresiduals(inner)
        @test MLPFlow.keeps_jacobian(o) == MLPFlow.keeps_jacobian(inner)
        @test MLPFlow.has_hessian(o) == MLPFlow.has_hessian(inner) && MLPFlow.has_products(o) == MLPFlow.has_products(inner)
        @test residual_vector(o, x[free]) == residual_vector(inner, x)
        @test residual_jacobian(o, x[free]) == residual_jacobian(inner, x)[:, free]
        @test gauss_newton!(zeros(P, P), o, x[free]) == gauss_newton!(full, inner, x)[free, free]
        direction = zero(x)
        direction[free] .= 0.3
        @test MLPFlow.residual_acceleration!(zeros(P), o, x[free], fill(0.3, P)) ==
            MLPFlow.residual_acceleration!(zero(x), inner, x, direction)[free]
        MLPFlow.has_products(o) || continue
        @test hvp!(zeros(P), o, x[free], fill(0.3, P)) == hvp!(zero(x), inner, x, direction)[free]
    end
end

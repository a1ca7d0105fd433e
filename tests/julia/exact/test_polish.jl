# Polish: gradients and losses beyond Float64 against BigFloat and exact fractions; every status.
using LinearAlgebra
using Random
isdefined(Main, :Reference) || include(joinpath(@__DIR__, "..", "reference.jl"))

"""
A student of two neurons, trained from its teacher on noisy targets, so that there is a strict minimum: the net, the minimum in
Float64, and the reference's loss of the same function.
"""
function trained_student(activation, rng; N = 60, noise = 0.01)
    X, teacher = randn(rng, 2, N), randn(rng, 9)
    layers = ((2, MLPFlow.activation(activation), true), (1, identity, true))
    Y = Net(layers = layers, input = X, target = zeros(1, N))(teacher) .+ noise .* randn(rng, 1, N)
    net = Net(layers = layers, input = X, target = Y)
    listed = [(2, fill(activation, 2), true), (1, ["identity"], true)]
    truth(x) = Reference.loss("mse", listed, x, X, Y, ones(N), big(1e9), nothing)
    return net, trained(net, teacher), truth
end

trained(net, x) = train(net, x; maxtime_ode = 0, verbosity = 0, result = :raw).x

big_point(r) = big.(r.x) .+ big.(r.low)

@testset "gradient and loss of a $name student against BigFloat" for (name, seed) in (("tanh", 31), ("softplus", 30), ("gelu", 33))
    net, start, truth = trained_student(name, MersenneTwister(seed))
    r = polish(net, start)
    @test r.status === :gradient_tolerance && r.gnorm <= 1e-20 && r.rank == nparams(net)
    @test all(abs.(r.low) .<= eps.(abs.(r.x)))
    @test r.distance ≈ maximum(abs, big_point(r) .- start) rtol = 1e-12
    setprecision(BigFloat, 512) do
        x = big_point(r)
        gradient = maximum(abs, Reference.gradient(truth, copy(x)))
        @test gradient <= 1e-20 && isapprox(gradient, r.gnorm; atol = 1e-29)
        @test abs(truth(x) - big(r.loss) - big(r.loss_low)) <= r.loss_error < 1e-28
        @test abs(truth(x) - parse(BigFloat, r.loss_digits)) <= 1.01e-28
    end
    deeper = polish(net, start; min_gnorm = 0)
    @test deeper.status === :stalled && deeper.gnorm < 1e-29
end

# The normal equations in fractions: no rounding at all.
@testset "linear regression against fractions" begin
    rng = MersenneTwister(35)
    X, Y, w = rand(rng, -8:8, 3, 12), rand(rng, -8:8, 1, 12), rand(rng, 1:4, 12)
    net = Net(layers = ((1, identity, true),), input = Float64.(X), target = Float64.(Y), weights = Float64.(w))
    A = vcat(X, ones(Int, 1, 12)) .* (big(1) // 1)
    solution = (A * Diagonal(w) * A') \ (A * Diagonal(w) * Y')
    least = sum(w .* vec(solution' * A - Y) .^ 2) // 12
    r = polish(net, Float64.(vec(solution)) .+ 1e-3; min_gnorm = 0)
    setprecision(BigFloat, 512) do
        @test maximum(abs.(big_point(r) .- BigFloat.(vec(solution)))) < 1e-30
        @test abs(big(r.loss) + big(r.loss_low) - BigFloat(least)) <= r.loss_error < 1e-28
    end
end

@testset "statuses" begin
    rng = MersenneTwister(36)
    net, start, _ = trained_student("tanh", rng)
    r = polish(net, start; maxiterations = 0, min_gnorm = 0)
    @test r.status === :maxiterations && r.x == start && r.distance == 0 && r.iterations == 0
    @test polish(net, start; min_gnorm = 1.0).status === :gradient_tolerance
    far = polish(net, 3 .* randn(rng, nparams(net)); maxiterations = 2)
    @test far.status in (:maxiterations, :stalled, :degenerate) && far.iterations <= 2
    # Two neurons with the same weights: only the sum of their outgoing ones is determined.
    data = (input = [1.0 -0.5 2.0], target = [0.5 -0.4 0.7])
    w, a = trained(Net(; layers = ((1, tanh, false), (1, identity, false)), data...), [0.5, 1.0])
    duplicate = polish(Net(; layers = ((2, tanh, false), (1, identity, false)), data...), [w, w, a / 4, 3a / 4]; min_gnorm = 0)
    @test duplicate.status === :degenerate && duplicate.rank == 3 && duplicate.gnorm < 1e-25
    @test occursin("rank 3 of 4", duplicate.message)
    overflow = polish(Net(layers = ((1, exp, false),), input = [1.0 2.0], target = [1.0 2.0]), [500.0])
    @test overflow.status === :nonfinite_start && isnan(overflow.loss_error)
end

@testset "kinked and user-made activations, single precision, user-made objectives" begin
    rng = MersenneTwister(37)
    X, Y = randn(rng, 2, 30), randn(rng, 1, 30)
    for f in (relu, selu, UserActivation("sine", sin, cos, x -> -sin(x)))
        layers, teacher = ((2, f, true), (1, identity, true)), randn(rng, 9)
        net = Net(layers = layers, input = X, target = Net(layers = layers, input = X, target = Y)(teacher) .+ 0.03 .* Y)
        r = polish(net, trained(net, teacher); min_gnorm = 1e-22)
        f === relu || @test r.status === :gradient_tolerance
        @test r.gnorm <= 1e-22 && isnan(r.loss_error) == (f isa UserActivation)
    end
    net, start, _ = trained_student("tanh", rng)
    single = Net(layers = ((2, tanh, true), (1, identity, true)), input = MLPFlow.inputs(net), target = MLPFlow.targets(net), precision = Float32)
    @test polish(single, start).gnorm <= 1e-20
    rosenbrock = FunctionObjective(2; value = x -> (1 - x[1])^2 + 100 * (x[2] - x[1]^2)^2,
        gradient! = (g, x) -> (g[1] = -2 * (1 - x[1]) - 400 * x[1] * (x[2] - x[1]^2); g[2] = 200 * (x[2] - x[1]^2); g),
        hessian! = (H, x) -> (H .= [2-400*(x[2]-3*x[1]^2) -400*x[1]; -400*x[1] 200.0]; H))
    r = polish(rosenbrock, [1 + 1e-7, 1 - 1e-7])
    @test r.gnorm <= 1e-20 && maximum(abs, r.x .- 1) < 1e-15 && r.loss < 1e-40 && isnan(r.loss_error)
end

@testset "bad arguments" begin
    net = Net(layers = ((1, identity, false),), input = [1.0 2.0], target = [1.0 2.0])
    @test_throws ArgumentError polish(net, [1.0]; min_gnorm = -1)
    @test_throws ArgumentError polish(net, [1.0]; maxiterations = -1)
    @test_throws DimensionMismatch polish(net, [1.0, 2.0])
    arctan = UserActivation("atan", atan, x -> 1 / (1 + x^2), x -> -2x / (1 + x^2)^2)
    @test_throws ArgumentError polish(Net(layers = ((1, arctan, false),), input = [1.0 2.0], target = [0.5 0.6]), [0.4])
end

@testset "as many digits as the error leaves" begin
    digits(x, error) = MLPFlow.true_digits(DoubleDouble(x), error)
    @test digits(big"1.23456789", 1e-4) == "1.235" || digits(big"1.23456789", 1e-4) == "1.2346"
    @test digits(big"1.5", 0.0) == "1." * "5" * "0"^28
    @test digits(big"1e-20", 1e-15) == "0e-14" || digits(big"1e-20", 1e-15) == "0e-15"
    @test digits(big"-0.25", NaN) == "-2." * "5" * "0"^26 * "e-1" && digits(NaN, 1.0) == "NaN"
end

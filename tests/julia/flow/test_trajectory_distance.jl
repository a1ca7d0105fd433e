# Distances between trajectories, against a search written plainly.

isdefined(Main, :TestProblems) || include("problems.jl")
using Random

# The nearest point of b on the way down from the last match, and of equally near ones in a row the last.
function plain_match(a, b)
    distance(i, j) = sum((a[:, i] .- b[:, j]) .^ 2) / (2 * size(a, 1))
    matches, last = Int[], 1
    for i in 1:size(a, 2)
        rest = [distance(i, j) for j in last:size(b, 2)]
        rise = findfirst(>(0), diff(rest))
        last += (rise === nothing ? length(rest) : rise) - 1
        push!(matches, last)
    end
    return [distance(i, matches[i]) for i in 1:size(a, 2)], matches
end

made(x) = Trajectory(collect(0.0:size(x, 2)-1), x, zeros(size(x, 2)))
walk(rng, P, T) = cumsum(randn(rng, P, T) .+ 1; dims = 2)

@testset "a walk of $Ta points against one of $Tb, $P parameters" for P in (1, 5),
        (Ta, Tb) in ((30, 40), (30, 1), (1, 30), (1, 1), (200, 7))
    rng = MersenneTwister(P + Ta)
    a, b = made(walk(rng, P, Ta)), made(walk(rng, P, Tb))
    result = trajectory_distance(a, b)
    distances, matches = plain_match(a.x, b.x)
    @test result.distances ≈ distances
    @test result.indices == matches
    @test result.times == b.t[matches]
    @test issorted(result.indices)
end

@testset "a trajectory and itself" begin
    a = made(walk(MersenneTwister(1), 3, 50))
    result = trajectory_distance(a, a)
    @test all(iszero, result.distances) && result.indices == 1:50 && result.times == a.t
    # Points in a row that are equal do not hold the search up.
    rests = made(a.x[:, [1, 1, 2, 3, 3, 3, 4]])
    result = trajectory_distance(rests, rests)
    @test all(iszero, result.distances) && result.indices == [2, 2, 3, 6, 6, 6, 7]
end

@testset "the way of a flow does not depend on its speed" begin
    o, x0 = TestProblems.teacher_student(MersenneTwister(1))
    times = collect(0.1:0.1:50)
    flow(tauinv, times) = integrate(o, x0; maxT = 50.0, abstol = 1e-9, reltol = 1e-9, tauinv = tauinv, saveat = times)
    reference, slow = flow(1.0, times), flow(0.5, 10 .* (1:5))
    result = trajectory_distance(slow.trajectory, reference.trajectory)
    @test result.times ≈ slow.trajectory.t ./ 2
    @test maximum(result.distances) < 1e-15
end

@testset "the dictionaries of train" begin
    rng = MersenneTwister(3)
    layers = ((3, tanh, true), (1, identity, false))
    net = Net(; layers = layers, input = randn(rng, 2, 20), target = randn(rng, 1, 20))
    p = random_params(rng, net)
    run(result, T) = train(net, p; maxT = T, maxtime_optim = 0, verbosity = 0, result = result)
    a, b = run(:raw, 5.0).flow.trajectory, run(:raw, 10.0).flow.trajectory
    expected = trajectory_distance(a, b)
    @test trajectory_distance(run(:dict, 5.0)["trajectory"], b) == expected
    @test trajectory_distance(run(:dict, 5.0)["trajectory"], run(:dict, 10.0)["trajectory"]) == expected
end

@testset "wrong arguments" begin
    a = made(ones(3, 2))
    @test_throws DimensionMismatch trajectory_distance(a, made(ones(4, 2)))
    @test_throws ArgumentError trajectory_distance(a, made(zeros(3, 0)))
    @test_throws ArgumentError trajectory_distance(made(zeros(3, 0)), a)
    @test_throws ArgumentError trajectory_distance(a, made([1.0 NaN; 1 1; 1 1]))
    @test_throws ArgumentError trajectory_distance(Dict{Float64,Any}(), a)
end

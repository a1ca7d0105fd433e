# Several starting points: in order, each as a run of its own, on one thread and on several.
module TestStarts

using MLPFlow, Random, Test

const SCRIPT = joinpath(@__DIR__, "starts.jl")
const PROJECT = joinpath(@__DIR__, "..", "..", "..")

small_net() = Net(; layers = ((3, tanh, true), (1, identity, true)), input = randn(MersenneTwister(1), 2, 30), target = randn(MersenneTwister(2), 1, 30))
const BUDGET = (alg = :DP5, maxiterations_ode = 6, maxiterations_optim = 4)

@testset "results in order, each that of train" begin
    net = small_net()
    starts = ntuple(k -> random_params(MersenneTwister(k), net), 3)
    results = train(net, starts; verbosity = 0, num_workers = 2, BUDGET...)
    for (result, start) in zip(results, starts)
        single = train(net, start; verbosity = 0, BUDGET...)
        @test result["x"] == single["x"] && result["init"] == params2dict(start) && result["loss"] == single["loss"]
        @test Set(keys(result)) == Set(keys(single))
    end
    raw = train(net, starts; verbosity = 0, result = :raw, BUDGET...)
    @test map(r -> r.loss, raw) == map(r -> r["loss"], results)
    said = mktemp() do path, io
        redirect_stderr(() -> train(net, starts[1:2]; BUDGET...), io)
        close(io)
        readlines(path)
    end
    @test length(said) == 2 && startswith(said[1], "start 1 of 2: maxiterations, loss ")
end

@testset "bad input before any run" begin
    net = small_net()
    p = random_params(MersenneTwister(1), net)
    @test_throws ArgumentError train(net, ())
    @test_throws DimensionMismatch train(net, (p, zeros(3)))
    @test_throws ArgumentError train(net, (p,); num_workers = 0)
    @test_throws ArgumentError train(net, (p,); checkpoint = "file")
    @test_throws Exception train(net, (p, p); verbosity = 0, no_such_keyword = 1)
end

@testset "the caller attends while the runs are on other threads" begin
    stop, ended = Threads.Atomic{Bool}(false), Threads.Atomic{Int}(0)
    patient(k) = (timedwait(() -> stop[], 60.0; pollint = 0.01) === :ok && Threads.atomic_add!(ended, 1))
    MLPFlow.in_workers(patient, () -> stop[] = true, 3, 2)
    @test ended[] == 3
    @test_throws ErrorException MLPFlow.in_workers(k -> error("run $k"), () -> nothing, 3, 2)
end

@testset "on two threads: the same bits" begin
    numbers(threads) = readlines(setenv(`$(Base.julia_cmd()) --startup-file=no --project=$PROJECT $SCRIPT`,
                                        merge(Dict(ENV), Dict("JULIA_NUM_THREADS" => string(threads)))))
    one, two = numbers(1), numbers(2)
    @test one[2:end] == two[2:end] && length(one) == 6
    @test one[1] == "1" && two[1] == "2"
end

end

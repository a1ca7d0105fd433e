# Two threads give the numbers of one up to the order of a sum, and the same bits every time.

const THREADED_SCRIPT = joinpath(@__DIR__, "threaded.jl")
const PROJECT = joinpath(@__DIR__, "..", "..", "..")

function threaded_numbers(threads::Int)
    command = addenv_threads(`$(Base.julia_cmd()) --startup-file=no --project=$PROJECT $THREADED_SCRIPT`, threads)
    parts = tempname()
    lines = try
        readlines(pipeline(command, stderr = parts))
    catch
        error("a run with $threads threads failed: $(read(parts, String))")
    end
    return [[reinterpret(Float64, parse(UInt64, word; base = 16)) for word in split(line)] for line in lines], read(parts, String)
end

addenv_threads(command::Cmd, threads::Int) = setenv(command, merge(Dict(ENV), Dict("JULIA_NUM_THREADS" => string(threads))))

@testset "threads" begin
    one, parts_of_one = threaded_numbers(1)
    two, parts_of_two = threaded_numbers(2)
    @test parts_of_one == "1 1\n1 1\n1 1\n" && parts_of_two == "2 2\n2 2\n1 2\n"
    for numbers in (one, two), first in (1, 4)
        @test numbers[first] == numbers[first+1] == numbers[first+2]
    end
    for k in 1:6
        @test maximum(abs, one[k] .- two[k]) <= 1e-13 * maximum(abs, one[k])
    end
end

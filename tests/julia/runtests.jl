# Runs the Julia tests: all of them, or the folders named on the command line.
#     julia --project=. tests/julia/runtests.jl [math gaussian network objective infinite quadrature flow dynamics optimize landscape exact certify io train bridge]
using MLPFlow
using Test

const FOLDERS = ["math", "gaussian", "network", "objective", "infinite", "quadrature", "flow", "dynamics", "optimize", "landscape", "exact", "certify", "io", "train", "bridge"]

chosen = isempty(ARGS) ? FOLDERS : ARGS
unknown = setdiff(chosen, FOLDERS)
isempty(unknown) || error("expected test folders among $FOLDERS, got $unknown")

function run_all()
    @testset "MLPFlow" begin
        for folder in chosen
            files = filter(f -> startswith(f, "test_") && endswith(f, ".jl"), readdir(joinpath(@__DIR__, folder)))
            for file in files
                @testset "$folder/$file" begin
                    include(joinpath(@__DIR__, folder, file))
                end
            end
        end
    end
end

# What failed once more at the very end: the table of counts is long, and often only the last lines of a log are kept.
try
    run_all()
catch err
    err isa Test.TestSetException || rethrow()
    foreach(failure -> println(stderr, '\n', failure), err.errors_and_fails)
    println(stderr, "\n", err)
    exit(1)
end

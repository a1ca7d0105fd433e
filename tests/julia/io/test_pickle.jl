# Pickles: what is written is read back; the checksum is that of ZIP; hostile and damaged files give one clear error.
module TestPickle

using MLPFlow
using MLPFlow: crc32, pickled, unpickled, zip_archive, zip_members, PickleError
using LinearAlgebra, Random, Test

round_trip(value) = mktempdir() do folder
    file = joinpath(folder, "value.pt")
    pickle(file, value)
    return unpickle(file)
end

same(a, b) = typeof(a) === typeof(b) && isequal(a, b)

message(f) = try
    f()
    "no error"
catch e
    e isa Union{ArgumentError,PickleError} ? sprint(showerror, e) : "a $(typeof(e)): $(sprint(showerror, e))"
end

@testset "checksums: the check value of the catalogue of CRCs, and every length around the eight bytes at a time" begin
    @test crc32(Vector{UInt8}("123456789")) == 0xcbf43926
    @test crc32(UInt8[]) == 0x00000000
    slow(bytes) = ~foldl((c, b) -> foldl((c, _) -> isodd(c) ? 0xedb88320 ⊻ (c >> 1) : c >> 1, 1:8; init = c ⊻ b), bytes; init = 0xffffffff)
    @test all(n -> (b = rand(MersenneTwister(n), UInt8, n); crc32(b) == slow(b)), 0:33)
end

@testset "values of every kind come back" begin
    for value in (nothing, true, false, 0, 255, 256, -1, 2^31, -2^31 - 1, typemax(Int), typemin(Int), 1.5, -0.0, Inf, "", "äöü\n", (), (1, (2.5, "x")),
                  Any[1, Any["a"]], Dict{String,Any}("a" => 1), Dict{Float64,Any}(0.0 => 1, 2.5 => "x"), Dict{Any,Any}(1 => 2, "x" => 3))
        @test same(round_trip(value), value)
    end
    @test isnan(round_trip(NaN)) && round_trip(:symbol) == "symbol" && round_trip(Dict()) == Dict()
    kinds = [(T, (3, 2)) for T in (Float32, Float16, Int64, Int32, Int16, Int8, UInt8, Bool, ComplexF64, ComplexF32)]
    shapes = [(Float64, dims) for dims in ((), (0,), (1,), (3,), (2, 3), (3, 1, 2), (0, 4))]
    for (T, dims) in vcat(kinds, shapes)
        a = rand(MersenneTwister(1), T, dims...)
        a = a isa Array ? a : fill(a)
        @test same(round_trip(a), a)
    end
    a = reshape(collect(1.0:6.0), 2, 3)
    for view_ in (a', view(a, :, 2:3), transpose(a), Diagonal([1.0, 2.0]), 1.0:3.0)
        @test same(round_trip(view_), Array(view_))
    end
    @test round_trip(UInt16[1 2; 3 4]) == [1 2; 3 4]
    p = params(([1.0 2.0; 3.0 4.0], [5.0, 6.0]))
    @test round_trip(p) == params2dict(p)
end

@testset "a result of train" begin
    net = Net(; layers = ((2, tanh, true), (1, identity, false)), input = randn(MersenneTwister(1), 2, 20), target = randn(MersenneTwister(2), 1, 20))
    result = train(net, random_params(MersenneTwister(3), net); maxiterations_ode = 5, maxiterations_optim = 3, show_progress = false)
    back = round_trip(result)
    @test Set(keys(back)) == Set(key for (key, value) in result if value !== nothing)
    @test params(back["x"]) == params(result["x"]) && loss(net, params(back["x"])) == result["loss"]
    @test back["trajectory"] == result["trajectory"] && back["layerspec"] == result["layerspec"] && back["status"] == string(result["status"])
    mktempdir() do folder
        file = joinpath(folder, "short.pt")
        pickle(file, result; exclude = ["trajectory", "input"])
        @test !any(key -> haskey(unpickle(file), key), ("trajectory", "input"))
        @test_throws ArgumentError pickle(file, result; exclude = ["trajektory"])
        @test readdir(folder) == ["short.pt"]
    end
end

@testset "what is no plain data is named" begin
    for (value, said) in ((sin, "got a typeof(sin)"), (Dict((1, 2) => 3), "keys of a dictionary"), ([1//2 1//3], ""), (big(2)^70, "at most 64 bits"), (["x" "y"], "array of numbers"))
        said == "" ? (@test round_trip(value) == Float64.(value)) : (@test occursin(said, message(() -> pickled(value))))
    end
end

stack(ops) = unpickled(vcat(UInt8[0x80, 2], map(op -> op isa Integer ? UInt8[op] : Vector{UInt8}(op), ops)...), 1, Dict{String,Any}(), 1000)[1]

@testset "hostile pickles run nothing" begin
    for (ops, said) in ((["cos\nsystem\n", "(X", 4, 0, 0, 0, "echo", "tR."], "got os.system: nothing of this file has been run"),
                        (["cbuiltins\neval\n."], "got builtins.eval"), (["c__main__\nx\n)\x81."], "__main__.x"),
                        (["ctorch._utils\n_rebuild_tensor_v2\n."], "a part of a tensor alone"), (["ctorch._utils\n_rebuild_tensor_v2\n(K", 1, "tR."], "expected a tensor, got other arguments"),
                        (["ccollections\nOrderedDict\n(K", 1, "tR."], "of 1 arguments"),
                        (["}q", 0, "X", 1, 0, 0, 0, "a", "h", 0, "s."], "may hold itself"), (["]q", 0, "h", 0, "a."], "may hold itself"),
                        (["}q", 0, "]q", 1, "h", 0, "ah", 0, "K", 1, "h", 1, "s."], "may hold itself"),
                        (["h", 7, "."], "nothing"), (["t."], "expected a mark"), (["s."], "expected a value"), (["."], "expected a value"), (["(."], "expected a value"),
                        (["K", 1, "K", 2, "."], "one value"), (["i."], "operation 0x69"), (["}(K", 1, "u."], "one key more"), (["}N", "K", 1, "s."], "as keys"),
                        (["X", 255, 255, 255, 255, "."], "cut off"), (["K"], "cut off"), (["cos"], "cut off"), (["X", 1, 0, 0, 0, 0xff, "."], "UTF-8"),
                        (["(X", 7, 0, 0, 0, "storagetQ."], "expected the storage"), (["K", 1, "Q."], "expected arguments"))
        @test occursin(said, message(() -> stack(ops)))
    end
    @test stack(["(]q", 0, "h", 0, "t."]) == (Any[], Any[])
end

tensor(; count = 6, offset = 0, dims = (2, 3), steps = (1, 2)) = begin
    text = sprint(io -> print(io, "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nDoubleStorage\nX\x01\0\0\0", "0X\x03\0\0\0cpu"))
    number(n) = n >= 2^31 ? vcat(0x8a, 0x08, reinterpret(UInt8, [Int64(n)])) : vcat(UInt8('J'), reinterpret(UInt8, [Int32(n)]))
    tuple(t) = vcat(UInt8('('), map(number, t)..., UInt8('t'))
    data = vcat(UInt8[0x80, 2], Vector{UInt8}(text), number(count), Vector{UInt8}("tQ"), number(offset), tuple(dims), tuple(steps), Vector{UInt8}("\x89)tR."))
    unpickled(data, 1, Dict("0" => collect(reinterpret(UInt8, 1.0:6.0))), 200)[1]
end

@testset "tensors lie inside their storage" begin
    @test tensor() == [1.0 3.0 5.0; 2.0 4.0 6.0]
    @test tensor(; steps = (3, 1)) == [1.0 2.0 3.0; 4.0 5.0 6.0]
    @test tensor(; offset = 1, dims = (2,), steps = (3,)) == [2.0, 5.0]
    for wrong in ((count = 7,), (offset = 1,), (dims = (3, 3),), (dims = (10^9,), steps = (0,)), (dims = (2^40, 2^40), steps = (0, 0)), (steps = (2^40, 2),), (offset = -1,), (dims = (-1, 3),),
                  (dims = (2,),), (count = 2^50,), (dims = (2^62, 2), steps = (2^62, 2^62)))
        @test occursin("expected a tensor", message(() -> tensor(; wrong...)))
    end
end

@testset "five hundred damaged files" begin
    mktempdir() do folder
        file = joinpath(folder, "value.pt")
        value = Dict("a" => randn(MersenneTwister(1), 3, 4), "b" => Dict(0.0 => [1.0f0, 2.0f0], 1.0 => "text"), "c" => (1, nothing))
        pickle(file, value)
        whole = read(file)
        rng = MersenneTwister(2)
        wrong = String[]
        for k in 1:500
            bytes = copy(whole)
            if isodd(k)
                foreach(_ -> bytes[rand(rng, 1:length(bytes))] = rand(rng, UInt8), 1:rand(rng, 1:8))
            else
                bytes = bytes[1:rand(rng, 0:length(bytes)-1)]
                k % 4 == 0 && append!(bytes, rand(rng, UInt8, rand(rng, 0:100)))
            end
            write(file, bytes)
            # A byte of the padding may have been hit: then the value is what it was.
            said = message(() -> isequal(unpickle(file), value) || error("another value"))
            said == "no error" || occursin("expected a file written by pickle", said) && !occursin('\n', said) || push!(wrong, "$k: $said")
        end
        @test wrong == String[]
    end
end

# Without the checksum that protects an archive, the machine itself sees every damage.
@testset "five hundred damaged pickles" begin
    data, storages = pickled(Dict("a" => randn(MersenneTwister(1), 3, 4), "b" => Dict(0.0 => [1.0f0, 2.0f0]), "c" => (1, nothing, Any[2^40, "text"])))
    contents = Dict{String,Any}(string(k - 1) => bytes for (k, bytes) in enumerate(storages))
    rng = MersenneTwister(3)
    wrong = String[]
    for k in 1:500
        bytes = copy(data)
        foreach(_ -> bytes[rand(rng, 1:length(bytes))] = rand(rng, UInt8), 1:rand(rng, 1:4))
        said = message(() -> unpickled(bytes, 1, contents, 10_000))
        said == "no error" || occursin("PickleError", said) || push!(wrong, "$k: $said")
    end
    @test wrong == String[]
end

end

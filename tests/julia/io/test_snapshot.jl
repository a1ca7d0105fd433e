# Snapshots: every kind of field there and back to the last bit, in place, and what is refused.
using Random
using MLPFlow: snapshot, restore!, msgpack, unmsgpack

struct Still
    a::Float64
    b::Symbol
    c::Vector{Int}
end

mutable struct Moving
    n::Int
    still::Still
end

mutable struct Everything
    flag::Bool
    letter::Char
    n::Int
    word::UInt64
    small::Int32
    x::Float64
    single::Float32
    name::Symbol
    text::String
    nobody::Nothing
    perhaps::Union{Nothing,Float64}
    perhaps_array::Union{Nothing,Vector{Float64}}
    v::Vector{Float64}
    M::Matrix{Float64}
    cube::Array{Float64,3}
    counts::Vector{Int}
    flags::Vector{Bool}
    bytes::Vector{UInt8}
    names::Vector{Symbol}
    pair::Tuple{Int,Float64}
    stages::NTuple{3,Vector{Float64}}
    memory::Vector{Vector{Float64}}
    pairs::Vector{Tuple{Int,Float64}}
    named::NamedTuple{(:a, :b),Tuple{Float64,Vector{Float64}}}
    still::Still
    moving::Moving
    left_out::Any
end

MLPFlow.transient(::Everything) = (:left_out,)

const ODD_FLOATS = [NaN, -0.0, 0.0, Inf, -Inf, 5e-324, floatmax(), 1 / 3, reinterpret(Float64, 0xfff8_0000_dead_beef)]

everything() = Everything(true, 'ß', typemin(Int), typemax(UInt64), typemin(Int32), -0.0, 0.1f0, :flow, "äöü ∂θ", nothing, 0.5, nothing, copy(ODD_FLOATS),
                          reshape(copy(ODD_FLOATS), 3, 3), fill(NaN, 2, 0, 3), [typemin(Int), typemax(Int), 0], [true, false], [0x00, 0xff],
                          [:a, :b], (typemax(Int), NaN), ([1.0], Float64[], [-0.0, 2.0]), [[1.0, NaN], Float64[]], [(1, -0.0), (2, Inf)],
                          (a = -0.0, b = [1.0, 2.0]), Still(NaN, :still, [1, 2]), Moving(-1, Still(-0.0, :in, [3])), sin)

nothing_yet() = Everything(false, ' ', 0, 0, 0, 0.0, 0.0f0, :none, "", nothing, nothing, [1.0], zeros(9), zeros(3, 3), zeros(2, 0, 3), zeros(Int, 2), Bool[],
                           UInt8[1, 2], [:x, :y], (0, 0.0), ([0.0], [1.0], [0.0, 0.0]), [[0.0, 0.0], [1.0, 2.0]], [(0, 0.0), (0, 0.0)],
                           (a = 0.0, b = [0.0, 0.0]), Still(0.0, :x, [0, 0]), Moving(0, Still(0.0, :x, [0])), cos)

bits(x) = msgpack(snapshot(x))

@testset "there and back to the last bit" for through in (identity, data -> unmsgpack(msgpack(data)))
    there, back = everything(), nothing_yet()
    v, M, moving, stage = back.v, back.M, back.moving, back.stages[3]
    @test restore!(back, through(snapshot(there))) === back
    @test bits(back) == bits(there)
    for name in fieldnames(Everything)
        name === :left_out && continue
        @test typeof(getfield(back, name)) === typeof(getfield(there, name))
        @test isequal(bits(getfield(back, name)), bits(getfield(there, name)))
    end
    @test reinterpret(UInt64, back.v) == reinterpret(UInt64, ODD_FLOATS) && back.x === -0.0
    @test back.left_out === cos
    # In place where the sizes agree, and never the memory of the other.
    @test back.v === v && back.M === M && back.moving === moving && back.stages[3] === stage
    there.counts[1] = there.memory[2] === back.memory[2] ? 0 : 5
    @test back.counts[1] == typemin(Int) && there.counts[1] == 5
    # What was there becomes nothing.
    @test restore!(everything(), snapshot(nothing_yet())).perhaps === nothing
end

mutable struct Buffer
    x::Matrix{Float64}
    work::Vector{Float64}
    count::Int
end
MLPFlow.filled(b::Buffer) = (x = b.count, work = 0)

@testset "what is not filled takes no room and stays as it is" begin
    full, empty = Buffer(rand(3, 1000), rand(10^4), 2), Buffer(zeros(3, 1000), zeros(10^4), 0)
    data = snapshot(full)
    @test length(msgpack(data)) < 200
    restore!(empty, unmsgpack(msgpack(data)))
    @test empty.x[:, 1:2] == full.x[:, 1:2] && all(iszero, empty.x[:, 3:end]) && all(iszero, empty.work)
    @test restore!(Buffer(zeros(3, 1), zeros(1), 0), data).x == full.x[:, 1:2]      # grows
    @test_throws ArgumentError restore!(Buffer(zeros(4, 9), zeros(1), 0), data)
end

mutable struct Holder
    x::Any
end

@testset "what is not plain is refused: $(typeof(x))" for x in (sin, Dict("a" => 1), Set([1]), IOBuffer(), MersenneTwister(1), Int, view([1.0], 1:1), Ref(sin))
    @test_throws ArgumentError snapshot(Holder(x))
end

@testset "data of another struct is refused" begin
    data = snapshot(everything())
    @test_throws ArgumentError restore!(nothing_yet(), delete!(copy(data), "v"))
    @test_throws ArgumentError restore!(nothing_yet(), merge(data, Dict("other" => 1)))
    for (name, wrong) in ("flag" => 1, "letter" => -1, "n" => 1.0, "n" => true, "small" => 2^40, "word" => -1, "x" => 1, "name" => 3, "v" => [1, 2], "M" => [1.0],
                          "pair" => Any[1], "stages" => Any[1.0], "still" => Any[], "text" => :symbol, "nobody" => "x", "moving" => Dict{String,Any}())
        e = try restore!(nothing_yet(), merge(data, Dict{String,Any}(name => wrong))); nothing catch e e end
        @test e isa ArgumentError && occursin("Everything.$name", e.msg)
    end
    @test_throws ArgumentError restore!(everything(), 3)
    @test_throws ArgumentError restore!(Still(0.0, :a, [1]), snapshot(Still(1.0, :a, [1])))
end

@testset "files are replaced as a whole" begin
    mktempdir() do folder
        path, temporary = joinpath(folder, "a"), joinpath(folder, ".a.part")
        MLPFlow.write_atomically(path, temporary, UInt8[1, 2, 3])
        @test read(path) == [1, 2, 3]
        MLPFlow.write_atomically(path, temporary, UInt8[])
        @test read(path) == UInt8[] && readdir(folder) == ["a"]
        @test_throws SystemError MLPFlow.write_atomically(path, joinpath(folder, "no", "b"), UInt8[1])
        mkdir(joinpath(folder, "taken"))
        touch(joinpath(folder, "taken", "inside"))
        @test_throws SystemError MLPFlow.write_atomically(joinpath(folder, "taken"), temporary, UInt8[1])
        @test sort(readdir(folder)) == ["a", "taken"]
        ispath("/dev/full") && @test_throws SystemError MLPFlow.write_out(MLPFlow.open_descriptor("/dev/full", 1), UInt8[1], "/dev/full")
    end
end

@testset "sealed files: any damage gives one clear error" begin
    line = "test file 1\n"
    value = Dict("a" => rand(MersenneTwister(3), 50), "b" => "text", "c" => [1, 2, 3])
    bytes = MLPFlow.sealed(line, value)
    @test MLPFlow.unsealed(line, bytes, "f") == value
    rng = MersenneTwister(4)
    refused(damaged) = try MLPFlow.unsealed(line, damaged, "the file"); false catch e e isa ArgumentError && occursin("the file", e.msg) end
    for trial in 1:200
        damaged = copy(bytes)
        kind = trial % 4
        kind == 0 && (damaged[rand(rng, 1:end)] ⊻= 0x01 << rand(rng, 0:7))
        kind == 1 && (damaged = damaged[1:rand(rng, 0:end-1)])
        kind == 2 && append!(damaged, rand(rng, UInt8, rand(rng, 1:20)))
        kind == 3 && (k = rand(rng, 1:length(bytes)-8); damaged[k:k+7] .= rand(rng, UInt8, 8))
        damaged == bytes || @test refused(damaged)
    end
    @test refused(UInt8[]) && refused(zeros(UInt8, 100)) && refused(Vector{UInt8}("test file 2\n"))
    # A seal around something that is not MessagePack.
    junk = fill(0xc1, 10)
    @test refused(vcat(Vector{UInt8}(line), MLPFlow.little_endian(UInt64(10)), MLPFlow.little_endian(MLPFlow.crc32c(junk)), junk))
end

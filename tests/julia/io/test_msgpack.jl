using Random

roundtrip(x) = MLPFlow.unmsgpack(MLPFlow.msgpack(x))

@testset "scalars at the edges of every code" begin
    for n in (0, 1, 127, 128, 255, 256, 65535, 65536, 2^32 - 1, 2^32, typemax(Int64), typemax(UInt64),
              -1, -32, -33, -128, -129, -32768, -32769, -2^31, -2^31 - 1, typemin(Int64))
        @test roundtrip(n) == n
    end
    for x in (0.0, -0.0, 1.5, Inf, -Inf, nextfloat(0.0), pi, floatmax())
        @test roundtrip(x) === Float64(x)
    end
    @test isnan(roundtrip(NaN))
    @test roundtrip(1.5f0) === 1.5
    @test roundtrip(true) === true && roundtrip(false) === false && roundtrip(nothing) === nothing
    @test_throws ArgumentError MLPFlow.msgpack(big(2)^70)
    @test_throws ArgumentError MLPFlow.msgpack(1 + 2im)
end

@testset "strings, binary, lists and maps of every header width" begin
    for n in (0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536)
        @test roundtrip("x"^n) == "x"^n
        @test roundtrip(fill(0x07, n)) == fill(0x07, n)
        @test roundtrip(Any["a" for _ in 1:n]) == Any["a" for _ in 1:n]
        d = Dict{String,Any}("k$i" => i for i in 1:n)
        @test roundtrip(d) == d
    end
    @test roundtrip("äöü ∂θ") == "äöü ∂θ"
    @test roundtrip(:symbol) == "symbol"
    @test roundtrip((1, "a", nothing)) == Any[1, "a", nothing]
    @test roundtrip((loss = 1.0, t = [1.0])) == Dict("loss" => 1.0, "t" => [1.0])
    @test roundtrip(Dict(1 => "a", 2 => "b")) == Dict(1 => "a", 2 => "b")
    @test roundtrip(Dict{String,Any}()) isa Dict{String,Any}
end

@testset "arrays of numbers keep type, shape and bits" begin
    rng = MersenneTwister(1)
    for T in MLPFlow.ELEMENT_TYPES, dims in ((0,), (1,), (7,), (2, 3), (3, 0), (2, 3, 4), ())
        a = T === Bool ? rand(rng, Bool, dims...) : T <: Integer ? rand(rng, T, dims...) : T.(randn(rng, dims...))
        a = a isa Array ? a : fill(a)
        b = roundtrip(a)
        expected = T === UInt8 && length(dims) == 1 ? Vector{UInt8} : typeof(a)
        @test b isa expected
        @test isequal(a, b)
    end
    @test roundtrip(view(reshape(1.0:12.0, 3, 4), 2:3, :)) == reshape(1.0:12.0, 3, 4)[2:3, :]
    @test roundtrip([1.0 2.0; 3.0 4.0]') == [1.0 3.0; 2.0 4.0]
    @test roundtrip(1:3) == [1, 2, 3]
    @test roundtrip(Union{Float64,Int}[1.0, 2]) == Any[1.0, 2]
end

struct HalfExchange <: MLPFlow.AbstractExchange
    store::Dict{Int,Array}
end
MLPFlow.deposit!(e::HalfExchange, a::Array) =
    sizeof(a) < 100 ? nothing : (push!(e.store, length(e.store) => a); length(e.store) - 1)
MLPFlow.withdraw!(e::HalfExchange, a::Array, offset) = copyto!(a, e.store[offset])

@testset "large arrays go through the exchange, small ones stay" begin
    e = HalfExchange(Dict{Int,Array}())
    value = Dict("small" => [1.0, 2.0], "large" => reshape(collect(1.0:24.0), 4, 6))
    data = MLPFlow.msgpack(value, e)
    @test length(data) < 100
    @test MLPFlow.unmsgpack(data, e) == value
    @test_throws MLPFlow.MessagePackError MLPFlow.unmsgpack(data)
end

@testset "published encodings" begin
    # The example on msgpack.org, and codes from the specification.
    @test MLPFlow.unmsgpack(UInt8[0x82, 0xa7, b"compact"..., 0xc3, 0xa6, b"schema"..., 0x00]) ==
          Dict("compact" => true, "schema" => 0)
    @test MLPFlow.msgpack(-1) == [0xff]
    @test MLPFlow.msgpack(1.0) == [0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]
    @test MLPFlow.unmsgpack([0xd6, 0x05, 0x01, 0x02, 0x03, 0x04]) == MLPFlow.Extension(5, [1, 2, 3, 4])
    @test roundtrip(MLPFlow.Extension(9, [0x01])) == MLPFlow.Extension(9, [0x01])
end

@testset "damaged bytes end in one clear error" begin
    good = MLPFlow.msgpack(Dict("a" => [1.0 2.0; 3.0 4.0], "b" => Any["text", nothing, 12345, Dict("c" => 0x07)]))
    for n in 0:length(good)-1
        @test_throws MLPFlow.MessagePackError MLPFlow.unmsgpack(good[1:n])
    end
    @test_throws MLPFlow.MessagePackError MLPFlow.unmsgpack(vcat(good, 0x00))
    @test_throws MLPFlow.MessagePackError MLPFlow.unmsgpack([0xc1])
    @test_throws MLPFlow.MessagePackError MLPFlow.unmsgpack(fill(0x91, 10_000))
    @test_throws MLPFlow.MessagePackError MLPFlow.unmsgpack([0xdd, 0xff, 0xff, 0xff, 0xff])
    @test_throws MLPFlow.MessagePackError MLPFlow.unmsgpack([0xa2, 0xff, 0xfe])
    rng = MersenneTwister(2)
    for _ in 1:2000
        bad = copy(good)
        bad[rand(rng, 1:length(bad))] = rand(rng, UInt8)
        outcome = try
            MLPFlow.unmsgpack(bad)
            :read
        catch e
            e
        end
        @test outcome === :read || outcome isa MLPFlow.MessagePackError
    end
end

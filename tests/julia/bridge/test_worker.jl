# The parts of the worker that can be tried inside one process: frames over a real pipe, the exchange files.

function pipe_pair()
    ends = Vector{Cint}(undef, 2)
    ccall(:pipe, Cint, (Ptr{Cint},), ends) == 0 || error("no pipe")
    return ends
end
close_descriptor(fd) = ccall(:close, Cint, (Cint,), fd)

@testset "frames over a pipe" begin
    reading, writing = pipe_pair()
    stream = MLPFlow.FrameStream(reading, writing)
    @test MLPFlow.take_frame!(stream; wait=false) === nothing
    frames = [UInt8[], UInt8[1], rand(UInt8, 1000), rand(UInt8, 30_000)]
    for frame in frames
        @test MLPFlow.put_frame(stream, frame)
    end
    for frame in frames
        @test MLPFlow.take_frame!(stream; wait=false) == frame
    end
    MLPFlow.write_all(Cint(writing), UInt8[5, 0, 0, 0, 0, 0, 0, 0, 1, 2])     # a frame of 5 bytes, 2 of them here
    @test MLPFlow.take_frame!(stream; wait=false) === nothing
    MLPFlow.write_all(Cint(writing), UInt8[3, 4, 5])
    @test MLPFlow.take_frame!(stream) == 1:5
    close_descriptor(writing)
    @test_throws EOFError MLPFlow.take_frame!(stream)
    close_descriptor(reading)
end

@testset "a frame larger than every buffer" begin
    large = rand(UInt8, 2_000_000)
    mktemp() do path, file
        write(file, htol(UInt64(length(large))), large, htol(UInt64(1)), 0x07)
        flush(file)
        seekstart(file)
        stream = MLPFlow.FrameStream(fd(file), fd(file))
        @test MLPFlow.take_frame!(stream) == large
        @test MLPFlow.take_frame!(stream) == [0x07]
        @test length(stream.buffer) == MLPFlow.USUAL_BUFFER     # the memory is given back
    end
end

@testset "arrays in exchange files" begin
    mktemp() do path, file
        exchange = MLPFlow.FileExchange(fd(file), fd(file), 64)
        value = Dict("a" => reshape(collect(1.0:20), 4, 5), "b" => collect(1:100), "small" => [1.0])
        data = MLPFlow.msgpack(value, exchange)
        @test filesize(path) == 20 * 8 + 100 * 8
        @test MLPFlow.unmsgpack(data, exchange) == value
        MLPFlow.restart!(exchange)
        @test MLPFlow.unmsgpack(MLPFlow.msgpack(value, exchange), exchange) == value
        @test filesize(path) == 20 * 8 + 100 * 8
    end
    nowhere = MLPFlow.FileExchange(-1, -1, 64)
    @test MLPFlow.unmsgpack(MLPFlow.msgpack(zeros(100), nowhere)) == zeros(100)     # no space: it stays in the message
end

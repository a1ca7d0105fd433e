# The dispatcher inside the client's process, by a client in Julia: frames in by address, frames out through a C function.
module TestInProcess

using MLPFlow, Test
using MLPFlow: msgpack, unmsgpack, serve_in_process

# What the client does with the messages that come; the empty one is its chance to act.
const received = Any[]
const reaction = Ref{Any}(message -> nothing)

function deliver(address::Ptr{UInt8}, length::Csize_t)
    message = length == 0 ? nothing : unmsgpack(copy(unsafe_wrap(Array, address, Int(length))))
    push!(received, message)
    reaction[](message)
    return nothing
end

const SERVE = serve_in_process(Int(@cfunction(deliver, Cvoid, (Ptr{UInt8}, Csize_t))))

function hand_over(message)
    frame = msgpack(message)
    GC.@preserve frame SERVE(Int(pointer(frame)), length(frame))
end

function call(id, name; react = message -> nothing, arguments...)
    empty!(received)
    reaction[] = react
    hand_over(Dict("id" => id, "call" => name, "arguments" => Dict{String,Any}(string(k) => v for (k, v) in arguments)))
    reply = received[end]
    return get(reply, "result", get(reply, "error", nothing))
end

layer(width, activation) = Dict("width" => width, "activation" => activation, "bias" => true)
create(key) = call(key, "net_create"; key = key, layers = [layer(2, "tanh"), layer(1, "identity")], input = [1.0 2.0 3.0 4.0],
                   target = [1.0 0.5 2.0 0.0], weights = nothing, losstype = "mse")

# An explicit method at a tight tolerance, without a tolerance that could be met.
endless(; callback = false) = (net = 7, p = collect(range(-0.4; stop = 0.6, length = 7)), every = 0.0, callback = callback, maxnorm = Inf, merge = nothing,
    options = Dict{String,Any}("alg" => "DP5", "optim_solver" => "newton", "maxT" => Inf, "abstol" => 1e-12, "reltol" => 1e-12, "maxtime_ode" => 30.0,
                               "maxtime_optim" => 30.0, "maxiterations_ode" => 10^9, "maxiterations_optim" => 10^9, "min_gnorm" => 0.0, "minloss" => -Inf))

@testset "calls and errors" begin
    @test call(1, "echo"; value = Any[1, "x", [1.0 2.0]]) == Any[1, "x", [1.0 2.0]]
    @test length(received) == 1 && received[1]["id"] == 1
    error = call(2, "nosuch")
    @test error["kind"] == "ArgumentError" && occursin("expected one of the calls", error["message"]) && occursin("Stacktrace", error["trace"])
    large = rand(300, 400)
    @test call(3, "echo"; value = large) == large
    # What is no frame never reaches the dispatcher: the caller hears of it.
    @test_throws MLPFlow.MessagePackError SERVE(Int(pointer(UInt8[0xc1])), 1)
end

@testset "progress, and a cancel request at a chance to act" begin
    @test create(7) == 7
    asked = Ref(false)
    result = call(8, "train"; endless()..., react = function (message)
        told = any(m -> m !== nothing && haskey(m, "event"), received)
        message === nothing && told && !asked[] && (asked[] = true; hand_over(Dict("cancel" => 8)))
    end)
    @test result["status"] == "interrupted" && asked[]
    @test result["loss"] <= call(9, "value"; net = 7, p = endless().p)
end

@testset "questions are answered, and calls made, from inside the callback" begin
    values, questions = Any[], Ref(0)
    result = call(10, "train"; endless(callback = true)..., react = function (message)
        message !== nothing && haskey(message, "result") && message["id"] == 11 && push!(values, message["result"])
        message !== nothing && haskey(message, "question") || return
        questions[] += 1
        hand_over(Dict("id" => 11, "call" => "value", "arguments" => Dict("net" => 7, "p" => message["question"]["params"])))
        push!(values, message["question"]["loss"])
        hand_over(Dict("id" => 10, "answer" => questions[] == 3))
    end)
    @test result["status"] == "callback" && questions[] == 3
    @test values[1:2:end] ≈ values[2:2:end]
end

end

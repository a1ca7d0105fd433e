# The engine's door for another language: named calls on plain data, in frames of MessagePack.

include("order.jl")
include("session.jl")
include("dispatch.jl")
include("monitor.jl")
include("networks.jl")
include("handlers.jl")
include("products.jl")
include("training.jl")
include("descriptors.jl")
include("exchange.jl")
include("worker.jl")
include("workload.jl")

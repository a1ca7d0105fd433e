# A teacher: a network with parameters attached, which makes targets.

"""
    TeacherNet(; p = nothing, layers, Din = nothing, input = nothing, rng = Random.GLOBAL_RNG)

A network with its parameters `p` (`nothing`: `random_params(rng, ...)`), for `Din` inputs (or those of `input`).
`teacher(input)` gives the outputs, Dout x N.
"""
struct TeacherNet
    layers::Vector{Layer}
    p::Params{Float64}
end

function TeacherNet(; layers, p = nothing, input = nothing, Din = nothing, rng::AbstractRNG = Random.GLOBAL_RNG)
    Din = Din !== nothing ? Din : input !== nothing ? size(input, 1) :
        throw(ArgumentError("TeacherNet: expected Din or input, got neither"))
    built = build_layers(layers, Din, nothing)
    return TeacherNet(built, p === nothing ? random_params(rng, built) : Params(built, flat_params(built, p)))
end

(teacher::TeacherNet)(input::AbstractMatrix) = network_output(teacher.layers, teacher.p.flat, input)

nparams(teacher::TeacherNet) = length(teacher.p)

function Base.show(io::IO, ::MIME"text/plain", teacher::TeacherNet)
    println(io, "TeacherNet with ", nparams(teacher), " parameters")
    print_layers(io, teacher.layers)
end

# A student and its teacher under Gaussian inputs.

"""
    NetI(teacher, student; mean = nothing, covariance = nothing)

Infinite data: the loss is L(p) = E |f(x; p) - f*(x)|^2 (sum over outputs, no 1/2) over Gaussian inputs x with that mean (0) and
covariance (the unit matrix; it may be singular).

- `teacher`: a `TeacherNet`. `student`: layers `(k, f, has_bias)`, or a `Net` or `TeacherNet`, whose layers are taken.
- Both have one hidden layer, with or without biases, any activations (one a neuron), and an identity output layer of the same width.

It goes wherever a `Net` goes: `loss`, `gradient`, `hessian`, `hvp`, `hessian_spectrum`, `train`. Nothing is sampled and no rule is
fixed in advance: every pair of neurons is integrated in closed form or to rounding, see [`evaluators`](@ref). Throws a
`DimensionMismatch` or an `ArgumentError` that names expected and actual. `NetI(p, xt, f)` is the older spelling.
"""
struct NetI
    layers::Vector{Layer}
    teacher::TeacherNet
    distribution::GaussianInputs
    NetI(layers::Vector{Layer}, teacher::TeacherNet, distribution::GaussianInputs) = new(layers, teacher, distribution)
end

function NetI(teacher::TeacherNet, student; mean = nothing, covariance = nothing)
    Din, Dout = teacher.layers[1].nin, teacher.layers[end].nout
    layers = student_layers(student, Din, Dout)
    foreach(check_one_hidden_layer, ("teacher", "student"), (teacher.layers, layers))
    layers[1].nin == Din || throw(DimensionMismatch("expected a student of $Din inputs, as the teacher has, got $(layers[1].nin)"))
    layers[end].nout == Dout ||
        throw(DimensionMismatch("expected a student of $Dout outputs, as the teacher has, got $(layers[end].nout)"))
    return NetI(layers, teacher, GaussianInputs(Din; mean = mean, covariance = covariance))
end

student_layers(student::Union{Net,TeacherNet,NetI}, Din, Dout) = student.layers
student_layers(specification, Din, Dout) = build_layers(specification, Din, Dout)

function check_one_hidden_layer(who, layers)
    length(layers) == 2 || throw(ArgumentError(
        "infinite data: expected a $who with one hidden layer and an output layer, got $(length(layers)) layers; deeper ones need " *
        "sampled or quadrature data"))
    is_identity(layers[2]) || throw(ArgumentError(
        "infinite data: expected a $who with identity outputs, got $(join(unique(map(activation_name, layers[2].activations)), ", "))"))
end

nparams(net::NetI) = nparams(net.layers)
ninputs(net::NetI) = net.layers[1].nin
noutputs(net::NetI) = net.layers[end].nout
Params(net::NetI, flat::AbstractVector) = Params(net.layers, flat)
flat_params(net::NetI, p) = flat_params(net.layers, p)
random_params(rng::AbstractRNG, net::NetI; kwargs...) = random_params(rng, net.layers; kwargs...)

(net::NetI)(p, input::AbstractMatrix) = network_output(net.layers, flat_params(net, p), input)

function Base.show(io::IO, ::MIME"text/plain", net::NetI)
    d = net.distribution
    println(io, "NetI with ", nparams(net), " parameters, ", d.standard && d.centred ? "standard normal" : "Gaussian",
            " inputs, a teacher of ", net.teacher.layers[1].nout, " hidden neurons")
    print_layers(io, net.layers)
end

# What a training run is about, in a few numbers and words: a checkpoint goes on with the problem that it comes from, or not
# at all.

"""
    fingerprint(o::AbstractObjective, x0) -> Dict

What tells the objective `o` and another one apart, as plain data. For a network: layers, loss, penalties and its data (as
checksums); for any other objective its type, the number of parameters and the loss at the start `x0` of the run.
"""
fingerprint(o::AbstractObjective, x0::Vector{Float64}) = Dict{String,Any}(
    "objective" => string(nameof(typeof(o))), "parameters" => nparams(o),
    "loss at the start" => length(x0) == nparams(o) ? value(o, x0) : nothing)

function fingerprint(o::NetObjective{T}, x0::Vector{Float64}) where {T}
    s, nin = o.samples, o.layers[1].nin
    return Dict{String,Any}(
        "objective" => "NetObjective", "parameters" => nparams(o), "inputs" => nin, "layers" => map(layer_text, o.layers),
        "losstype" => loss_name(o.loss), "maxnorm" => o.maxnorm.c, "merge" => merge_tuple(o.layers, o.merge),
        "precision" => string(T), "samples" => s.n, "input" => checksum(s.input), "target" => checksum(s.target),
        "weights" => checksum(s.coefficient), "activations" => own_activations(o.layers))
end

# As an eye, and a comparison of texts, takes it in.
layer_text(l::Layer) = join(unique_runs(l), " ") * (l.bias ? ", bias" : "")
unique_runs(l::Layer) = ["$(run.last - run.first + 1) $(activation_name(run.f))" for run in l.runs]

checksum(a::Array) = Int(crc32c(collect(reinterpret(UInt8, vec(a)))))

# Functions of a user's own have a name that says little: three values of each and of its derivatives say more.
own_activations(layers::Vector{Layer}) =
    [Float64(v) for l in layers for run in l.runs if !has_builtin(run.f) for x in (-0.937, 0.311, 1.173)
     for v in derivatives(run.f, x)]

# The keyword that `Merge` was made from.
function merge_tuple(layers::Vector{Layer}, m::Merge)
    m.columns == 0 && return nothing
    l = findfirst(l -> mapreduce(nparams, +, layers[1:l-1]; init = 0) == m.offset, 1:length(layers))
    return (l, (m.i, m.j), m.lambda)
end

# What is compared only to so many digits: another machine may compute it with another rounding.
const COMPUTED = ("loss at the start", "activations")
# What says nothing to a reader, or counts differently in Python.
const SECRETS = ("input", "target", "weights", "activations", "merge")

"""
    check_fingerprint(here, there, path)

Throw an `ArgumentError` that lists how the fingerprint `here` differs from that `there` in the checkpoint `path`.
"""
function check_fingerprint(here::Dict{String,Any}, there::Dict{String,Any}, path::String)
    names = sort!(collect(union(keys(here), keys(there))))
    different = [difference(name, get(here, name, nothing), get(there, name, nothing)) for name in names
                 if !agree(name, get(here, name, nothing), get(there, name, nothing))]
    isempty(different) || throw(ArgumentError(
        "resume: expected the network and data of the checkpoint $path, got another problem: $(join(different, "; "))"))
    return nothing
end

function agree(name, a, b)
    (name in COMPUTED && a !== nothing && b !== nothing) || return isequal(a, b)
    return length(a) == length(b) && all(pair -> isequal(pair...) || isapprox(pair...; rtol = 1e-6), zip(a, b))
end

difference(name, a, b) = name in SECRETS ? "other numbers in $name" : "$name is $(shown(a)) instead of $(shown(b))"

shown(::Nothing) = "none"
shown(a) = string(a)
shown(a::AbstractVector) = length(a) > 12 ? "$(length(a)) entries" : "(" * join(map(shown, a), ", ") * ")"

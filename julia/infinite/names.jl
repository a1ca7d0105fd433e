# How scripts written for other packages make a NetI.

"""
    NetI(p, xt, f; Din = nothing, mean = nothing, covariance = nothing)

The older spelling: a student with parameters like `p` and a teacher with parameters `xt` (anything with the matrices w1 and w2: `Params`, a
dictionary, a named tuple), both with activation `f`, also written `Val(f)` or `load_potential_approximator(f)`: all three mean
the same evaluators. A column more than inputs (`Din`; when not given, the smaller number of columns of both w1) or than hidden neurons is
a bias.
"""
function NetI(p, xt, f; Din = nothing, mean = nothing, covariance = nothing)
    student, teacher = as_params(p), as_params(xt)
    n = Din === nothing ? min(size(student.w1, 2), size(teacher.w1, 2)) : Int(Din)
    activation = plain_activation(f)
    layers(q, who) = shape_layers(q, n, activation, who)
    return NetI(TeacherNet(; layers = layers(teacher, "teacher"), Din = n, p = teacher), layers(student, "student");
                mean = mean, covariance = covariance)
end

plain_activation(f) = f
plain_activation(::Val{f}) where {f} = f

as_params(p::Params) = p
as_params(p::AbstractDict) = params(p)
as_params(p) = Params(w1 = collect(Float64, p.w1), w2 = collect(Float64, p.w2))

function shape_layers(p::Params, Din::Int, f, who)
    length(getfield(p, :shapes)) == 2 ||
        throw(ArgumentError("infinite data: expected a $who with one hidden layer, got $(length(getfield(p, :shapes)) - 1)"))
    (k, columns1), (Dout, columns2) = getfield(p, :shapes)
    columns1 - Din in (0, 1) || throw(DimensionMismatch("$who: expected w1 with $Din or $(Din + 1) columns, got $columns1"))
    columns2 - k in (0, 1) || throw(DimensionMismatch("$who: expected w2 with $k or $(k + 1) columns, got $columns2"))
    return ((k, f, columns1 > Din), (Dout, identity, columns2 > k))
end

"""
    load_potential_approximator(f) -> f

The activation itself: the evaluators of `NetI` are accurate for every activation, and nothing is approximated by a trained network.
"""
load_potential_approximator(f) = f

# The methods by name, with their options, and what each needs of an objective.

"""
    AbstractSolver

A method as the user asks for it: its name and options. A subtype `S` implements

    solver_name(s)::Symbol
    requirements(s)::Tuple          of :hessian, :curvature (a Hessian or its products) and :residuals
    make_method(s, o)               the `AbstractMethod` with its work space for the objective `o`

and its file adds its constructor to `SOLVERS`, where `solver` is looked up.
"""
abstract type AbstractSolver end

"""
    SOLVERS :: Dict{Symbol,Any}

The constructor of every solver, which takes its options as keywords, by name. The file of a method adds its own.
"""
const SOLVERS = Dict{Symbol,Any}()

"""
    PlainSolver{name}()

The solver of that name, which has no options.
"""
struct PlainSolver{S} <: AbstractSolver end

solver_name(::PlainSolver{S}) where {S} = S

"""
    as_solver(choice) -> AbstractSolver

The solver that `choice` means: a solver, its name, or a dictionary of its name as "kind" and its options. Throws an
`ArgumentError` for a name that is none, for unknown options, and for values that make no sense.
"""
as_solver(solver::AbstractSolver) = solver
as_solver(name::Union{Symbol,AbstractString}) = registered(Symbol(name))()

function as_solver(choice::AbstractDict)
    options = Dict(Symbol(key) => value for (key, value) in choice)
    haskey(options, :kind) || throw(ArgumentError("expected the name of a solver as \"kind\" among its options, got $choice"))
    kind = Symbol(pop!(options, :kind))
    constructor = registered(kind)
    known = fieldnames(constructor)
    for key in keys(options)
        key in known || throw(ArgumentError("expected options among $known for the solver :$kind, got $key"))
    end
    return constructor(; options...)
end

as_solver(other) = throw(ArgumentError("expected solver to be one of $(solver_names()), got $(repr(other))"))

solver_names() = Tuple(sort!(collect(keys(SOLVERS))))

function registered(name::Symbol)
    haskey(SOLVERS, name) || throw(ArgumentError("expected solver to be one of $(solver_names()), got :$name"))
    return SOLVERS[name]
end

"""
    describe_solver(solver)

The choice of a solver as plain data that `as_solver` takes: its name, or a dictionary {kind, options} when it has options.
"""
describe_solver(solver::PlainSolver) = solver_name(solver)

describe_solver(solver::AbstractSolver) = Dict{String,Any}("kind" => String(solver_name(solver)),
    (String(field) => getfield(solver, field) for field in fieldnames(typeof(solver)))...)

"""
    check_requirements(solver, o::AbstractObjective) -> solver

Throws an `ArgumentError` that says what is missing when `o` does not bring what `solver` needs.
"""
function check_requirements(solver::AbstractSolver, o::AbstractObjective)
    for need in requirements(solver)
        meets(o, need) || throw(ArgumentError("solver = :$(solver_name(solver)): expected $(REQUIREMENTS[need]), got a " *
                                              "$(nameof(typeof(o))) without; :bfgs and :lbfgs need a gradient alone"))
    end
    return solver
end

const REQUIREMENTS = Dict(
    :hessian => "an objective with a Hessian (hessian!)",
    :curvature => "an objective with a Hessian or its products (hessian! or hvp!)",
    :residuals => "a sum of squares (a ResidualObjective, or a network with the loss MSE)")

meets(o::AbstractObjective, need::Symbol) =
    need === :hessian ? has_hessian(o) : need === :curvature ? has_hessian(o) || has_products(o) : isleastsquares(o)

# Expectations of a user's own function.

"""
    NormalIntegral(; N = 600, d = 1, mean = nothing, covariance = nothing, rule = :auto, level = nothing, points = 2^14, seed = 0,
                     prune = true, threshold = nothing)

Expectations under a normal distribution in `d` dimensions, the standard one unless `mean` or `covariance` is given:

    I = NormalIntegral(d = 2)
    I(x -> cos(x[1] + x[2]))                    # exp(-1)
    I(x -> cos(x[1] + x[2]), 0.5)               # correlation 0.5 (d = 2): exp(-3/2)
    I(x -> cos(x[1] + x[2]); error = true)      # an IntegralEstimate: value, error, refined

`f` gets a number when d = 1, else the point as a vector; it returns a number or an array. The rules are those of
[`gauss_hermite_net`](@ref); `:auto` takes quasi-Monte Carlo from d = 3 on, because there is no function yet that could decide.
"""
struct NormalIntegral
    distribution::NormalInput
    rule::QuadratureRule
    standard::Bool
    nodes::Matrix{Float64}      # of the standard normal distribution
    weights::Vector{Float64}
end

function NormalIntegral(; N = nothing, d::Integer = 1, mean = nothing, covariance = nothing, kwargs...)
    distribution = NormalInput(d; mean = mean, covariance = covariance)
    rule = candidate_rules(rank_of(distribution); N = N, kwargs...)[1]
    standard = mean === nothing && covariance === nothing
    return NormalIntegral(distribution, rule, standard, rule_nodes(rule, rank_of(distribution))...)
end

(I::NormalIntegral)(f; error::Bool = false) = normal_integral(I, f, I.distribution, error)

function (I::NormalIntegral)(f, u::Real; error::Bool = false)
    I.standard && input_count(I.distribution) == 2 ||
        throw(ArgumentError("expected a standard normal integral with d = 2 together with a correlation, got another one"))
    -1 <= u <= 1 || throw(ArgumentError("expected a correlation from -1 to 1, got $u"))
    return normal_integral(I, f, NormalInput(zeros(2), [1.0 0.0; u sqrt((1 - u) * (1 + u))]), error)
end

function normal_integral(I::NormalIntegral, f, distribution::NormalInput, error::Bool)
    value = weighted_sum(f, inputs_of(distribution, I.nodes), I.weights)
    error || return value
    checks = [(z = rule_nodes(rule, rank_of(I.distribution)); weighted_sum(f, inputs_of(distribution, z[1]), z[2]))
              for rule in check_rules(I.rule)]
    return compare_rules(I.rule, value, checks)
end

weighted_sum(f::F, x::Matrix{Float64}, w::Vector{Float64}) where {F} = size(x, 1) == 1 ?
    sum(w[n] * f(x[1, n]) for n in eachindex(w)) : sum(w[n] * f(view(x, :, n)) for n in eachindex(w))

Base.show(io::IO, I::NormalIntegral) =
    print(io, "NormalIntegral in $(input_count(I.distribution)) dimensions, $(length(I.weights)) nodes ($(rule_name(I.rule)))")

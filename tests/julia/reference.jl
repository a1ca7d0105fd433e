# A slow, independent reference for the tests: everything sample by sample in BigFloat, derivatives by central
# differences with a step of 1e-25, which leaves about 50 correct digits of 77.

module Reference

bigerf(x::BigFloat) = mpfr(:mpfr_erf, x)
bigerfc(x::BigFloat) = mpfr(:mpfr_erfc, x)

# MPFR has the error functions; Julia's standard library does not wrap them. The default rounding is to nearest (0).
for name in (:mpfr_erf, :mpfr_erfc)
    @eval function mpfr(::Val{$(QuoteNode(name))}, x::BigFloat)
        z = BigFloat()
        ccall(($(QuoteNode(name)), :libmpfr), Int32, (Ref{BigFloat}, Ref{BigFloat}, Int32), z, x, 0)
        return z
    end
end
mpfr(name::Symbol, x::BigFloat) = mpfr(Val(name), x)

logistic(x) = 1 / (1 + exp(-x))
cdf(x) = bigerfc(-x / sqrt(big(2))) / 2

const ACTIVATIONS = Dict(
    "identity" => x -> x, "sigmoid" => logistic, "tanh" => tanh, "relu" => x -> max(x, big(0)),
    "softplus" => x -> x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)), "gelu" => x -> x * cdf(x), "silu" => x -> x * logistic(x),
    "selu" => x -> big(1.05070098) * (x > 0 ? x : big(1.67326324) * expm1(x)), "square" => x -> x^2 / 2, "cube" => x -> x^3,
    "exp" => exp, "g" => x -> logistic(4x) + log1p(exp(x)), "sigmoid2" => x -> bigerf(x / sqrt(big(2))),
    "normal_cdf" => cdf, "poly" => x -> big(0.5) - big(0.25) * x + x^2 / 8 + x^3 / 16)

"""
    derivatives(f, x) -> (f, f', f'') in BigFloat by central differences
"""
function derivatives(f, x::Real)
    h, b = big(1e-25), big(x)
    return f(b), (f(b + h) - f(b - h)) / 2h, (f(b + h) - 2f(b) + f(b - h)) / h^2
end

# layers: (k, names of the activations of the k neurons, bias); x: flat parameters, vec([W b]) layer after layer.
function output(layers, x, a)
    offset = 0
    for (k, names, bias) in layers
        d = length(a)
        W = reshape(x[offset+1:offset+k*(d+bias)], k, d + bias)
        offset += k * (d + bias)
        z = [sum(W[i, j] * a[j] for j in 1:d) + (bias ? W[i, d+1] : big(0)) for i in 1:k]
        a = [ACTIVATIONS[names[i]](z[i]) for i in 1:k]
    end
    return a
end

sample_loss(kind, f, y) = kind == "mse" ? sum(abs2, f .- y) : -sum(y .* (f .- log(sum(exp.(f)))))

function loss(kind, layers, x, X, Y, weights, maxnorm, merge)
    N = size(X, 2)
    total = sum(weights[n] * sample_loss(kind, output(layers, x, big.(X[:, n])), big.(Y[:, n])) for n in 1:N) / N
    excess = sum(abs2, x) / (2 * length(x)) - maxnorm
    excess > 0 && (total += excess^3 / 3)
    merge === nothing && return total
    i, j, k, columns, lambda = merge       # rows i and j of the first layer, which has k rows
    return total + big(lambda) / 2 * sum((x[(c-1)*k+i] - x[(c-1)*k+j])^2 for c in 1:columns)
end

function gradient(f, x)
    h = big(1e-25)
    return [(x[i] += h; up = f(x); x[i] -= 2h; down = f(x); x[i] += h; (up - down) / 2h) for i in eachindex(x)]
end

function hessian(f, x)
    h, P = big(1e-25), length(x)
    H = zeros(BigFloat, P, P)
    at(i, a, j, b) = (y = copy(x); y[i] += a; y[j] += b; f(y))
    for i in 1:P, j in 1:i
        H[i, j] = H[j, i] = (at(i, h, j, h) - at(i, h, j, -h) - at(i, -h, j, h) + at(i, -h, j, -h)) / 4h^2
    end
    return H
end

end

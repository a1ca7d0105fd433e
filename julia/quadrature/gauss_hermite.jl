# Gauss-Hermite quadrature for the standard normal density: E[f(x)] = sum_i w_i f(x_i), exact for polynomials of degree 2n - 1.

"""
    gauss_hermite(n) -> (nodes, weights)

The `n` nodes (ascending) and weights of Gauss-Hermite quadrature for x ~ N(0, 1); the weights sum to 1. Those below the
smallest number of Float64 come out as 0 (from about n = 370 on). Nodes: eigenvalues of the Jacobi matrix (Golub and Welsch, Math.
Comp. 23 (1969) 221), refined by Newton's method on the orthonormal Hermite polynomials h_k, with h_n' = sqrt(n) h_(n-1).
Weights: 1/(n h_(n-1)(x_i)^2).
"""
function gauss_hermite(n::Integer)
    n >= 1 || throw(ArgumentError("expected at least 1 node, got $n"))
    nodes = eigvals(SymTridiagonal(zeros(n), [sqrt(k) for k in 1.0:n-1]))
    weights = zeros(n)
    for i in cld(n, 2):-1:1          # from the middle outwards; the other half is its mirror image
        x, w = refined_node(Int(n), 2i == n + 1 ? 0.0 : (nodes[n+1-i] - nodes[i]) / 2)
        nodes[i], nodes[n+1-i] = -x, x
        weights[i] = weights[n+1-i] = w
    end
    return nodes, weights ./ sum(weights)
end

function refined_node(n::Int, x::Float64)
    for _ in 1:2
        h, before, _ = hermite_pair(n, x)
        x -= h / (sqrt(n) * before)
    end
    h, before, exponent = hermite_pair(n, x)
    # h_(n-1) at the node x + d, which is no floating-point number: h_(n-1)' = x h_(n-1) - sqrt(n) h_n.
    d = -h / (sqrt(n) * before)
    at_node = before + d * (x * before - sqrt(n) * h)
    return x, ldexp(1 / (n * at_node^2), -2 * exponent)
end

const HUGE_HERMITE = 2.0^300

# h_n(x) and h_(n-1)(x), both divided by 2^exponent: they pass the largest number from x = 38 on.
function hermite_pair(n::Int, x::Float64)
    before, h, exponent = 0.0, 1.0, 0
    for k in 1:n
        before, h = h, (x * h - sqrt(k - 1.0) * before) / sqrt(Float64(k))
        if abs(h) > HUGE_HERMITE
            before, h, exponent = before / HUGE_HERMITE, h / HUGE_HERMITE, exponent + 300
        end
    end
    return h, before, exponent
end

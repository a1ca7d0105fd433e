# Gauss-Legendre nodes and weights on [-1, 1].

"""
    gauss_legendre(n) -> (nodes, weights)

The roots of the Legendre polynomial of degree n, by Newton's method from the usual asymptotic start, and the weights
2/((1 - x^2) P_n'(x)^2) (Abramowitz and Stegun 25.4.29), ascending.
"""
function gauss_legendre(n::Integer)
    nodes, weights = zeros(n), zeros(n)
    for i in 1:n
        x = cos(big(pi) * (4i - 1) / (4n + 2))
        slope = zero(x)
        for _ in 1:8
            before, p = zero(x), one(x)
            for k in 1:n
                before, p = p, ((2k - 1) * x * p - (k - 1) * before) / k
            end
            slope = n * (x * p - before) / (x^2 - 1)
            x -= p / slope
        end
        nodes[n+1-i] = x
        weights[n+1-i] = 2 / ((1 - x^2) * slope^2)
    end
    return nodes, weights
end

const PANEL_NODES, PANEL_WEIGHTS = gauss_legendre(16)
const OWEN_NODES, OWEN_WEIGHTS = gauss_legendre(20)

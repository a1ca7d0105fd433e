# Proved bounds of the eigenvalues of all symmetric matrices within a matrix of balls.

"""
    eigenvalue_bounds(H::Matrix{Ball}) -> (lower, upper)

Vectors of length P, ascending: for every symmetric matrix in `H` (P x P), its k-th smallest eigenvalue lies between lower[k]
and upper[k].

With V near the eigenvectors of the centre, V'HV = D + E with D diagonal. By Weyl the eigenvalues of D + E are those of D
within |E|, and by Ostrowski they are those of H times factors between the least and the greatest eigenvalue of V'V, which
lie within |I - V'V| of 1. Nothing need be known about the accuracy of V. Source: R. A. Horn, C. R. Johnson, Matrix Analysis
(2013), theorems 4.3.1 and 4.5.9.
"""
function eigenvalue_bounds(H::Matrix{Ball})
    centre = map(leading, H)
    all(isfinite, centre) || return fill(-Inf, size(H, 1)), fill(Inf, size(H, 1))
    V = refined_eigenvectors(map(h -> h.mid, H), eigen(Symmetric(centre)).vectors)
    Vt = permutedims(V)
    tilt = row_sum_bound(minus_identity!(ball_product(Vt, V)))
    M = ball_product(Vt, ball_product(H, V))
    d = [leading(M[i, i]) for i in axes(M, 1)]
    for i in axes(M, 1)
        M[i, i] -= d[i]
    end
    return weyl_ostrowski(sort(d), row_sum_bound(M), tilt)
end

function weyl_ostrowski(d::Vector{Float64}, spread::Float64, tilt::Float64)
    tilt < 0.5 && isfinite(spread) || return fill(-Inf, length(d)), fill(Inf, length(d))
    down(x) = x - 4 * eps() * abs(x) - UNDERFLOW
    up(x) = x + 4 * eps() * abs(x) + UNDERFLOW
    low, high = down(1 - tilt), up(1 + tilt)
    lower = [(v = down(di - spread); down(v > 0 ? v / high : v / low)) for di in d]
    upper = [(v = up(di + spread); up(v > 0 ? v / low : v / high)) for di in d]
    return lower, upper
end

"""
    refined_eigenvectors(H::Matrix{DoubleDouble}, V::Matrix{Float64}) -> Matrix{DoubleDouble}

Eigenvectors with about twice as many true digits, but for the rotations within a cluster of eigenvalues that Float64 cannot tell
apart. Without them |E| would be P eps max |eigenvalue|. Source: T. Ogita, K. Aishima, "Iterative refinement for symmetric
eigenvalue decomposition", Japan J. Indust. Appl. Math. 35 (2018) 1007-1035, algorithm 1.
"""
function refined_eigenvectors(H::Matrix{DoubleDouble}, V::Matrix{Float64})
    Vt = permutedims(V)
    tilt = map(c -> -leading(c), minus_identity!(ball_product(Vt, V)))      # I - V'V
    S = map(leading, ball_product(Vt, ball_product(H, V)))
    values = [S[i, i] / (1 - tilt[i, i]) for i in axes(S, 1)]
    cluster = 2 * (opnorm(S - Diagonal(values)) + opnorm(Diagonal(values)) * opnorm(tilt))
    turn = [refinement(S, tilt, values, cluster, i, j) for i in axes(S, 1), j in axes(S, 2)]
    return map(+, map(DoubleDouble, V), map(b -> b.mid, ball_product(V, turn)))
end

function refinement(S, tilt, values, cluster, i, j)
    gap = values[j] - values[i]
    return abs(gap) > cluster ? (S[i, j] + values[j] * tilt[i, j]) / gap : tilt[i, j] / 2
end

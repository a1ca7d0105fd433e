# The proof that a box holds exactly one critical point: Newton's simplified map contracts it into itself.
#
# For a box c + [-rho, rho], a matrix A, g = grad L(c), and a matrix of intervals [H] that holds the Hessian at every point of
# the box, let b >= |A g| and Z >= |I - A H| for all H in [H], entry by entry. If b + Z rho < rho, the map x -> x - A grad L(x)
# takes the box into its interior and contracts it in the norm max |x_i|/rho_i, with factor q = max (Z rho)_i/rho_i < 1. So
# there is exactly one critical point x* in the box, every H in [H] is regular, |x* - c|_i <= t rho_i with
# t = max (b_i/rho_i)/(1 - q), and therefore also |x* - c| <= b + t Z rho.
#
# Sources: R. Krawczyk, Computing 4 (1969) 187-201; R. E. Moore, SIAM J. Numer. Anal. 14 (1977) 611-615; S. M. Rump,
# "Verification methods: rigorous results using floating-point arithmetic", Acta Numerica 19 (2010) 287-449, theorem 13.3;
# as "radii polynomials": S. Day, J.-P. Lessard, K. Mischaikow, SIAM J. Numer. Anal. 45 (2007) 1398-1424.

"""
    Contraction

The outcome for one box: `proved`, the contraction factor `q`, bounds `error` of |x* - c|, and the Hessian over the box.
"""
struct Contraction
    rho::Vector{Float64}
    proved::Bool
    q::Float64
    error::Vector{Float64}
    H::Matrix{Ball}
end

"""
    contract(exact, centre, inverse, b, rho) -> Contraction

Try the box `centre` ± `rho` with the `ApproximateInverse` and the bounds `b` of |A grad L(centre)|.
"""
function contract(exact::AbstractExactLoss, centre::Vector{DoubleDouble}, inverse::ApproximateInverse, b::Vector{Float64}, rho::Vector{Float64})
    H = box_hessian(exact, centre, rho)
    z = defect_times(inverse, H, rho)
    P = length(rho)
    q = maximum(z[i] / rho[i] for i in 1:P) * (1 + 4 * eps())
    proved = all(i -> (b[i] + z[i]) * (1 + 4 * eps()) < rho[i], 1:P) && q < 1
    proved || return Contraction(rho, false, q, fill(Inf, P), H)
    t = maximum(b[i] / rho[i] for i in 1:P) / (1 - q) * (1 + 8 * eps())
    return Contraction(rho, true, q, [upward(min(t * rho[i], b[i] + t * z[i])) for i in 1:P], H)
end

function box_hessian(exact::AbstractExactLoss, centre::Vector{DoubleDouble}, rho::Vector{Float64})
    P = length(rho)
    return symmetric(exact_hessian!(zeros(Ball, P, P), exact, map(Ball, centre, rho)))
end

# Bounds of |I - A H| rho for all H in the box: |I - A C| rho + |A| (|H - C| rho) with C the matrix that was inverted.
function defect_times(inverse::ApproximateInverse, H::Matrix{Ball}, rho::Vector{Float64})
    P = length(rho)
    spread = [upper_sum(k -> magnitude(H[i, k] - Ball(inverse.centre[i, k])) * rho[k], P) for i in 1:P]
    far, near = upper_product(inverse.size, spread), upper_product(inverse.defect, rho)
    return [upward(far[i] + near[i]) for i in 1:P]
end

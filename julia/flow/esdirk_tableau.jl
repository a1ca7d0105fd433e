# Coefficients of ESDIRK5(4)7L[2]SA2: seven stages, the first explicit, order 5 with an embedded method of order 4, stage
# order 2, L-stable and stiffly accurate.
#
# C. A. Kennedy, M. H. Carpenter, "Diagonally implicit Runge-Kutta methods for stiff ODEs", Applied Numerical Mathematics
# 146 (2019) 221-244. Chosen among five published methods of this kind by their steps on flows of networks: for the same
# error at the end it needs a quarter fewer implicit stages than Kvaerno's ESDIRK 5(4), and a smaller gamma means a pole
# that lies further out (a step may be 1/gamma = 5.4 times the growth time of an unstable direction).

const ESDIRK_STAGES = 7

# Below the diagonal; the diagonal is 0 in the first row and gamma in the others.
const ESDIRK_RATIONALS = (
    gamma = 23 // 125,
    a = ((),
         (23 // 125,),
         (791020047304 // 3561426431547, 791020047304 // 3561426431547),
         (-158159076358 // 11257294102345, -158159076358 // 11257294102345, -85517644447 // 5003708988389),
         (-1653327111580 // 4048416487981, -1653327111580 // 4048416487981, 1514767744496 // 9099671765375,
          14283835447591 // 12247432691556),
         (-4540011970825 // 8418487046959, -4540011970825 // 8418487046959, -1790937573418 // 7393406387169,
          10819093665085 // 7266595846747, 4109463131231 // 7386972500302),
         (-188593204321 // 4778616380481, -188593204321 // 4778616380481, 2809310203510 // 10304234040467,
          1021729336898 // 2364210264653, 870612361811 // 2470410392208, -1307970675534 // 8059683598661)),
    embedded = (-582099335757 // 7214068459310, -582099335757 // 7214068459310, 615023338567 // 3362626566945,
                3192122436311 // 6174152374399, 6156034052041 // 14430468657929, -1011318518279 // 9693750372484,
                1914490192573 // 13754262428401))

const ESDIRK_GAMMA = Float64(ESDIRK_RATIONALS.gamma)
const ESDIRK_A = map(row -> Float64.(row), ESDIRK_RATIONALS.a)

# Order 5 minus order 4.
const ESDIRK_E = Float64.((ESDIRK_RATIONALS.a[7]..., ESDIRK_RATIONALS.gamma) .- big.(ESDIRK_RATIONALS.embedded))

# Abscissae of the stages, sum_j a_ij.
const ESDIRK_C = ntuple(i -> i == 1 ? 0.0 : Float64(sum(big.(ESDIRK_RATIONALS.a[i])) + ESDIRK_RATIONALS.gamma), ESDIRK_STAGES)

# Dense output of order 4: x(t) = (1-t) x + t xnew + t (1-t) sum_i (q_1i + q_2i t + q_3i t^2) k_i, from
# scripts/esdirk_dense_output.jl.
const ESDIRK_Q = ((1.6049103663511266, 1.6049103663511266, -1.757539356176692, -1.8462717711307584, 0.34467820256794696,
                   0.22685592841783173, -0.1775437363805814),
                  (-5.827841827384572, -5.827841827384572, 6.578270275643793, 9.942515664422949, -5.175836229010474,
                   0.6102127595716295, -0.2994788158587537),
                  (4.236770470774637, 4.236770470774637, -4.432057717169989, -7.773794731322515, 5.087648854355395,
                   -1.0742995017308, -0.28103784568136403))

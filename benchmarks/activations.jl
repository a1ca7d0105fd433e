# Nanoseconds an element of every activation in a vectorized loop: the value alone, with the first derivative, and with both.
#     julia -O3 --project=. benchmarks/activations.jl [Float32] [number of elements, default 512]
# Minima of repeats: other processes may share the processor. The arrays stay in the first-level cache.
using MLPFlow

function values!(f::F, a, z) where {F}
    @inbounds MLPFlow.@vectorized for i in eachindex(z)
        a[i] = MLPFlow.activation_value(f, z[i])
    end
end

function slopes!(f::F, a, d1, z) where {F}
    @inbounds MLPFlow.@vectorized for i in eachindex(z)
        a[i], d1[i] = MLPFlow.value_and_slope(f, z[i])
    end
end

function curvatures!(f::F, a, d1, d2, z) where {F}
    @inbounds MLPFlow.@vectorized for i in eachindex(z)
        a[i], d1[i], d2[i] = MLPFlow.derivatives(f, z[i])
    end
end

# The least time of one call, in nanoseconds an element.
function nanoseconds(kernel!::K, n; repeats = 200, calls = 100) where {K}
    kernel!()
    best = typemax(UInt64)
    for _ in 1:repeats
        start = time_ns()
        for _ in 1:calls
            kernel!()
        end
        best = min(best, time_ns() - start)
    end
    return best / (calls * n)
end

function main(T, n)
    z = T.(3 .* sin.(1:n))
    a, d1, d2 = similar(z), similar(z), similar(z)
    println("$T, $n elements, nanoseconds an element")
    println(rpad("activation", 12), lpad("value", 8), lpad("+ f'", 8), lpad("+ f''", 8))
    for f in (exp, softplus, sigmoid, tanh, silu, gelu, normal_cdf, sigmoid2, selu, g, relu, cube, Poly(1, 2, 3, 4))
        times = (nanoseconds(() -> values!(f, a, z), n), nanoseconds(() -> slopes!(f, a, d1, z), n),
                 nanoseconds(() -> curvatures!(f, a, d1, d2, z), n))
        println(rpad(MLPFlow.activation_name(f)[1:min(end, 11)], 12), (lpad(round(t; digits = 2), 8) for t in times)...)
    end
end

main("Float32" in ARGS ? Float32 : Float64, parse(Int, get(filter(a -> all(isdigit, a), ARGS), 1, "512")))

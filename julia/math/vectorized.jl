# Loops that the compiler turns into vector code, with a say in how many vectors it keeps in flight.

"""
    @vectorized for i in range ... end

`@simd ivdep for`, with four vectors in flight: an activation function is one chain of 30 dependent operations, and the
processor by itself looks ahead only two or three of them (20% slower). What is left over, fewer than 64 turns, runs one
vector at a time. `range` is a range of integers with step 1; the turns must not depend on one another, but for sums, whose terms
may be added in any order.
"""
macro vectorized(loop)
    index, range, body = loop_parts(loop, "@vectorized")
    four, single = vectors_in_flight(4), vectors_in_flight(1)
    return quote
        let start = first($range), turns = length($range), bulk = turns & ~63
            $(counting_loop(index, body, :start, 0, :bulk, four))
            $(counting_loop(index, body, :start, :bulk, :turns, single))
        end
        nothing
    end
end

"""
    @streamed for i in range ... end

`@simd ivdep for`, one vector at a time: for short chains of operations over columns, where loads and stores set the pace. Left to
itself the compiler takes four vectors a turn, and runs the columns of a small tile, shorter than that, number by number
(3 times slower at 16 rows). `range` and turns as for `@vectorized`.
"""
macro streamed(loop)
    index, range, body = loop_parts(loop, "@streamed")
    return quote
        let start = first($range), turns = length($range)
            $(counting_loop(index, body, :start, 0, :turns, vectors_in_flight(1)))
        end
        nothing
    end
end

vectors_in_flight(count::Int) = (Symbol("llvm.loop.interleave.count"), count)

function loop_parts(loop, name::String)
    (loop isa Expr && loop.head === :for && loop.args[1].head === :(=)) ||
        throw(ArgumentError("$name: expected `for i in first:last`, got $loop"))
    index, range = map(esc, loop.args[1].args)
    return index, range, esc(loop.args[2])
end

# The marks at the end of the loop are those of Base's `@simd ivdep`, with further ones for LLVM.
counting_loop(index, body, start, from, to, marks...) = quote
    let turn = $from
        while turn < $to
            let $index = $start + turn
                $body
            end
            turn += 1
            $(Expr(:loopinfo, Symbol("julia.simdloop"), Symbol("julia.ivdep"), marks...))
        end
    end
end

# A loop that the compiler turns into vector code and runs four vectors abreast.

"""
    @vectorized for i in range ... end

`@simd ivdep for`, with four vectors in flight: an activation function is one chain of 30 dependent operations, and the
processor by itself looks ahead only two or three of them (20% slower). What is left over, fewer than 64 turns, runs one
vector at a time. `range` is a range of integers with step 1; the turns must not depend on one another.
"""
macro vectorized(loop)
    (loop isa Expr && loop.head === :for && loop.args[1].head === :(=)) ||
        throw(ArgumentError("@vectorized: expected `for i in first:last`, got $loop"))
    index, range = map(esc, loop.args[1].args)
    body = esc(loop.args[2])
    abreast = (Symbol("llvm.loop.interleave.count"), 4)
    return quote
        let start = first($range), turns = length($range), bulk = turns & ~63
            $(counting_loop(index, body, :start, 0, :bulk, abreast))
            $(counting_loop(index, body, :start, :bulk, :turns))
        end
        nothing
    end
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

@testset "the permutation is PyTorch's order" begin
    shapes = [(nin=2, nout=3, bias=true), (nin=3, nout=2, bias=false)]
    W1, b1, W2 = [1.0 2; 3 4; 5 6], [7.0, 8, 9], [10.0 11 12; 13 14 15]
    julia_vector = vcat(vec([W1 b1]), vec(W2))
    order = MLPFlow.python_order(shapes)
    @test julia_vector[order] == 1:15       # numbered above as PyTorch would: W1 by rows, b1, W2 by rows
    @test MLPFlow.from_python(collect(1.0:15), order) == julia_vector
    @test MLPFlow.to_python(julia_vector, order) == 1:15
    @test MLPFlow.to_python([julia_vector 2julia_vector], order) == [1:15 2:2:30]
    H = julia_vector * julia_vector'
    @test MLPFlow.symmetric_to_python(H, order) == (1:15) * (1:15)'
    @test_throws DimensionMismatch MLPFlow.from_python(zeros(14), order)
end

@testset "one neuron, one input" begin
    @test MLPFlow.python_order([(nin=1, nout=1, bias=false)]) == [1]
    @test MLPFlow.python_order([(nin=1, nout=1, bias=true)]) == [1, 2]
end

# The two losses, as types that the objective dispatches on.

abstract type AbstractLoss end

"""
    MSE()

The squared error |f(x) - y|^2, summed over outputs, averaged over samples, without a factor 1/2.
"""
struct MSE <: AbstractLoss end

"""
    CrossEntropy()

The cross-entropy -sum_k y_k log softmax(f(x))_k for labels 1..K (y one-hot) or probability rows y, averaged over samples.
"""
struct CrossEntropy <: AbstractLoss end

losstype(name::AbstractString) = name == "mse" ? MSE() : name == "cross_entropy" ? CrossEntropy() :
    throw(ArgumentError("expected the loss \"mse\" or \"cross_entropy\", got \"$name\""))

loss_name(::MSE) = "mse"
loss_name(::CrossEntropy) = "cross_entropy"

"""To PyTorch and back."""

import numpy as np
import pytest

import mlpflow as mf

torch = pytest.importorskip("torch")
nn = torch.nn


@pytest.mark.parametrize("activation", mf.ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_both_compute_the_same(activation, bias, rng):
    x = rng.standard_normal((30, 2)) * 3
    net = mf.Net([(4, activation, bias), (2, "identity", True)], x, np.zeros((30, 2)))
    p = mf.random_params(net, rng=rng)
    p += 0.1
    module = p.to_torch()
    out = module(torch.from_numpy(x)).detach().numpy()
    scale = np.abs(out).max()
    assert np.allclose(out, net(p), rtol=1e-12, atol=1e-13 * scale)
    back = mf.Params.from_torch(module)
    assert np.array_equal(back, p)
    assert back.layer_spec == net.layers


def test_the_flat_vector_is_parameters_to_vector(small_params):
    module = small_params.to_torch()
    vector = nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
    assert np.array_equal(vector, small_params.flat)
    assert module[0].weight.dtype == torch.float64


def test_one_activation_a_neuron(rng):
    x = rng.standard_normal((9, 3))
    layers = [(3, ["tanh", "square", "identity"], True), (1, "identity", False)]
    net = mf.Net(layers, x, np.zeros(9))
    p = mf.random_params(net, rng=rng)
    module = p.to_torch()
    assert np.allclose(module(torch.from_numpy(x)).detach(), net(p), rtol=1e-13, atol=1e-14)
    assert mf.Params.from_torch(module).layer_spec == net.layers


def test_a_module_of_your_own():
    module = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.GELU(), nn.Linear(3, 1, bias=False)))
    p = mf.Params.from_torch(module)
    assert p.layer_spec == ((3, "gelu", True), (1, "identity", False))
    assert p["b1"].dtype == np.float64
    x = np.ones((4, 2))
    net = mf.Net(p.layer_spec, x, np.zeros(4))
    expected = module(torch.ones(4, 2)).detach().numpy()
    assert np.allclose(net(module), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(1, 1), nn.Dropout()), "expected nn.Linear and the activations"),
        (nn.Sequential(nn.Tanh(), nn.Linear(1, 1)), "expected an nn.Linear first, got Tanh"),
        (nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.ReLU()), "expected one activation after"),
        (nn.Sequential(nn.Linear(1, 1), nn.GELU("tanh")), "expected the exact nn.GELU"),
        (nn.Sequential(nn.Linear(1, 1), nn.Softplus(2)), "expected nn.Softplus with beta=1"),
        (nn.Sequential(), "expected at least one nn.Linear"),
    ],
)
def test_modules_that_have_no_counterpart(module, message):
    with pytest.raises(ValueError, match=message):
        mf.Params.from_torch(module)


def test_what_is_no_module():
    with pytest.raises(TypeError, match=r"expected an nn.Sequential .* got a list"):
        mf.Params.from_torch([1, 2])


@pytest.mark.parametrize("activation", [mf.Poly(0, 1), mf.Activation("a", "sin", "cos", "sin")])
def test_activations_that_torch_cannot_have(activation):
    p = mf.Params.from_flat([(1, activation, False)], 1, [1.0])
    with pytest.raises(ValueError, match="expected built-in activations, got"):
        p.to_torch()


def test_parameters_without_a_network_need_layers():
    p = mf.Params([(np.ones((1, 2)), None)])
    with pytest.raises(ValueError, match="expected parameters that know their activations"):
        p.to_torch()
    assert len(p.to_torch([(1, "tanh", False)])) == 2
    with pytest.raises(ValueError, match="expected layers that fit"):
        p.to_torch([(3, "tanh", False)])

"""Parameter counts, the given table, shapes, and receptive fields measured by gradients."""

import pytest
import torch
from torch import nn
from torchsummary import summary

from helpers.model import BaselineNet, ConvNet, count_parameters, to_device
from helpers.receptive_field import receptive_field
from helpers.recipes import RECIPES

GIVEN_TABLE = """\
            Conv2d-1            [-1, 4, 28, 28]              40
            Conv2d-2            [-1, 8, 28, 28]             296
         MaxPool2d-3            [-1, 8, 14, 14]               0
            Conv2d-4           [-1, 16, 14, 14]           1,168
            Conv2d-5           [-1, 32, 14, 14]           4,640
         MaxPool2d-6             [-1, 32, 7, 7]               0
            Conv2d-7             [-1, 64, 5, 5]          18,496
            Conv2d-8             [-1, 10, 5, 5]             650
         AvgPool2d-9             [-1, 10, 1, 1]               0
"""


def our_net() -> ConvNet:
    return RECIPES["notebook"].model()


def test_baseline_prints_the_given_table(capsys):
    summary(BaselineNet(), (1, 28, 28), device="cpu")
    table = capsys.readouterr().out.split("=" * 64 + "\n")
    assert table[1] == GIVEN_TABLE
    assert "Total params: 25,290\n" in table[2] and "Non-trainable params: 0\n" in table[2]
    assert count_parameters(BaselineNet()) == 25_290


def test_our_parameter_count_agrees_with_torchsummary(capsys):
    model = our_net()
    summary(model, (1, 28, 28), device="cpu")
    assert f"Total params: {count_parameters(model):,}\n" in capsys.readouterr().out
    assert count_parameters(model) < 15_000


def test_shared_weights_count_once():
    conv = nn.Conv2d(4, 4, 3, bias=False)
    assert count_parameters(nn.Sequential(conv, conv)) == 144
    assert count_parameters(conv.requires_grad_(False)) == 0


@pytest.mark.parametrize(
    "make", [BaselineNet, our_net, lambda: ConvNet([[4]]), lambda: ConvNet([[(4, 5, 2)], [6, (8, 1)]])]
)
def test_logits_have_one_row_per_image(make):
    assert make()(torch.randn(3, 1, 28, 28)).shape == (3, 10)


@pytest.mark.parametrize("make", [BaselineNet, our_net])
def test_eval_mode_uses_running_statistics(make):
    """In eval mode an image's logits do not depend on its neighbours, in train mode they do."""
    model, images = make(), torch.randn(8, 1, 28, 28)
    model(images)
    model.eval()
    torch.testing.assert_close(model(images)[:2], model(images[:2]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model(images), model(images), atol=0, rtol=0)
    model.train()
    assert not torch.allclose(model(images)[:2], model(images[:2]), atol=1e-2)


def test_baseline_statistics_move_in_train_mode_only():
    model, images = BaselineNet(), 5 + torch.randn(8, 1, 28, 28)
    model.eval()(images)
    assert all(
        torch.equal(model.get_buffer(f"mean{i}"), torch.zeros_like(model.get_buffer(f"mean{i}"))) for i in range(1, 6)
    )
    model.train()(images)
    assert all(model.get_buffer(f"mean{i}").abs().sum() > 0 for i in range(1, 6))


@pytest.mark.parametrize("stages", [[], [[8], []]])
def test_empty_stages_are_refused(stages):
    with pytest.raises(ValueError, match="non-empty"):
        ConvNet(stages)


@pytest.mark.parametrize("unpadded, sizes", [((), [28, 14, 14]), ((-1,), [28, 14, 12]), ((0, 2), [26, 13, 11])])
def test_named_convolutions_are_unpadded(unpadded, sizes):
    model = ConvNet([[4], [4, 4]], unpadded=unpadded)
    layers = [layer for layer in receptive_field(model) if layer.type == "Conv2d" and layer.kernel == 3]
    assert [layer.output_size for layer in layers] == sizes


def test_activation_is_chosen_by_name():
    layers = [type(layer) for layer in ConvNet([[4], [8, 8]], activation="SiLU").modules()]
    assert layers.count(nn.SiLU) == 3 and nn.ReLU not in layers


@pytest.mark.parametrize("num_norms", range(5))
def test_num_norms_counts_them_and_the_others_have_a_bias(num_norms):
    layers = list(ConvNet([[4], [4, 4]], num_norms=num_norms).modules())
    convs = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    assert [norm.num_features for norm in norms] == [4, 4, 4, 10][:num_norms]
    assert [conv.bias is not None for conv in convs] == [i >= num_norms for i in range(3)] + [True]
    assert all((norm.momentum, norm.eps) == (0.1, 1e-5) for norm in norms)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unpadded": (3,)}, r"unpadded must be in -3\.\.2"),
        ({"unpadded": (-4,)}, r"unpadded must be in -3\.\.2"),
        ({"num_norms": -1}, r"num_norms must be in 0\.\.4"),
        ({"num_norms": 5}, r"num_norms must be in 0\.\.4"),
        ({"stages": [[(8, 28)], [8], [8]]}, "no pixel is left after convolution 1 of 3"),
    ],
)
def test_what_a_network_cannot_be_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvNet(**{"stages": [[4], [4, 4]], "unpadded": (0,)} | arguments)


def test_dropout_drops_whole_maps_before_the_head():
    model = ConvNet([[8], [16]], dropout=0.5).train()
    seen = []
    model.layers[-3].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))  # the head
    model(torch.randn(32, 1, 28, 28))
    empty = (seen[0] == 0).flatten(2).all(dim=2)
    assert 0.3 < empty.float().mean() < 0.7


def test_the_weights_order_in_memory_is_that_of_the_device():
    on_cpu, elsewhere = to_device(our_net(), "cpu"), to_device(our_net(), "meta")
    weights = [layer.weight for layer in on_cpu.modules() if isinstance(layer, nn.Conv2d) and layer.in_channels > 1]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    assert all(p.is_contiguous() for p in elsewhere.parameters())

"""Parameter counts, the given table, shapes, and receptive fields measured by gradients."""

import pytest
import torch
from torch import nn
from torchsummary import summary

from helpers.beyond.conv_net import ConvNet
from helpers.beyond.recipes import ALL_RECIPES
from helpers.beyond.shared import SharedBatchNorm2d, SharedConv2d
from helpers.model import BaselineNet, LessonNet, count_parameters, to_device
from helpers.own_network.receptive_field import receptive_field
from helpers.own_network.scorecard import count_used

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


def our_net() -> LessonNet:
    return ALL_RECIPES["lesson"].model()


def our_conv_net() -> ConvNet:
    """The same network in the words of the records."""
    return ConvNet((((8, 4),), (16, 16), (16, 24, 24)), unpadded=(0, -2, -1), dropout=0.05)


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


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_lessons_network_is_a_conv_net_to_the_last_bit(mode):
    models = []
    for make in (LessonNet, our_conv_net):
        torch.manual_seed(0)
        models.append(make())
    written, made = models[0], models[1].layers
    assert [type(layer) for layer in written] == [type(layer) for layer in made]
    images = torch.randn(64, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    logits = []
    for model in (written, made):
        model.train()(images[:32])  # moves the running statistics away from where they begin
        torch.manual_seed(2)  # for dropout
        logits.append(getattr(model, mode)()(images))
        logits[-1].square().mean().backward()
    assert torch.equal(*logits)
    state, other = written.state_dict(), made.state_dict()
    assert state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state)
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(written.parameters(), made.parameters(), strict=True))


def test_the_lessons_network_is_a_list_of_layers_whose_dropout_the_recipe_sets():
    assert isinstance(our_net(), LessonNet) and len(list(our_net())) == len(our_conv_net().layers)
    assert [layer.p for layer in LessonNet(0.3) if isinstance(layer, nn.Dropout2d)] == [0.3]
    assert [layer.p for layer in our_net() if isinstance(layer, nn.Dropout2d)] == [ALL_RECIPES["lesson"].dropout]


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
    """In eval mode an image's logits do not depend on its neighbors, in train mode they do."""
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


def moved_orientations(maps: torch.Tensor, orientations: int, mirrored: bool) -> torch.Tensor:
    """Maps (N, C, H, W) in the order that a turned or a mirrored image would give them."""
    maps = maps.unflatten(1, (-1, orientations // 4, 4))  # (N, filters, mirrors, turns, H, W)
    return (maps.flip(2, 3) if mirrored else maps).roll(1, 3).flatten(1, 3)


@pytest.mark.parametrize("orientations", [4, 8])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_turned_or_mirrored_image_gives_the_same_maps_turned_or_mirrored(orientations, mode):
    shared = {"orientations": orientations}
    layers = nn.Sequential(
        SharedConv2d(1, 2, 5, **shared),
        SharedBatchNorm2d(2),
        nn.SiLU(),
        SharedConv2d(2 * orientations, 3, 4, padding=1, **shared),
        SharedBatchNorm2d(3),
        SharedConv2d(3 * orientations, 3, 3, padding=1, groups=3 * orientations, **shared),
    )
    images = torch.randn(4, 1, 28, 28)
    for norm in (layers[1], layers[4]):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    layers.train()(images)
    getattr(layers, mode)()
    maps = layers(images)
    assert maps.shape == (4, 3 * orientations, 23, 23)
    turned = moved_orientations(maps.rot90(1, (2, 3)), orientations, mirrored=False)
    torch.testing.assert_close(layers(images.rot90(1, (2, 3))), turned, atol=1e-4, rtol=1e-4)
    mirrored = layers(images.flip(3))
    if orientations == 8:
        torch.testing.assert_close(mirrored, moved_orientations(maps.flip(3), 8, True), atol=1e-4, rtol=1e-4)
    else:
        assert not torch.allclose(mirrored.mean(dim=(2, 3)).sort(dim=1)[0], maps.mean(dim=(2, 3)).sort(dim=1)[0])
    per_filter = layers[:5](images).unflatten(1, (3, -1))
    if mode == "train":  # one mean and deviation for all maps of a filter
        torch.testing.assert_close(per_filter.mean(dim=(0, 2, 3, 4)), layers[4].bias, atol=1e-4, rtol=1e-4)


def test_shared_filters_are_in_every_reader(capsys):
    model = ConvNet([[(2, 5)], [3, 3]], orientations=8, unpadded=(0, -1), num_norms=2)
    count = 2 * 25 + 2 * 2 + 3 * 16 * 9 + 3 * 2 + 3 * 24 * 9 + 3 + 10 * 24 + 10
    summary(model, (1, 28, 28), device="cpu")
    table = capsys.readouterr().out
    assert f"Total params: {count:,}\n" in table and "SharedConv2d-1           [-1, 16, 24, 24]" in table
    assert count_used(model)[0] == count_parameters(model) == count
    rows = [(row.channels, row.kernel, row.receptive_field) for row in receptive_field(model) if row.type == "Conv2d"]
    assert rows == [(16, 5, 5), (24, 3, 10), (24, 3, 14), (10, 1, 14)]
    assert model(torch.randn(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((8, 2, 3), {"groups": 2}, "groups must be 1, or 8 where as many maps come in: .* got 2, and 8 maps"),
        ((8, 1, 3), {"groups": 8}, "groups must be 1, or 4 where as many maps come in: .* got 8, and 8 maps"),
        ((16, 2, 3), {"groups": 8}, "got 8, and 16 maps"),
        ((1, 2, (3, 5)), {}, r"must be square, got \(3, 5\)"),
        ((1, 2, 3), {"orientations": 6}, r"orientations must be 4 .* or 8 .*, got 6"),
    ],
)
def test_what_a_shared_convolution_cannot_be_is_named(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        SharedConv2d(*arguments, **{"orientations": 4} | settings)


def test_a_shared_convolution_takes_what_a_convolution_takes():
    settings = {"padding": 2, "dilation": 2, "padding_mode": "circular"}
    shared = SharedConv2d(1, 1, 3, orientations=4, **settings)
    plain = nn.Conv2d(1, 4, 3, **settings)
    with torch.no_grad():
        plain.weight.copy_(shared.bank())
        plain.bias.copy_(shared.bias.expand(4))
    image = torch.randn(2, 1, 9, 9)
    assert torch.equal(shared(image), plain(image))
    depthwise = SharedConv2d(8, 2, 3, groups=8, orientations=4)
    assert repr(depthwise) == "SharedConv2d(8, 2, kernel_size=(3, 3), stride=(1, 1), groups=8, orientations=4)"


@pytest.mark.parametrize("orientations", [1, 4, 8])
def test_a_separable_network_reads_each_map_by_itself_and_then_mixes_them(orientations):
    model = ConvNet([[(4, 5)], [3, 2]], orientations=orientations, separable=True)
    assert [tuple(p.shape) for p in model.parameters() if p.ndim == 4] == [
        (4, 1, 5, 5),
        (4, 1, 3, 3),
        (3, 4 * orientations, 1, 1),
        (3, 1, 3, 3),
        (2, 3 * orientations, 1, 1),
        (10, 2 * orientations, 1, 1),
    ]
    by_itself = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)][1]
    maps = torch.zeros(1, 4 * orientations, 9, 9)
    maps[:, 1] = torch.randn(9, 9)
    seen = by_itself(maps).flatten(2).any(dim=2)
    assert seen.nonzero().tolist() == [[0, 1]]
    model.eval()
    assert count_used(model)[0] == count_parameters(model)
    rows = [(row.channels, row.kernel, row.receptive_field) for row in receptive_field(model) if row.type == "Conv2d"]
    assert [row[1:] for row in rows] == [(5, 5), (3, 10), (1, 10), (3, 14), (1, 14), (1, 14)]


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
        ({"orientations": 2}, "orientations must be 1, 4 .* or 8"),
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

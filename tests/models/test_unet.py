"""The U-Net: shapes, that time and class are heard, that pictures are answered one by one."""

import pytest
import torch

from genimg.models import unet

SHAPES = [(8, 1, None), (16, 3, 2), (32, 3, 1), (64, 3, None), (40, 1, None), (104, 3, None)]


@pytest.mark.parametrize(("size", "channels", "patch"), SHAPES)
def test_unet(size, channels, patch):
    net = unet.UNet(size, channels, width=12, max_width=20, patch=patch, classes=4)
    x, t = torch.randn(2, channels, size, size), torch.tensor([0.1, 0.8])
    assert torch.equal(net(x, t), torch.zeros_like(x))
    torch.nn.init.normal_(net.last.weight)
    for module in net.modules():
        if isinstance(module, unet.Block):
            torch.nn.init.normal_(module.conv2.weight, std=0.02)
    y = net(x, t, torch.tensor([0, 1]))
    assert y.shape == x.shape
    assert not torch.allclose(y, net(x, t, torch.tensor([2, 1]))[:, :]) and not torch.allclose(y, net(x, t))
    assert not torch.allclose(y, net(x, t.flip(0), torch.tensor([0, 1])))
    alone = net(x[:1], t[:1], torch.tensor([0]))
    assert torch.allclose(alone, y[:1], atol=1e-4), "a picture's answer depends on its neighbours"


@pytest.mark.parametrize(("size", "patch"), [(7, None), (8, 4), (16, 3), (520, None)])
def test_unet_refuses(size, patch):
    with pytest.raises(ValueError, match="it is built for"):
        unet.UNet(size, patch=patch)

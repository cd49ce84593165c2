import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from distildoc.schema.errors import ConfigError
from distildoc.train.ema import Ema


def _module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


def _shake(module):
    module(torch.randn(8, module[0].in_features))  # moves the batch-norm statistics
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn_like(weight))


def test_equals_torchs_averaged_model_once_the_decay_has_risen():
    module = _module()
    ours = Ema(module, decay=0.9)
    theirs = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    theirs.update_parameters(module)  # its first update copies
    for update in range(100, 120):
        _shake(module)
        ours.update(update)
        theirs.update_parameters(module)
    for name, weight in theirs.module.named_parameters():
        torch.testing.assert_close(ours.shadow[name], weight.detach())


def test_early_updates_follow_the_rising_decay():
    module = _module()
    ema = Ema(module, decay=0.999)
    shadow = module[0].weight.detach().numpy().astype(np.float64)
    for update in range(5):
        _shake(module)
        ema.update(update)
        kept = min(0.999, (1 + update) / (10 + update))
        shadow = kept * shadow + (1 - kept) * module[0].weight.detach().numpy()
    np.testing.assert_allclose(ema.shadow["0.weight"].numpy(), shadow, rtol=1e-5)


def test_batch_norm_statistics_are_copied():
    module = _module()
    ema = Ema(module, decay=0.9)
    _shake(module)
    ema.update(50)
    assert torch.equal(ema.shadow["1.running_mean"], module[1].running_mean)
    assert int(ema.shadow["1.num_batches_tracked"]) == 1


def test_bfloat16_weights_keep_an_fp32_shadow():
    # the smallest bfloat16 step at 1 is 1/128; a mean that moves by 1/1000 a step would stand still in bfloat16
    module = nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    nn.init.constant_(module.weight, 1.0)
    ema = Ema(module, decay=0.999)
    nn.init.constant_(module.weight, 2.0)
    ema.update(100_000)
    assert float(ema.shadow["weight"]) == pytest.approx(1.001)


def test_own_weights_return_after_an_error():
    module = _module()
    ema = Ema(module, decay=0.9)
    _shake(module)
    own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(RuntimeError), ema.applied():
        assert torch.equal(module[0].weight, ema.shadow["0.weight"])
        raise RuntimeError
    assert all(torch.equal(tensor, own[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ConfigError, match="EMA"):
        Ema(_module(), decay=decay)

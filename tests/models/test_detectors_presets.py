import pytest
import torch

from distildoc.core.model import parameter_count
from distildoc.models.detectors.families import family_of
from distildoc.models.detectors.presets import DETECTORS, find_detector
from distildoc.schema.errors import ConfigError

# Millions of weights for the 80 classes of COCO, from the tables of D-FINE (arXiv:2410.13842, table 1; N from the
# authors' page) and RT-DETR (arXiv:2304.08069, table 2; 2407.17140).
PUBLISHED = {
    "d-fine-n": 4,
    "d-fine-s": 10,
    "d-fine-m": 19,
    "d-fine-l": 31,
    "rtdetr-r18": 20,
    "rtdetr-r50": 42,
    "rtdetrv2-r18": 20,
    "rtdetrv2-r50": 42,
}


def blank(name: str, classes: int = 80, **settings):
    config = find_detector(name).config(3, (640, 640), **settings)
    config.num_labels = classes
    with torch.device("meta"):
        return family_of(config).network(config)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_presets_have_the_published_number_of_weights(name):
    assert abs(parameter_count(blank(name)) / 1e6 - PUBLISHED[name]) < 1


@pytest.mark.parametrize("name", DETECTORS)
def test_every_preset_has_pyramids_and_decoders_that_fit(name):
    model = blank(name).model
    assert len(model.encoder_input_proj) == len(model.config.feat_strides) == model.config.num_feature_levels
    assert model.config.freeze_backbone_batch_norms is False


def test_small_presets_are_small():
    assert parameter_count(blank("d-fine-micro", 11)) < 2e6
    assert parameter_count(blank("rtdetrv2-micro", 11)) < 2e6
    assert 4e6 < parameter_count(blank("d-fine-mini", 11)) < 8e6


def test_unknown_names_and_misfits_are_refused():
    with pytest.raises(ConfigError, match="closest: d-fine-micro"):
        find_detector("dfine-micro")
    with pytest.raises(ConfigError, match="`strides` must be neighbours"):
        blank("d-fine-micro", strides=(8, 32), points=(4, 4))
    with pytest.raises(ConfigError, match="multiple of `heads`"):
        blank("rtdetrv2-micro", width=60, heads=8)
    with pytest.raises(ConfigError, match="one value a stride"):
        blank("d-fine-micro", strides=(16, 32))
    with pytest.raises(ConfigError, match="4 stages"):
        blank("rtdetrv2-micro", widths=(8, 16))

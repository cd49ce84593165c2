"""Run files that ask for wrong classes and rare ones: what is trained on, and what is not touched."""

from collections.abc import Callable

import pytest

from distildoc.recipes.config import RunConfig
from distildoc.recipes.files import config_hash
from distildoc.recipes.pages import listed_pages
from distildoc.recipes.pages import test_pages as pages_to_test
from distildoc.schema.errors import ConfigError

ConfigOf = Callable[..., RunConfig]


def test_only_training_pages_get_wrong_classes(config_of: ConfigOf) -> None:
    clean, noisy = config_of(), config_of(data={"label_noise": {"share": 0.4, "seed": 1}})
    (train, held), (wrong, wrong_held) = listed_pages(clean.data), listed_pages(noisy.data)
    off = [a.label != b.label for a, b in zip(train.pages, wrong.pages, strict=True)]
    assert sum(off) == round(0.4 * len(train))
    assert wrong_held.fingerprint == held.fingerprint
    assert pages_to_test(noisy.data, train.labels).fingerprint == pages_to_test(clean.data, train.labels).fingerprint
    assert config_hash(noisy) != config_hash(clean)


def test_only_training_pages_become_rare_and_noise_comes_after(config_of: ConfigOf) -> None:
    config = config_of(data={"imbalance": {"ratio": 4}, "label_noise": {"share": 0.5}})
    rare = config_of(data={"imbalance": {"ratio": 4}})
    (train, held), (both, _) = listed_pages(rare.data), listed_pages(config.data)
    most = max(train.counts().values())
    assert sorted(train.counts().values(), reverse=True) == [most, round(most / 2), round(most / 4)]
    assert held.fingerprint == listed_pages(config_of().data)[1].fingerprint
    assert [page.id for page in both.pages] == [page.id for page in train.pages]
    assert sum(a.label != b.label for a, b in zip(train.pages, both.pages, strict=True)) == round(len(train) / 2)


@pytest.mark.parametrize("data", [{"label_noise": {"share": 1.5}}, {"imbalance": {"ratio": 0.5}}])
def test_values_out_of_range_are_refused(data: dict[str, object], config_of: ConfigOf) -> None:
    with pytest.raises(ConfigError, match=r"'data\."):
        config_of(data=data)

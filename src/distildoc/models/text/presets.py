"""Text classifiers by short name, with random weights and a vocabulary learnt from the run's own texts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt
from transformers import BertConfig, PreTrainedConfig

from distildoc.schema.errors import ConfigError, closest

Dropout = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class MeanConfig:
    """A mean of embeddings (see MeanBody)."""

    width: int
    hidden: int
    dropout: float


@dataclass(frozen=True)
class TextPreset:
    """config  makes the config from (vocabulary, tokens); its keyword-only arguments are what a run may set."""

    config: Callable[..., PreTrainedConfig | MeanConfig]
    about: str

    def __str__(self) -> str:
        return self.about


def bert(
    vocabulary: int,
    tokens: int,
    *,
    width: PositiveInt = 128,
    depth: PositiveInt = 2,
    heads: PositiveInt = 2,
    dropout: Dropout = 0.1,
) -> PreTrainedConfig:
    """BERT: `depth` blocks of `width` features."""
    if width % heads:
        raise ConfigError(f"model: `width` {width} must be a multiple of `heads` {heads}")
    return BertConfig(
        vocab_size=vocabulary,
        max_position_embeddings=tokens,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )


def mean(
    vocabulary: int, tokens: int, *, width: PositiveInt = 64, hidden: PositiveInt = 64, dropout: Dropout = 0.1
) -> MeanConfig:
    """A bag of tokens: the mean of embeddings of `width`, then `hidden` units."""
    return MeanConfig(width, hidden, dropout)


TEXT_MODELS: dict[str, TextPreset] = {
    "bert-micro": TextPreset(bert, "BERT of 2 blocks, 128 wide, for texts"),
    "text-mean": TextPreset(mean, "mean of token embeddings and a hidden layer, for texts"),
}


def find_text_preset(name: str) -> TextPreset:
    """The preset of that name; raises ConfigError with the closest names."""
    if name not in TEXT_MODELS:
        raise ConfigError(
            f"unknown text model '{name}'; {closest(name, TEXT_MODELS)}; or a hub id or a local folder of transformers"
        )
    return TEXT_MODELS[name]

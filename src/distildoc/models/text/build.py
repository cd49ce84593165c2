"""Text classifiers by name: a preset, a hub id or a local folder of transformers."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, cast

import torch
from pydantic import Field
from torch import nn
from transformers import PreTrainedConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

from distildoc.core.model import Model, Places
from distildoc.core.texts import Tokenise
from distildoc.models import hub
from distildoc.models.bodies import stages_of, take_head
from distildoc.models.build import is_published, plain_config
from distildoc.models.classes import fitted_linear, names_by_row
from distildoc.models.heads import linear_spec
from distildoc.models.text.bodies import MeanBody, SequenceBody
from distildoc.models.text.presets import MeanConfig, find_text_preset
from distildoc.models.text.tokenizers import cut_at, learnt_tokenizer, published_tokenizer
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.json_files import read_json
from distildoc.schema.texts import MAX_TOKENS, TOKENIZER, open_tokenizer

SOURCE = "text"  # of a recipe
TOKENS = 128  # of a text at most, where nothing else is said
LEAST_TOKENS = 8
VOCABULARY = 8000
Tokens = Annotated[int, Field(ge=LEAST_TOKENS, le=MAX_TOKENS)]
Vocabulary = Annotated[int, Field(ge=260, le=1_000_000)]  # the 256 bytes, three special pieces, and one more
CLASSIFIERS = tuple(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
classifier_config = partial(hub.config_from, kinds=CLASSIFIERS, noun="text classifier")


def build_text_model(
    name: str,
    *,
    labels: Sequence[str],
    texts: Callable[[], Iterable[str]],
    tokenizer: str | None = None,
    pretrained: bool = False,
    seed: int = 0,
    tokens: int = TOKENS,
    vocabulary: int = VOCABULARY,
    **settings: Any,
) -> Model:
    """A classifier of texts for these labels.

    name        a preset of TEXT_MODELS, a hub id, or a local folder (config.json, safetensors, tokenizer.json).
    texts       what a preset learns its pieces of words from.
    tokenizer   the content of a tokenizer.json to use in their place, cut at `tokens`; None: learnt, or published.
    pretrained  start from the published weights.
    seed        draws the initial weights.
    tokens      of a text at most; what comes after is cut.
    vocabulary  pieces that a preset learns at most.
    settings    keyword arguments of `text_settings_of(name)`.

    Raises ConfigError for an unknown name, InputError for files that cannot be used.
    """
    if tokens < LEAST_TOKENS:
        raise ConfigError(f"model '{name}': `tokens` must be at least {LEAST_TOKENS}, got {tokens}")
    if pretrained and not is_published(name):
        raise ConfigError(f"model '{name}' has no published weights; set `pretrained: false`")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if is_published(name):
            return _from_published(name, labels, tokens, pretrained)
        content = (
            learnt_tokenizer(texts(), vocabulary=vocabulary, tokens=tokens)
            if tokenizer is None
            else cut_at(tokenizer, tokens)
        )
        return _from_preset(name, labels, content, tokens, settings)


def text_settings_of(name: str) -> Callable[..., object]:
    """A function whose keyword-only arguments are the settings that `build_text_model` takes for this name."""

    def published(*, tokens: Tokens = TOKENS) -> None:
        """A published network is taken as it is."""

    if is_published(name):
        return published
    parameters = inspect.signature(find_text_preset(name).config).parameters
    return _with_settings({key: one for key, one in parameters.items() if one.kind is one.KEYWORD_ONLY})


def text_body(recipe: Mapping[str, object]) -> nn.Module:
    """The body of a saved text model, weights yet to be loaded; raises InputError for a recipe of another make."""
    config = recipe.get("config")
    if not isinstance(config, dict):
        raise InputError("recipe: a text model needs a `config`")
    if recipe.get("body") == "mean":
        return MeanBody(**config)
    network = _blank(classifier_config(config, where="recipe"))
    take_head(network)
    return SequenceBody(network)


def _with_settings(own: Mapping[str, inspect.Parameter]) -> Callable[..., object]:
    """A function that takes a preset's own settings, `tokens` and `vocabulary`."""

    def settings(*, tokens: Tokens = TOKENS, vocabulary: Vocabulary = VOCABULARY) -> None: ...

    shared = inspect.signature(settings).parameters
    settings.__signature__ = inspect.Signature([*shared.values(), *own.values()])  # type: ignore[attr-defined]
    return settings


def _from_preset(name: str, labels: Sequence[str], content: str, tokens: int, settings: Mapping[str, Any]) -> Model:
    size = open_tokenizer(content, TOKENIZER).get_vocab_size()
    config = find_text_preset(name).config(size, tokens, **settings)
    if isinstance(config, MeanConfig):
        return _mean(name, {"vocabulary": size, **asdict(config)}, labels, content)
    config.num_labels = len(labels)
    network = _blank(config)
    return _assemble(name, network, take_head(network), content, labels)


def _from_published(name: str, labels: Sequence[str], tokens: int, pretrained: bool) -> Model:
    folder = hub.folder_of(name, weights=pretrained, more=(TOKENIZER,))
    config = classifier_config(read_json(folder / "config.json"), where=str(folder / "config.json"))
    content = published_tokenizer(folder, tokens=_fitting(config, tokens), padding=config.pad_token_id)
    network = hub.load_network(folder, config, _network_class(config)) if pretrained else _blank(config)
    _check_vocabulary(network, content, str(folder))
    known = names_by_row(config.id2label) if pretrained else []
    return _assemble(name, network, fitted_linear(take_head(network), known, labels, where=name), content, labels)


def _check_vocabulary(network: nn.Module, content: str, where: str) -> None:
    rows = cast(nn.Embedding, network.get_input_embeddings()).num_embeddings  # type: ignore[operator]
    pieces = open_tokenizer(content, where).get_vocab_size()
    if pieces > rows:
        raise InputError(
            f"{where}: {TOKENIZER} has {pieces} pieces, the network embeddings for {rows}; are both of one model?"
        )


def _fitting(config: PreTrainedConfig, tokens: int) -> int:
    """No more tokens than the network has positions for; RoBERTa's begin behind its padding id."""
    positions = getattr(config, "max_position_embeddings", None)
    return tokens if not isinstance(positions, int) or positions <= 2 else min(tokens, positions - 2)


def _network_class(config: PreTrainedConfig) -> type[nn.Module]:
    return cast(type[nn.Module], MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)])


def _blank(config: PreTrainedConfig) -> nn.Module:
    """The network of a config with random weights; raises InputError for a config that no network can be made of."""
    try:
        return _network_class(config)(config)
    except (TypeError, ValueError, KeyError, RuntimeError, ZeroDivisionError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"model: the {config.model_type} config makes no network: {reason}") from None


def _mean(name: str, config: dict[str, Any], labels: Sequence[str], content: str) -> Model:
    linear = nn.Linear(config["hidden"], len(labels))
    recipe = {"source": SOURCE, "name": name, "config": config, "body": "mean", "head": linear_spec(linear)}
    places = Places(penultimate="body", map="body.embeddings", stages=("body.embeddings", "body.layers"))
    return Model(MeanBody(**config), linear, normalise=Tokenise(content), labels=labels, places=places, recipe=recipe)


def _assemble(name: str, network: nn.Module, linear: nn.Linear, content: str, labels: Sequence[str]) -> Model:
    config = plain_config(cast(PreTrainedConfig, network.config))
    recipe = {"source": SOURCE, "name": name, "config": config, "body": "sequence", "head": linear_spec(linear)}
    inside = f"body.network.{network.base_model_prefix}"
    base = network.get_submodule(str(network.base_model_prefix))
    places = Places(penultimate="body", map=inside, stages=stages_of(base, prefix=inside), tokens=1)
    body = SequenceBody(network)
    return Model(body, linear, normalise=Tokenise(content), labels=labels, places=places, recipe=recipe)

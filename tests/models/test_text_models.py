"""Text classifiers against NumPy and against transformers' own tokenizers and networks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from distildoc.core.model import Model
from distildoc.core.texts import Tokenise
from distildoc.export.text_onnx import text_to_onnx
from distildoc.models.grids import grid_of
from distildoc.models.load import fingerprint, load_model, save_model
from distildoc.models.text.build import build_text_model
from distildoc.models.text.tokenizers import learnt_tokenizer
from distildoc.schema.errors import ConfigError, InputError
from distildoc.schema.texts import open_tokenizer, tokens_of

TEXTS = ("a gripping tale , well told", "dull", "Größe matters not at all in this bland , bland story", "well ! told")
LABELS = ("negative", "positive")
SMALL = {"vocab_size": 320, "num_labels": 2, "pad_token_id": 0}


def as_bytes(texts: tuple[str, ...] = TEXTS) -> torch.Tensor:
    rows = np.zeros((len(texts), 80), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text.encode())] = np.frombuffer(text.encode(), np.uint8)
    return torch.from_numpy(rows)


def content(tokens: int = 12) -> str:
    return learnt_tokenizer(TEXTS, vocabulary=300, tokens=tokens)


def built(name: str, **settings: object) -> Model:
    return build_text_model(
        name, labels=LABELS, texts=lambda: TEXTS, seed=3, vocabulary=300, tokens=12, **settings
    ).eval()


def test_pieces_of_words_depend_on_the_texts_alone() -> None:
    assert len({content() for _ in range(5)}) == 1
    found = open_tokenizer(content(), "here").encode("Well told")
    assert (found.tokens[0], found.tokens[-1]) == ("[CLS]", "[SEP]")
    ids, mask = tokens_of(open_tokenizer(content(6), "here"), TEXTS)
    assert ids.shape == (4, 6)
    assert mask.sum(1).tolist() == [6, min(6, int(mask[1].sum())), 6, min(6, int(mask[3].sum()))]
    assert (ids[mask == 0] == 0).all()


def test_the_mean_of_embeddings_is_its_formula() -> None:
    model = built("text-mean", width=8, hidden=6, dropout=0.5)
    weights = {name: value.numpy().astype(np.float64) for name, value in model.state_dict().items()}
    ids, mask = tokens_of(open_tokenizer(content(), "here"), TEXTS)
    with torch.no_grad():
        logits = model(as_bytes())["logits"].numpy()
    for row, kept, found in zip(ids, mask, logits, strict=True):
        mean = weights["body.embeddings.weight"][row[kept == 1]].mean(0)
        hidden = weights["body.layers.1.weight"] @ mean + weights["body.layers.1.bias"]
        gelu = 0.5 * hidden * (1 + np.vectorize(__import__("math").erf)(hidden / np.sqrt(2)))
        np.testing.assert_allclose(found, weights["head.weight"] @ gelu + weights["head.bias"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["text-mean", "bert-micro"])
def test_filling_up_changes_nothing_and_an_empty_text_stays_finite(name: str) -> None:
    model = built(name, width=8)
    with torch.no_grad():
        together, alone = model(as_bytes())["logits"], model(as_bytes(("dull",)))["logits"]
        empty = model(torch.zeros(1, 80, dtype=torch.uint8))["logits"]
    torch.testing.assert_close(together[1:2], alone)
    assert torch.isfinite(empty).all()


@pytest.mark.parametrize("name", ["text-mean", "bert-micro"])
def test_a_saved_model_says_the_same_and_carries_its_tokenizer(name: str, tmp_path: Path) -> None:
    model = built(name, width=8)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert fingerprint(loaded) == fingerprint(model)
    with torch.no_grad():
        assert torch.equal(loaded(as_bytes())["logits"], model(as_bytes())["logits"])
    loaded.entry.normalise = Tokenise(content(5))
    assert fingerprint(loaded) != fingerprint(model)


@pytest.mark.parametrize(
    ("config", "network"),
    [
        (
            BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, **SMALL),
            BertForSequenceClassification,
        ),
        (DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=16, **SMALL), DistilBertForSequenceClassification),
        (
            RobertaConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, **SMALL),
            RobertaForSequenceClassification,
        ),
    ],
    ids=["bert", "distilbert", "roberta"],
)
def test_a_published_folder_gives_the_logits_of_transformers(
    config: BertConfig, network: Callable[..., torch.nn.Module], tmp_path: Path
) -> None:
    config.id2label, config.label2id = dict(enumerate(LABELS)), {name: i for i, name in enumerate(LABELS)}
    torch.manual_seed(0)
    network(config).save_pretrained(tmp_path)  # type: ignore[operator]
    fast = PreTrainedTokenizerFast(tokenizer_object=open_tokenizer(content(40), "here"), pad_token="[PAD]")
    fast.save_pretrained(tmp_path)
    model = build_text_model(str(tmp_path), labels=LABELS, texts=lambda: (), pretrained=True, tokens=40).eval()
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    given = AutoTokenizer.from_pretrained(tmp_path)(list(TEXTS), padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = theirs(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
        assert torch.equal(model.entry(as_bytes())[:, 0], given["input_ids"])
        torch.testing.assert_close(model(as_bytes())["logits"], expected)


@pytest.mark.parametrize("name", ["text-mean", "bert-micro"])
def test_the_graph_says_the_same_on_other_lengths(name: str, tmp_path: Path) -> None:
    import onnxruntime

    model = built(name, width=8)
    text_to_onnx(model, tmp_path / "model.onnx", temperature=2.0)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for texts in (TEXTS, TEXTS[:1], ("dull",)):
        ids, mask = tokens_of(open_tokenizer(content(), "here"), texts)
        (logits,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        with torch.no_grad():
            np.testing.assert_allclose(logits, model(as_bytes(texts))["logits"] / 2, rtol=1e-4, atol=1e-5)


def test_a_tokenizer_of_another_network_is_told(tmp_path: Path) -> None:
    BertConfig(
        **{**SMALL, "vocab_size": 50}, hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    ).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content())
    with pytest.raises(InputError, match="300 pieces, the network embeddings for 50; are both of one model"):
        built(str(tmp_path))


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown text model 'bert-mikro'; closest: bert-micro"):
        built("bert-mikro")
    with pytest.raises(ConfigError, match="'text-mean' has no published weights"):
        built("text-mean", pretrained=True)
    with pytest.raises(ConfigError, match="maps and patches are of pages"):
        grid_of(built("text-mean"), (32, 32))(torch.zeros(2, 5, 8))
    assert grid_of(built("text-mean"), (32, 32))(torch.zeros(2, 8)).shape == (2, 8, 1, 1)
    BertConfig(**SMALL).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"no tokenizer\.json; save the model's fast tokenizer beside it"):
        built(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="no tokenizer of the library tokenizers"):
        built(str(tmp_path))

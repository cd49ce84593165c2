"""Tokenizers of models that bring none: byte pairs learnt from texts, a pure function of the texts and two numbers."""

from collections.abc import Iterable
from pathlib import Path

from distildoc.schema.errors import InputError
from distildoc.schema.texts import TOKENIZER, open_tokenizer, read_tokenizer

SPECIAL = ("[PAD]", "[CLS]", "[SEP]")


def learnt_tokenizer(texts: Iterable[str], *, vocabulary: int, tokens: int) -> str:
    """The content of a tokenizer.json: byte pairs of lower-cased words between [CLS] and [SEP]; no text is unknown.

    BERT's word pieces would be another vocabulary at every call: their trainer breaks ties by chance.
    vocabulary  at most so many pieces, the 256 bytes and three special ones among them.
    tokens      at most so many a text, [CLS] and [SEP] among them; what comes after is cut.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", SPECIAL.index("[SEP]")), ("[CLS]", SPECIAL.index("[CLS]"))
    )
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return str(tokenizer.to_str())


def cut_at(content: str, tokens: int) -> str:
    """The content of the same tokenizer, which cuts its texts at so many tokens."""
    tokenizer = open_tokenizer(content, "the tokenizer of the start")
    tokenizer.enable_truncation(tokens)
    return str(tokenizer.to_str())


def published_tokenizer(folder: Path, *, tokens: int, padding: int | None) -> str:
    """The content of a published model's tokenizer.json, cut and filled up as the model wants it.

    padding  the id that the network takes for filling; None: 0.
    Raises InputError where the folder has no fast tokenizer.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise InputError(f"{folder}: no {TOKENIZER}; save the model's fast tokenizer beside it")
    tokenizer = open_tokenizer(read_tokenizer(path), str(path))
    filling = max(0, padding or 0)  # some configs say -1 where there is none
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(pad_id=filling, pad_token=tokenizer.id_to_token(filling) or "[PAD]")
    return str(tokenizer.to_str())

"""Tokenizers of models that bring none: word pieces learnt from texts, a pure function of the texts and two numbers."""

from collections.abc import Iterable
from pathlib import Path

from distildoc.schema.errors import InputError
from distildoc.schema.texts import MAX_TOKENIZER_BYTES, TOKENIZER, open_tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def learnt_tokenizer(texts: Iterable[str], *, vocabulary: int, tokens: int) -> str:
    """The content of a tokenizer.json: lower-cased word pieces between [CLS] and [SEP], as BERT's.

    vocabulary  at most so many pieces.
    tokens      at most so many a text, [CLS] and [SEP] among them; what comes after is cut.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=vocabulary, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    first, last = (tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", last), ("[CLS]", first))
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    return str(tokenizer.to_str())


def published_tokenizer(folder: Path, *, tokens: int, padding: int | None) -> str:
    """The content of a published model's tokenizer.json, cut and filled up as the model wants it.

    padding  the id that the network takes for filling; None: 0.
    Raises InputError where the folder has no fast tokenizer.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise InputError(f"{folder}: no {TOKENIZER}; save the model's fast tokenizer beside it")
    if path.stat().st_size > MAX_TOKENIZER_BYTES:
        raise InputError(f"{path}: {path.stat().st_size} bytes, more than {MAX_TOKENIZER_BYTES} for a tokenizer")
    tokenizer = open_tokenizer(path.read_text(encoding="utf-8"), str(path))
    filling = padding or 0
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(pad_id=filling, pad_token=tokenizer.id_to_token(filling) or "[PAD]")
    return str(tokenizer.to_str())

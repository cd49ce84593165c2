"""Tokens: the entry of a model that reads texts, as Pixels is of one that reads pages."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from distildoc.schema.texts import bounded_tokenizer, texts_of, tokens_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Tokenise:
    """How a network wants its texts: the content of a tokenizer.json, with how texts are cut and filled up."""

    tokenizer: str

    @cached_property
    def opened(self) -> "Tokenizer":
        return bounded_tokenizer(self.tokenizer, "the model's tokenizer")


class Tokens(nn.Module):
    """[B, L] uint8, UTF-8 filled up with zeros, to [B, 2, T] int64: token ids, and a mask that is 0 on filling."""

    def __init__(self, normalise: Tokenise) -> None:
        super().__init__()
        self.normalise = normalise

    def forward(self, texts: Tensor) -> Tensor:
        tokens = np.stack(tokens_of(self.normalise.opened, texts_of(texts.cpu().numpy())), axis=1)
        return torch.from_numpy(tokens).to(texts.device)

"""Bodies of text classifiers: tokens [B, 2, T] (ids, mask) to what the head reads, [B, D]."""

from torch import Tensor, nn


class SequenceBody(nn.Module):
    """A transformers sequence classifier whose `classifier` ends in an identity.

    The whole network stays in place under `.network`, so that its weights keep their names.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> Tensor:
        ids, mask = tokens.unbind(1)
        features: Tensor = self.network(input_ids=ids, attention_mask=mask).logits
        return features


class MeanBody(nn.Module):
    """The mean embedding of a text's tokens, and a hidden layer; zeros where a text has no token.

    vocabulary  number of token ids.
    width       of an embedding.
    hidden      units of the layer behind the mean, which is what the head reads.
    """

    def __init__(self, vocabulary: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embeddings.weight, std=0.1)
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, hidden), nn.GELU())

    def forward(self, tokens: Tensor) -> Tensor:
        ids, mask = tokens.unbind(1)
        embedded = self.embeddings(ids)
        weight = mask.to(embedded.dtype).unsqueeze(-1)
        mean = (embedded * weight).sum(1) / weight.sum(1).clamp_min(1)
        features: Tensor = self.layers(mean)
        return features

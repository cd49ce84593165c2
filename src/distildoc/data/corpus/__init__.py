"""The built-in corpus: generated pages of all 16 RVL-CDIP classes with words and DocLayNet layout regions."""

from distildoc.data.corpus.classes import PAGE_CLASSES, REGION_CLASSES, SPLITS
from distildoc.data.corpus.make import CorpusSummary, make_corpus

__all__ = ["PAGE_CLASSES", "REGION_CLASSES", "SPLITS", "CorpusSummary", "make_corpus"]

"""Data sets by name, page sets, augmentation and batches.

DATA lists the readers; an installed package adds its own through the entry-point group `distildoc.data`, each a module
with `read(*, ...) -> PageSet`.
"""

from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from distildoc.schema.errors import ConfigError, closest

DATA: dict[str, str] = {
    "folder": "distildoc.data.readers.folder",
    "corpus": "distildoc.data.readers.corpus",
    "corpus_layout": "distildoc.data.readers.corpus_layout",
    "rvl_cdip": "distildoc.data.readers.rvl_cdip",
    "rvl_cdip_n": "distildoc.data.readers.rvl_cdip_n",
    "tobacco": "distildoc.data.readers.tobacco",
    "hub": "distildoc.data.readers.hub",
    "unlabelled": "distildoc.data.readers.unlabelled",
    "coco": "distildoc.data.readers.coco",
    "doclaynet": "distildoc.data.readers.doclaynet",
    "doclaynet_parquet": "distildoc.data.readers.doclaynet_parquet",
    "publaynet": "distildoc.data.readers.publaynet",
    "prima": "distildoc.data.readers.prima",
    "yolo": "distildoc.data.readers.yolo",
    "table": "distildoc.data.readers.table",
    "label_studio": "distildoc.data.readers.label_studio",
}


def data_module(name: str) -> ModuleType:
    """The reader of that name; raises ConfigError with the closest names.

    >>> data_module("foldr")
    Traceback (most recent call last):
    distildoc.schema.errors.ConfigError: unknown data reader 'foldr'; closest: folder
    """
    if name in DATA:
        return import_module(DATA[name])
    installed = {point.name: point for point in entry_points(group="distildoc.data")}
    if name not in installed:
        raise ConfigError(f"unknown data reader '{name}'; {closest(name, [*DATA, *installed])}")
    module = installed[name].load()
    if not isinstance(module, ModuleType):
        raise ConfigError(f"data reader '{name}': entry point {installed[name].value} is no module")
    return module

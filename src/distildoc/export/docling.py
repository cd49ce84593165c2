"""What docling reads beside the graph: a layout bundle is a docling layout model.

docling makes its pixels with the image processor of transformers that preprocessor_config.json names, and looks the
classes up in config.json. It knows a class by the name of its own enumeration, so config.json carries those names;
bundle.json keeps ours.
"""

from collections.abc import Mapping, Sequence

from distildoc.predict.kinds import known_kind
from distildoc.schema.preprocess import Preprocess

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
MODEL_TYPE = "rt_detr"  # a name that transformers knows; docling reads the classes alone


def why_not_docling(labels: Sequence[str], preprocess: Preprocess, *, channels: int) -> str | None:
    """What stands in the way of using a detector in docling; None where nothing does.

    channels  that the network looks at: one that looks at luma alone may be fed colour.
    """
    if preprocess.fit != "stretch":
        return "docling stretches pages, and this network wants them padded"
    if preprocess.grey and channels != 1:
        return "docling feeds colour, and this network was trained on grey pages"
    unknown = [label for label in labels if known_kind(label) is None]
    return f"docling has no class for {', '.join(unknown)}" if unknown else None


def docling_files(
    labels: Sequence[str], preprocess: Preprocess, *, model_type: str = MODEL_TYPE
) -> Mapping[str, Mapping[str, object]]:
    """Content of the files by name."""
    kinds = [known_kind(label) or label for label in labels]
    return {
        CONFIG: {
            "model_type": model_type,
            "id2label": {str(number): kind for number, kind in enumerate(kinds)},
            "label2id": {kind: number for number, kind in reversed(list(enumerate(kinds)))},
        },
        PROCESSOR: {
            "image_processor_type": "RTDetrImageProcessor",
            "do_resize": True,
            "size": {"height": preprocess.height, "width": preprocess.width},
            "resample": 2,  # bilinear, in Pillow's numbers
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": False,  # the network does that itself
            "do_pad": False,
        },
    }

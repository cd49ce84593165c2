"""Published distillation ideas, one module each: `build(pair, *, settings) -> Method`."""

from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from distildoc.schema.errors import ConfigError, closest

METHODS: dict[str, str] = {
    "supervised": "distildoc.methods.supervised",
    "kd": "distildoc.methods.kd",
    "logit_mse": "distildoc.methods.logit_mse",
    "nkd": "distildoc.methods.nkd",
    "ces_kd": "distildoc.methods.ces_kd",
    "dgkd": "distildoc.methods.dgkd",
    "fitnet": "distildoc.methods.fitnet",
    "pkt": "distildoc.methods.pkt",
    "flow": "distildoc.methods.flow",
    "simkd": "distildoc.methods.simkd",
    "adversarial": "distildoc.methods.adversarial",
    "kdiga": "distildoc.methods.kdiga",
    "simkd_layout": "distildoc.methods.simkd_layout",
    "reviewkd": "distildoc.methods.reviewkd",
    "foreground": "distildoc.methods.foreground",
    "icd": "distildoc.methods.icd",
    "encoder_hint": "distildoc.methods.encoder_hint",
    "masked_image": "distildoc.methods.masked_image",
    "diffkd": "distildoc.methods.diffkd",
    "vam": "distildoc.methods.vam",
    "gates": "distildoc.methods.gates",
    "roi_kd": "distildoc.methods.roi_kd",
    "query_kd": "distildoc.methods.query_kd",
    "attention": "distildoc.methods.attention",
    "fsp": "distildoc.methods.fsp",
    "rkd": "distildoc.methods.rkd",
    "sp": "distildoc.methods.sp",
    "dml": "distildoc.methods.dml",
    "one": "distildoc.methods.one",
    "bss": "distildoc.methods.bss",
    "edge_kd": "distildoc.methods.edge_kd",
    "gradient_logits": "distildoc.methods.gradient_logits",
    "gradient_features": "distildoc.methods.gradient_features",
    "pseudo_labels": "distildoc.methods.pseudo_labels",
    "lelp": "distildoc.methods.lelp",
}
GROUP = "distildoc.methods"  # entry points of other packages: a name, and a module with a `build` like ours


def method_names() -> tuple[str, ...]:
    """Ours, then those that installed packages add."""
    return (*METHODS, *(name for name in sorted(entry_points(group=GROUP).names) if name not in METHODS))


def method_module(name: str) -> ModuleType:
    """The module of a method; raises ConfigError with the closest names."""
    if name in METHODS:
        return import_module(METHODS[name])
    for found in entry_points(group=GROUP, name=name):
        module = found.load()
        if not isinstance(module, ModuleType) or not callable(getattr(module, "build", None)):
            raise ConfigError(f"method '{name}': its entry point {found.value} is no module with a `build`")
        return module
    raise ConfigError(f"unknown method '{name}'; {closest(name, method_names())}")


def tasks_of(module: ModuleType) -> tuple[str, ...]:
    """Tasks that a method is for: its TASKS, or page classification where it does not say."""
    return tuple(getattr(module, "TASKS", ("classification",)))

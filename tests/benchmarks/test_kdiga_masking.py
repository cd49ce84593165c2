"""When the attacks on KDIGA's students say that gradients are hidden."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SYSTEMS = Path(__file__).resolve().parents[2] / "benchmarks" / "systems"
FIRM = {"longest": -0.7, "next seed": 10.0, "teacher": 20.0, "single step": 5.0}  # means, points to PGD-20


@pytest.fixture
def masking(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SYSTEMS))
    import kdiga_masking  # type: ignore[import-not-found]

    return kdiga_masking


def found(**means: float) -> dict[str, Any]:
    """Differences of three seeds, each within half a point of its mean."""
    shifts = np.array([-0.5, 0.0, 0.5])
    return {
        "to pgd-20": {
            name: {"mean": mean, "low": mean - 0.5, "high": mean + 0.5, "seeds": list(mean + shifts), "p_t_test": 0.01}
            for name, mean in {**FIRM, **{name.replace("_", " "): mean for name, mean in means.items()}}.items()
        },
        "longest gain over kd": {"mean": 20.0, "low": 15.0, "high": 25.0},
    }


def test_attacks_that_find_no_more_show_no_masking(masking: ModuleType) -> None:
    assert masking.masking_claim(found())["holds"] is True


@pytest.mark.parametrize("sign", [{"longest": -5.0}, {"next_seed": -4.0}, {"teacher": -4.0}, {"single_step": -4.0}])
def test_every_sign_of_masking_refutes_the_claim(masking: ModuleType, sign: dict[str, float]) -> None:
    assert masking.masking_claim(found(**sign))["holds"] is False


def test_a_drop_of_two_points_that_is_not_excluded_leaves_it_open(masking: ModuleType) -> None:
    assert masking.masking_claim(found(longest=-1.8))["holds"] == "partly"

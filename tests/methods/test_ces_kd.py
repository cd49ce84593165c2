"""methods.ces_kd: strata and pacing by hand, the loss against NumPy, exactly one expert a page."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from distildoc.core.batch import Batch, Key
from distildoc.core.clock import Clock
from distildoc.core.pair import Pair
from distildoc.core.view import View
from distildoc.methods.ces_kd import ChosenExpert, assigned, build, strata_of, unlocked
from distildoc.methods.kd import build as build_kd
from distildoc.schema.errors import ConfigError

END = Clock(10, 10, 1.0)
EXPERTS, PAGES, CLASSES = 3, 6, 5
PairOf = Callable[..., Pair]
T = TypeVar("T")


def of_three(pair_of: PairOf, **settings: object) -> ChosenExpert:
    pair = replace(pair_of("cnn", "none"), experts=EXPERTS)
    return cast(ChosenExpert, build(pair, temperature=2.0, **settings))  # type: ignore[arg-type]


def keyed(values: Mapping[str, T]) -> dict[Key, T]:
    """By page as it is."""
    return {Key(page, 0): value for page, value in values.items()}


def views(seed: int = 0) -> tuple[View, ...]:
    logits = torch.randn(EXPERTS, PAGES, CLASSES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return tuple(View({"logits": one}) for one in logits)


@pytest.mark.parametrize("pages", [3, 7, 100, 101])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_strata_are_of_equal_mass_and_rise_with_difficulty(pages: int, count: int) -> None:
    values = np.random.default_rng(0).exponential(size=pages)
    strata = strata_of(keyed({f"p{i}": value for i, value in enumerate(values)}), count)
    sizes = Counter(strata.values())
    assert max(sizes.values()) - min(sizes[k] for k in range(count)) <= 1 or pages < count
    in_order = [strata[Key(f"p{i}", 0)] for i in np.argsort(values)]
    assert in_order == sorted(in_order)


def test_strata_by_hand() -> None:
    difficulty = {"a": 0.9, "b": 0.1, "c": 2.0, "d": 0.1, "e": 0.5, "f": 7.0}
    assert strata_of(keyed(difficulty), 3) == keyed({"b": 0, "d": 0, "e": 1, "a": 1, "c": 2, "f": 2})


def test_equally_hard_pages_get_the_same_strata_in_any_order() -> None:
    names = [Key(f"p{i}", view) for i in range(5) for view in (1, 2)]
    assert strata_of(dict.fromkeys(names, 1.0), 4) == strata_of(dict.fromkeys(reversed(names), 1.0), 4)


def test_pacing_unlocks_one_expert_after_another_by_hand() -> None:
    found = [unlocked(t, 3, t_full=0.6) for t in (0.0, 0.19, 0.21, 0.39, 0.41, 0.6, 1.0)]
    assert found == [0, 0, 1, 1, 2, 2, 2]
    assert [unlocked(t, 3, t_full=0.0) for t in (0.0, 0.5)] == [2, 2]


def test_reversed_gives_hard_pages_to_the_smallest_and_random_keeps_the_numbers() -> None:
    strata = keyed({f"p{i}": i * 3 // 30 for i in range(30)})
    turned = assigned(strata, 3, how="reversed", seed=0)
    assert all(turned[page] == 2 - stratum for page, stratum in strata.items())
    dealt = assigned(strata, 3, how="random", seed=0)
    assert Counter(dealt.values()) == Counter(strata.values())
    assert dealt != strata
    assert dealt == assigned(dict(reversed(strata.items())), 3, how="random", seed=0)
    assert dealt != assigned(strata, 3, how="random", seed=1)


def test_survey_ranks_by_the_loss_of_the_largest_expert(pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of)
    said = views()
    label = torch.tensor([0, 1, 2, 3, 4, 0])
    labelled = replace(batch, targets={"label": label})
    first, second = labelled.select(torch.arange(4)), labelled.select(torch.arange(4, 6))
    parts = [
        (part, [View({"logits": view.outputs["logits"][rows]}) for view in said])
        for part, rows in ((first, slice(0, 4)), (second, slice(4, 6)))
    ]
    method.survey(parts)
    loss = -log_softmax(said[-1].outputs["logits"].numpy(), -1)[np.arange(PAGES), label]
    assert method.strata == keyed({f"page{page}": rank // 2 for rank, page in enumerate(np.argsort(loss))})


@pytest.mark.parametrize("difficulty", ["entropy", "margin"])
def test_other_scores_need_no_labels(difficulty: str, pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of, difficulty=difficulty)
    said = views()
    p = np.sort(softmax(said[-1].outputs["logits"].numpy(), -1), -1)
    values = -(p * np.log(p)).sum(-1) if difficulty == "entropy" else p[:, -2] - p[:, -1]
    method.survey([(replace(batch, targets={"label": torch.full((PAGES,), -1)}), said)])
    assert method.strata == keyed({f"page{page}": rank // 2 for rank, page in enumerate(np.argsort(values))})


def test_no_page_is_taught_by_a_locked_expert_and_in_the_end_each_by_its_own(pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of, t_full=0.7)
    method.survey([(batch, views())])
    own = torch.tensor([method.strata[key] for key in batch.keys])
    for step in range(11):
        chosen = method.chosen(batch, Clock(step, 10, 0.0))
        most = min(EXPERTS - 1, int(EXPERTS * step / 10 / 0.7))
        assert torch.equal(chosen, own.clamp(max=most))
    assert torch.equal(method.chosen(batch, END), own)
    assert set(own.tolist()) == {0, 1, 2}


def test_loss_is_the_numpy_line_with_one_expert_a_page(pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of)
    said = views()
    method.strata = keyed({f"page{i}": k for i, k in enumerate((2, 0, 1, 1, 0, 2))})
    student = torch.randn(PAGES, CLASSES, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    found = method(View({"logits": student}), said, batch, END)["kl"].item()
    total = 0.0
    for page, k in enumerate((2, 0, 1, 1, 0, 2)):
        p = softmax(said[k].outputs["logits"][page].numpy() / 2.0)
        total += 4 * (p * (np.log(p) - log_softmax(student[page].numpy() / 2.0))).sum()
    assert found == pytest.approx(total / PAGES, rel=1e-9)


def test_other_experts_of_a_page_do_not_matter(pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of)
    method.survey([(batch, views())])
    student = View({"logits": torch.zeros(PAGES, CLASSES, dtype=torch.float64)})
    chosen = method.chosen(batch, END)
    changed = []
    for k, view in enumerate(views()):
        kept = (chosen == k)[:, None]
        changed.append(View({"logits": torch.where(kept, view.outputs["logits"], torch.full_like(kept, 7.0).double())}))
    assert method(student, changed, batch, END)["kl"].item() == method(student, views(), batch, END)["kl"].item()


def test_with_equal_experts_it_is_kd(pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of)
    method.survey([(batch, views())])
    student, same = View({"logits": views(1)[0].outputs["logits"]}), views()[0]
    expected = build_kd(pair_of(), temperature=2.0)(student, same, batch, END)["kl"]
    assert method(student, [same] * EXPERTS, batch, END)["kl"].item() == pytest.approx(expected.item(), rel=1e-12)


def test_a_hard_view_of_a_page_has_another_expert_than_its_easy_one(pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of)
    sure = torch.tensor([5.0, 1.0, 3.0, 0.0, 4.0, 2.0])  # of class 0, by row; the loss falls with it
    said = View({"logits": torch.nn.functional.pad(sure[:, None], (0, CLASSES - 1))})
    keys = tuple(Key(f"page{row // 2}", 1 + row % 2) for row in range(PAGES))
    two_each = replace(batch, targets={"label": torch.zeros(PAGES, dtype=torch.int64)}, keys=keys)
    method.survey([(two_each, [said] * EXPERTS)])
    assert method.chosen(two_each, END).tolist() == [0, 2, 1, 2, 0, 1]


def test_a_view_that_could_not_be_foreseen_has_the_expert_of_its_page(pair_of: PairOf, batch: Batch) -> None:
    method = of_three(pair_of)
    method.survey([(batch, views())])
    augmented = replace(batch, keys=tuple(Key(key.page, 5) for key in batch.keys))
    assert torch.equal(method.chosen(augmented, END), method.chosen(batch, END))


def test_an_average_of_teachers_is_refused_with_the_way_out(pair_of: PairOf) -> None:
    with pytest.raises(ConfigError, match=r"set `teacher\.experts: true`"):
        build(pair_of("cnn", "none"))

import torch
from torch import nn

from distildoc.models.classes import fitted_linear, names_by_row


def test_rows_follow_the_names():
    old = nn.Linear(4, 3)
    new = fitted_linear(old, ["a", "b", "c"], ["c", "a"], where="net")
    assert torch.equal(new.weight, old.weight[[2, 0]])
    assert torch.equal(new.bias, old.bias[[2, 0]])


def test_case_blanks_and_hyphens_do_not_matter():
    old = nn.Linear(4, 2)
    new = fitted_linear(old, ["Scientific Report", "File-Folder"], ["file_folder", "scientific_report"], where="net")
    assert torch.equal(new.weight, old.weight[[1, 0]])


def test_one_unknown_class_makes_the_whole_layer_new():
    torch.manual_seed(0)
    old = nn.Linear(4, 2)
    new = fitted_linear(old, ["a", "b"], ["a", "z"], where="net")
    assert not torch.equal(new.weight[0], old.weight[0])


def test_a_layer_without_bias_stays_without():
    new = fitted_linear(nn.Linear(4, 2, bias=False), ["a", "b"], ["b", "a"], where="net")
    assert new.bias is None


def test_names_stand_in_the_order_of_their_numbers_and_a_missing_number_has_none():
    assert names_by_row({10: "k", 2: "c", 0: "a"}) == ["a", "", "c"]
    assert names_by_row({}) == []

import errno

import pytest

from distildoc.schema.errors import InputError
from distildoc.schema.writing import new_file, new_files, new_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_only_at_the_end(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with new_file(target) as part:
        part.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert names(target.parent) == ["a.txt"]


def test_an_error_keeps_the_old_file_and_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("new", [new_file, new_folder, new_files])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_what_was_to_be_written(new, number, tmp_path):
    with pytest.raises(InputError, match=r"result: the disk is full; .* nothing was written"), new(tmp_path / "result"):
        raise OSError(number, "no room")
    assert names(tmp_path) == []


def test_another_failure_of_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(PermissionError), new_file(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "not allowed")


def test_a_folder_replaces_the_one_before(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old.txt").write_text("old")
    with new_folder(tmp_path / "model") as part:
        (part / "new.txt").write_text("new")
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == ["new.txt"]


def test_an_error_keeps_the_old_folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "model") as part:
        (part / "new.txt").write_text("new")
        raise ZeroDivisionError
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == ["old.txt"]


def test_a_new_folder_can_be_read_by_others(tmp_path):
    with new_folder(tmp_path / "model"):
        pass
    plain = tmp_path / "plain"
    plain.mkdir()
    assert (tmp_path / "model").stat().st_mode == plain.stat().st_mode


def test_several_files_join_those_that_are_there(tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    with new_files(tmp_path) as part:
        (part / "a.txt").write_text("a")
        (part / "b.txt").write_text("b")
        assert not (tmp_path / "a.txt").exists()
    assert names(tmp_path) == ["a.txt", "b.txt", "kept.txt"]


def test_an_error_leaves_a_folder_with_files_as_it_was(tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(ZeroDivisionError), new_files(tmp_path) as part:
        (part / "a.txt").write_text("a")
        raise ZeroDivisionError
    assert names(tmp_path) == ["kept.txt"]

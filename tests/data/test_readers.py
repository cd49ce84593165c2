"""Readers of data sets, on small folders laid out as the owners do."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PIL import Image

from distildoc import data
from distildoc.data import DATA, data_module
from distildoc.data.corpus.classes import PAGE_CLASSES
from distildoc.data.pageset import PageSet, check_pages
from distildoc.data.readers import corpus, folder, rvl_cdip, rvl_cdip_n, tobacco, unlabelled
from distildoc.schema.errors import ConfigError, InputError


def picture(path: Path, shade: int = 255) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), shade).save(path)
    return path


def listed(pages: PageSet) -> list[tuple[str, str | None]]:
    return [(page.id, page.label) for page in pages.pages]


def test_every_reader_of_the_table_can_be_imported_and_reads() -> None:
    assert len(DATA) == 16
    for name in DATA:
        assert callable(data_module(name).read)


def test_a_misspelt_reader_gets_the_closest_name() -> None:
    with pytest.raises(ConfigError, match="unknown data reader 'tobaco'; closest: tobacco"):
        data_module("tobaco")


def test_an_installed_package_adds_its_reader_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "distildoc.data.readers.unlabelled", "distildoc.data")
    monkeypatch.setattr(data, "entry_points", lambda group: {"distildoc.data": [point]}[group])
    assert data_module("mine") is unlabelled
    with pytest.raises(ConfigError, match="closest: mine"):
        data_module("mime")


def test_a_folder_a_class_is_read_with_sorted_classes_and_relative_ids(tmp_path: Path) -> None:
    for name in ("memo/b.jpg", "memo/deep/a.png", "email/c.tif", ".cache/x.png"):
        picture(tmp_path / name)
    (tmp_path / "readme.txt").write_text("about")
    pages = folder.read(path=tmp_path)
    assert pages.labels == ("email", "memo")
    assert listed(pages) == [("email/c.tif", "email"), ("memo/b.jpg", "memo"), ("memo/deep/a.png", "memo")]


def test_pages_of_a_multi_page_file_all_get_the_class_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "memo").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "memo/a.tif", save_all=True, append_images=[Image.new("L", (8, 8))])
    assert listed(folder.read(path=tmp_path)) == [("memo/a.tif#1", "memo"), ("memo/a.tif#2", "memo")]


def test_a_split_folder_is_read_on_request_and_its_ids_carry_the_split(tmp_path: Path) -> None:
    for name in ("train/memo/a.jpg", "val/memo/a.jpg"):
        picture(tmp_path / name)
    assert listed(folder.read(path=tmp_path, split="val")) == [("val/memo/a.jpg", "memo")]
    with pytest.raises(InputError, match="holds the splits train, val; name one"):
        folder.read(path=tmp_path)
    with pytest.raises(InputError, match="no split 'vall'; closest: val"):
        folder.read(path=tmp_path, split="vall")


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "memo/a.jpg")
    (tmp_path / "letter").mkdir()
    with pytest.raises(InputError, match=r"class folder '.*letter' holds no pages"):
        folder.read(path=tmp_path)


def test_a_folder_without_class_folders_or_no_folder_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="has no class folders"):
        folder.read(path=tmp_path)
    with pytest.raises(InputError, match=r"no folder '.*gone'"):
        folder.read(path=tmp_path / "gone")


def test_a_damaged_document_in_a_class_folder_waits_for_the_check(tmp_path: Path) -> None:
    picture(tmp_path / "memo/a.jpg")
    (tmp_path / "memo/b.pdf").write_bytes(b"%PDF-1.4 and nothing more")
    kept, failed = check_pages(folder.read(path=tmp_path), skip_bad=True)
    assert listed(kept) == [("memo/a.jpg", "memo")]
    assert [failure.id for failure in failed] == ["memo/b.pdf"]


def rvl(root: Path, lines: list[str], split: str = "train") -> Path:
    (root / "labels").mkdir(parents=True, exist_ok=True)
    (root / "labels" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_rvl_cdip_is_read_from_its_label_files(tmp_path: Path) -> None:
    rvl(tmp_path, ["imagesq/q/o/c/qoc54c00/80035521.tif 15", "imagese/e/a.tif 9"])
    for name in ("imagesq/q/o/c/qoc54c00/80035521.tif", "imagese/e/a.tif"):
        picture(tmp_path / "images" / name)
    pages = rvl_cdip.read(path=tmp_path, split="train")
    assert listed(pages) == [("imagesq/q/o/c/qoc54c00/80035521.tif", "memo"), ("imagese/e/a.tif", "news_article")]
    assert pages.labels == rvl_cdip.CLASSES and len(pages.labels) == 16
    assert pages.pages[0].image().size == (8, 8)


def test_rvl_cdip_leaves_out_the_one_damaged_test_image(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.tif")
    rvl(tmp_path, ["a.tif 0", "imagese/e/j/e/eje42e00/2500126531_2500126536.tif 6"], "test")
    assert listed(rvl_cdip.read(path=tmp_path, split="test")) == [("a.tif", "letter")]


def test_rvl_cdip_counts_missing_images_and_refuses_a_root_without_any(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rvl(tmp_path, ["a.tif 0", "b.tif 0"])
    with pytest.raises(InputError, match=r"none of the 2 listed images .* e\.g\. a\.tif"):
        rvl_cdip.read(path=tmp_path, split="train")
    picture(tmp_path / "images/a.tif")
    pages = rvl_cdip.read(path=tmp_path, split="train")
    assert "1 of 2 listed images are missing, first b.tif" in caplog.text
    with pytest.raises(InputError, match=r"1 of 2 cannot be read, first .*b\.tif: no such file"):
        check_pages(pages, skip_bad=False)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.tif", "expected `path id`"),
        ("a.tif x", "expected `path id`"),
        ("a.tif 16", "class id 16 is not among 0 to 15"),
        ("../a.tif 1", "leads out"),
        ("/etc/a.tif 1", "leads out"),
    ],
)
def test_a_malformed_rvl_cdip_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"train\.txt, line 2: .*{reason}"):
        rvl_cdip.read(path=rvl(tmp_path, ["a.tif 1", line]), split="train")


def test_rvl_cdip_without_label_files_or_with_an_unknown_split_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels/\{train,val,test\}"):
        rvl_cdip.read(path=tmp_path, split="train")
    with pytest.raises(InputError, match="no split 'validation'"):
        rvl_cdip.read(path=tmp_path, split="validation")


def test_the_classes_of_rvl_cdip_are_those_of_the_built_in_corpus_in_the_same_order() -> None:
    assert rvl_cdip.CLASSES == PAGE_CLASSES


TOBACCO = ("ADVE", "Email", "Form", "Letter", "Memo", "News", "Note", "Report", "Resume", "Scientific")


def make_tobacco(root: Path, pages: int) -> Path:
    """Empty files will do where nothing is decoded."""
    for number in range(pages):
        path = root / TOBACCO[number % 10] / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_tobacco_folders_become_class_names(tmp_path: Path) -> None:
    pages = tobacco.read(path=make_tobacco(tmp_path, 20))
    assert pages.labels[0] == "advertisement" and len(pages.labels) == 10
    assert listed(pages)[:3] == [
        ("ADVE/00000.jpg", "advertisement"),
        ("ADVE/00010.jpg", "advertisement"),
        ("Email/00001.jpg", "email"),
    ]


def test_tobacco_splits_have_800_and_200_pages_and_the_rest_and_do_not_overlap(tmp_path: Path) -> None:
    make_tobacco(tmp_path, 1100)
    parts = {split: {id for id, _ in listed(tobacco.read(path=tmp_path, split=split))} for split in DATA_SPLITS}
    assert [len(part) for part in parts.values()] == [800, 200, 100]
    assert len(set.union(*parts.values())) == 1100
    assert parts["train"] != {id for id, _ in listed(tobacco.read(path=tmp_path, split="train", seed=1))}


DATA_SPLITS = ("train", "val", "test")


def test_tobacco_names_missing_and_unknown_folders_and_too_few_pages(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too few to split"):
        tobacco.read(path=make_tobacco(tmp_path / "few", 20), split="train")
    with pytest.raises(InputError, match="lacks the class folder 'Scientific'"):
        tobacco.read(path=make_tobacco(tmp_path / "nine", 9))
    picture(make_tobacco(tmp_path / "eleven", 10) / "Emails/a.jpg")
    with pytest.raises(InputError, match="is no class of Tobacco-3482; closest: Email"):
        tobacco.read(path=tmp_path / "eleven")


def test_rvl_cdip_n_folders_are_matched_to_rvl_cdip_names(tmp_path: Path) -> None:
    for name in ("File Folder/a.png", "news_article/b.png", "Scientific publication/c.png"):
        picture(tmp_path / name)
    pages = rvl_cdip_n.read(path=tmp_path)
    assert pages.labels == rvl_cdip.CLASSES
    assert listed(pages) == [
        ("File Folder/a.png", "file_folder"),
        ("Scientific publication/c.png", "scientific_publication"),
        ("news_article/b.png", "news_article"),
    ]


def test_rvl_cdip_n_names_an_unknown_class(tmp_path: Path) -> None:
    picture(tmp_path / "Invoices/a.png")
    with pytest.raises(InputError, match="unknown class 'Invoices'; closest: invoice"):
        rvl_cdip_n.read(path=tmp_path)


def make_corpus(root: Path, rows: list[str], header: str = "page_id,path,label,split") -> Path:
    (root / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    return root


def test_the_corpus_is_read_from_its_label_file(tmp_path: Path) -> None:
    picture(tmp_path / "images/p1.jpg", shade=0)
    make_corpus(tmp_path, ["p1,images/p1.jpg,memo,train", "p2,images/p2.jpg,letter,test"])
    pages = corpus.read(path=tmp_path, split="train")
    assert listed(pages) == [("p1", "memo")] and pages.labels == ("letter", "memo")
    assert pages.pages[0].image().getpixel((0, 0)) == 0
    assert len(corpus.read(path=tmp_path)) == 2


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        ([], "page_id,path,label,split", "expected rows"),
        (["p1,a.jpg,memo"], "page_id,path,label", "expected rows"),
        (["p1,a.jpg,memo"], "page_id,path,label,split", "line 2: expected"),
        (["p1,../a.jpg,memo,train"], "page_id,path,label,split", "line 2: expected"),
        (["p1,a.jpg,mem,train"], "page_id,path,label,split", "unknown class 'mem'; closest: memo"),
        (["p1,a.jpg,memo,val"], "page_id,path,label,split", "no split 'train'"),
    ],
)
def test_a_malformed_corpus_is_named(tmp_path: Path, rows: list[str], header: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        corpus.read(path=make_corpus(tmp_path, rows, header), split="train")


def test_a_folder_that_is_no_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels\.csv"):
        corpus.read(path=tmp_path)


def test_unlabelled_pages_have_no_classes(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "b.pdf").write_bytes(b"damaged")
    pages = unlabelled.read(path=tmp_path)
    assert listed(pages) == [("a.png", None), ("b.pdf", None)] and pages.labels == ()
    assert [failure.id for failure in check_pages(pages, skip_bad=True)[1]] == ["b.pdf"]

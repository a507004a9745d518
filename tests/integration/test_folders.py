"""A folder is filled wholly or not at all, also where its filling is interrupted while its files are put in."""

from __future__ import annotations

import shutil

import pytest

from core.errors import StoreError
from core.store.embedded import EmbeddedStore
from core.store.folders import DRAFT, filled, is_free


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def interrupt(folder, put):
    """Leave a folder as a kill leaves it that comes when `put` of its three files are in their place."""
    with filled(folder) as draft:
        for name in "abc":
            (draft / name).write_text(f"old {name}")
        shutil.copytree(draft, folder.parent / "draft")
    for name in "abc"[put:]:
        (folder / name).unlink()
    shutil.move(folder.parent / "draft", folder / DRAFT)
    for name in "abc"[:put]:
        (folder / DRAFT / name).unlink()
    (folder / DRAFT / ".names").write_text('["a", "b", "c"]')


@pytest.mark.parametrize("put", range(4))
def test_whoever_was_interrupted_begins_anew(tmp_path, put):
    folder = tmp_path / "volume"
    folder.mkdir()
    interrupt(folder, put)
    assert is_free(folder)
    with filled(folder) as draft:
        (draft / "b").write_text("new")
        (draft / "d").write_text("new")
    assert names(folder) == ["b", "d"]
    assert (folder / "b").read_text() == "new"


def test_what_was_there_before_is_never_taken_for_ours(tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir()
    interrupt(folder, 1)
    (folder / "letter").write_text("dear")
    assert not is_free(folder)


async def test_nobody_starts_on_a_part(tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir()
    interrupt(folder, 2)
    with pytest.raises(StoreError, match=r"was interrupted, and not all is there; repeat it, or empty the folder"):
        await EmbeddedStore.open(folder)
    shutil.rmtree(folder / DRAFT)
    await (await EmbeddedStore.open(folder)).close()


def test_a_failure_leaves_nothing(tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir()

    def fill():
        with filled(folder) as draft:
            (draft / "a").write_text("a")
            (draft / "b").write_text("b")
            (folder / "b").mkdir()  # so that the second cannot take its place

    with pytest.raises(OSError, match="directory"):
        fill()
    assert "a" not in names(folder)

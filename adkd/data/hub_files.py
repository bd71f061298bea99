"""What the hub publishes: the sha256 of every parquet file of GLUE, at one revision."""

DATASET = "nyu-mll/glue"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"

SHA256: dict[tuple[str, str], str] = {
    ("cola", "test"): "3c4d526b6f49f432621de43569f9ecf6af41f639baaf4a9d821b95d745def61d",
    ("cola", "train"): "2e7538afa2000e63f5343f16a758d75c452661a384208399d2035cd2fce45c33",
    ("cola", "validation"): "c14b7219a7d9f9fe3dd291fd000f6623ee413805eb108c9c49578ed50873e4ba",
    ("mnli", "test_matched"): "a330c4f2aeb0bc92f1b4b133fbbaf51bf9c7d0f5cac3d06f49ef63af47dbb822",
    ("mnli", "test_mismatched"): "e5078398d5c83d183578b1bdafe94e4491ed28ad1cf8d98ee8846afcec651f16",
    ("mnli", "train"): "49a4a5508b89b8fed2c6e81d2c47d00f4759050a7048c6cc5d95d31122ced3c1",
    ("mnli", "validation_matched"): "7f918c09d9c35446b8e8f06a5672f8ab704e2897fecbf52e2e154141f3d7c421",
    ("mnli", "validation_mismatched"): "04aba92823a954be36fe1b69b61eed334c9eb1009daba0dd79f69d77b87c535c",
    ("mrpc", "test"): "a623ed1cbdf445b11f8e249acbf649d7d3a5ee58c918554c40cbd8307e488693",
    ("mrpc", "train"): "61fd41301e0e244b0420c4350a170c8e7cf64740335fc875a4af2d79af0df0af",
    ("mrpc", "validation"): "33c007dbf5bfa8463d87a13e6226df8c0fcf2596c2cd39d0f3bb79754e00f50f",
    ("qnli", "test"): "f39520cd07925c9784e4a7f1f7aed8f17f136039b8498f7ad07c7bf13d65ba83",
    ("qnli", "train"): "ebc7cb70a5bbde0b0336c3d51f31bb4df4673e908e8874b090b52169b1365c6c",
    ("qnli", "validation"): "e69311b81dc65589286091d9905a27617a90436dd215c7a59832fa8f4f336169",
    ("qqp", "test"): "95d5d1efcfa3ff7e090565e98085770b3497aad8dbcf12996412b23d2fb669e8",
    ("qqp", "train"): "4d6f02e643f7c36e9a4f7d4971a5ee9bd74063a319452fe6c87850c739774cd7",
    ("qqp", "validation"): "efd86a539c412d74874ee451573d7bd142f56c47fe36de033b9f367d8bb0fa71",
    ("rte", "test"): "3f44aadbfb8bbb7a64ba0674bd26ff77b66e88fdf7a6d64255a5ba6ae9057383",
    ("rte", "train"): "a6252ab17015d718f6de1effe0980f7b158df63e3d16207cd8bd396b608e5147",
    ("rte", "validation"): "fb2aa2e04f551133ba663617a15ae133dc22b0f6a969bc0629b5ea6003ee9cf8",
    ("sst2", "test"): "e9d23cf0067211d2baf018328b507f5153fb6704d75117295a8bda47c7adccb1",
    ("sst2", "train"): "66a253e67968acfabcbe49dbe9da964b42ac1c851c40ab760e8c8942efdb3229",
    ("sst2", "validation"): "a1371f3b3a7b0bcefa8388799a9359dc3ce76c349cc0079507a7991364fd2a9b",
    ("stsb", "test"): "04fa2561f1ff3c395cf8980e3eed5d133c194abf636d5e1870d765c861087bd9",
    ("stsb", "train"): "bbd93bbb988fd18437e02185fe3b2bd9a18350376c392e7820de9df1b247ed1f",
    ("stsb", "validation"): "152de7cf1fa34ee4df1c243bd209b02ade21a1d5c4fb3b7da5240f78e4000aa9",
    ("wnli", "test"): "766d3754c46a80f3275cb81a32ee6b7b49176fa8c1ef85ea92a4a3676510b902",
    ("wnli", "train"): "40f4c0c60db68addeda8e9cbe25e6344cd99d5bbb80125535994a9a3141ee0a9",
    ("wnli", "validation"): "880037e45e03df868d5799ca21dc03f3a6378f0adf3c01c7bfc46b94fa61f1cb",
}
"""(task, split) -> digest"""


def path(task: str, split: str) -> str:
    """Where the file of a split lies inside the dataset."""
    return f"{task}/{split}-00000-of-00001.parquet"

#!/usr/bin/env bash
# Run by Snakemake once it has made the environment, from the repository root: puts the suite itself into it.
set -euo pipefail
python -m pip install --no-deps --editable .
